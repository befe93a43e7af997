"""The table of the command `plan`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from job.batch.balanced_shards import Deal
from job.batch.job_differences import job_differences, short_differences
from job.batch.planning import PlannedJob
from job.models.parameter_count import count_parameters
from job.problems.base import Problem, widths
from job.reports.escaping import terminal
from job.reports.formatting import clock_time
from job.reports.tables import Column, print_table
from job.results.reading import SCHEMA_VERSION
from job.spec.model_section import ModelSpec
from job.spec.schema import JobSpec
from job.storage.file_names import short_fingerprint


def print_plan(plan: Sequence[PlannedJob], problems: Mapping[str, Problem], console: Console) -> None:
    """Print a row for each job with its sizes and what the next run does for it, then the reasons.

    Args:
        plan: see `make_plan`.
        problems: by job name.
        console: to print to.
    """
    columns = [Column("job"), Column("problem")]
    columns += [Column(name, right=True) for name in ("classes", "units", "examples", "parameters")]
    columns += [Column("finger\u00ad\nprint"), Column("next run")]
    rows = [_row(planned, problems[planned.job.name]) for planned in plan]
    differences = short_differences([planned.job for planned in plan])
    if any(differences.values()):
        columns.append(Column("differs"))
        for planned, row in zip(plan, rows, strict=True):
            row.append(differences[planned.job.name])
    print_table(columns, rows, console)
    console.print()
    for line in reasons(plan):
        console.print(Text(f"  {terminal(line)}"), soft_wrap=True)


def plan_json(plan: Sequence[PlannedJob], problems: Mapping[str, Problem]) -> str:
    """Return a plan as a JSON document.

    Args:
        plan: see `make_plan`.
        problems: by job name.
    """
    differences = job_differences([planned.job for planned in plan])
    jobs = [
        {
            "name": planned.job.name,
            "action": planned.action,
            "why": planned.decision.why,
            "model_of": planned.model_of,
            "differs": differences[planned.job.name],
            "parameters": _parameters(planned.job, problems[planned.job.name]),
            "training_fingerprint": planned.fingerprints.training,
            "evaluation_fingerprint": planned.fingerprints.evaluation,
        }
        for planned in plan
    ]
    return json.dumps({"schema_version": SCHEMA_VERSION, "jobs": jobs}, indent=2, ensure_ascii=False) + "\n"


def _parameters(job: JobSpec, problem: Problem) -> int | None:
    return count_parameters(job.model, *widths(problem), numbers=problem.target_kind == "numbers")


def reasons(plan: Sequence[PlannedJob]) -> list[str]:
    """Return a line for each reason of what the next run does: `train a, b: model.units 64 -> 128`."""
    found: dict[tuple[str, str], list[str]] = {}
    for planned in plan:
        found.setdefault((planned.action, planned.decision.why), []).append(planned.job.name)
    return [f"{action} {', '.join(names)}: {why}" for (action, why), names in found.items()]


def print_shards(deal: Deal, console: Console) -> None:
    """Print a row for each shard with its jobs and estimated time, and the batch's time against the ideal."""
    columns = [Column("shard"), Column("jobs", right=True), Column("estimate", right=True), Column("longest")]
    rows = []
    for index, load in enumerate(deal.loads, start=1):
        names = deal.names(index)
        longest = max(names, key=deal.seconds.__getitem__, default="")
        rows.append([f"{index}/{deal.count}", str(len(names)), clock_time(load), longest])
    print_table(columns, rows, console)
    over = deal.makespan / deal.ideal - 1 if deal.ideal else 0.0
    text = f"all shards: {clock_time(deal.makespan)} with one job at a time on two cores; the ideal is "
    console.print(f"{text}{clock_time(deal.ideal)} (+{over:.1%})", highlight=False, soft_wrap=True)


def _row(planned: PlannedJob, problem: Problem) -> list[str]:
    job, sizes = planned.job, widths(problem)
    examples, parameters = problem.examples_per_epoch(job.training.examples), _parameters(job, problem)
    return [
        job.name,
        job.problem.kind,
        f"{sizes[0]}, {sizes[1]}",
        _units(job.model),
        f"{examples:,}" if job.training.epochs == 1 else f"{job.training.epochs} x {examples:,}",
        "" if parameters is None else f"{parameters:,}",
        short_fingerprint(planned.fingerprint),
        planned.action,
    ]


def _units(model: ModelSpec) -> str:
    """Return the width of the layers, with their number if it is not 1; empty if only a plugin knows it."""
    if model.architecture == "plugin":
        return ""
    return f"{model.layers} x {model.units}" if model.layers > 1 else str(model.units)
