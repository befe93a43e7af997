"""A plan -> a table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from job.batch.plan import PlannedJob
from job.models.parameter_count import count_parameters
from job.problems.base import Problem, widths


def print_plan(plan: Sequence[PlannedJob], problems: Mapping[str, Problem], console: Console) -> None:
    """Print a row a job: sizes, parameters, fingerprint, done or to do.

    Args:
        plan: see `make_plan`.
        problems: by job name.
        console: where to.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("job", overflow="fold", min_width=8)  # columns that may fold would else fold to nothing
    table.add_column("problem", overflow="fold", min_width=8)
    for name in ("classes", "units", "examples", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("finger\nprint", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for planned in plan:
        table.add_row(*_row(planned, problems[planned.job.name]))
    console.print(table)


def _row(planned: PlannedJob, problem: Problem) -> list[str]:
    job, sizes = planned.job, widths(problem)
    model, examples = job.model, problem.examples_per_epoch(job.training.examples)
    return [
        job.name,
        job.problem.kind,
        f"{sizes[0]}, {sizes[1]}",
        f"{model.layers} x {model.units}" if model.layers > 1 else str(model.units),
        f"{examples:,}" if job.training.epochs == 1 else f"{job.training.epochs} x {examples:,}",
        f"{count_parameters(model, *sizes, numbers=problem.target_kind == 'numbers'):,}",
        planned.fingerprint[:8],
        planned.state,
    ]
