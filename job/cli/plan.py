"""The command `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from job.batch.shard import MAX_SHARDS
from job.cli.checked_spec import load_checked_spec
from job.cli.options import DEFAULT_OUTPUT, DEFAULT_SPEC, OutputOption, SpecOption
from job.cli.terminal_output import check_output_complete, open_console, print_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from job.batch.balanced_shards import Deal
    from job.problems.base import Problem
    from job.spec.file_locations import Checksums
    from job.spec.schema import Spec
    from job.storage.artifacts import OutputPaths

ShardsOption = Annotated[
    int | None,
    typer.Option(
        "--shards",
        min=1,
        max=MAX_SHARDS,
        metavar="N",
        envvar="SEQ2SEQ_JOB_SHARDS",
        help="Also show how --shard I/N deals the jobs to N shards, and how long each would take.",
    ),
]
SaveOption = Annotated[
    bool,
    typer.Option(
        "--save-shards",
        envvar="SEQ2SEQ_JOB_SAVE_SHARDS",
        help="With --shards: deal by the seconds that jobs took before in the output directory, where they "
        "did, and save that there as shards.json, which shards go by. All of them must share the directory.",
    ),
]


def plan(
    spec: SpecOption = DEFAULT_SPEC,
    output_dir: OutputOption = DEFAULT_OUTPUT,
    shards: ShardsOption = None,
    save_shards: SaveOption = False,
) -> None:
    """Show the expanded jobs: their sizes, and what a run would compute again for each of them, and why."""
    from job.batch.plan_table import print_plan, print_shards
    from job.batch.planning import make_plan
    from job.problems.data_files import all_checksums
    from job.storage.artifacts import OutputPaths

    if save_shards and shards is None:
        raise typer.BadParameter("needs --shards, their number", param_hint="--save-shards")
    located, problems = load_checked_spec(spec)
    checksums, output = all_checksums(problems), OutputPaths(output_dir)
    print_plan(make_plan(located.spec, output, checksums), problems, open_console())
    if shards is not None:
        deal = _deal(located.spec, problems, checksums, output, shards, save=save_shards)
        print_line("")
        print_shards(deal, open_console())
    check_output_complete()


def _deal(
    spec: Spec,
    problems: Mapping[str, Problem],
    checksums: Mapping[str, Checksums],
    output: OutputPaths,
    count: int,
    *,
    save: bool,
) -> Deal:
    """Return the division that shards would go by; save it if asked to."""
    from job.batch.balanced_shards import deal_jobs
    from job.batch.cost_estimate import estimate_costs
    from job.batch.measured_costs import measured_costs
    from job.batch.shard_file import plan_fingerprint, read_deal, save_deal

    costs = estimate_costs(spec.jobs, problems)
    fingerprint = plan_fingerprint(spec.jobs, checksums)
    if not save:
        deal = deal_jobs(costs, count)
        return read_deal(output, deal, fingerprint) or deal
    deal = deal_jobs(measured_costs(spec.jobs, costs, output), count)
    save_deal(output, deal, fingerprint)
    return deal
