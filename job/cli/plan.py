"""The command `plan`."""

from __future__ import annotations

from job.cli.checked_spec import load_checked_spec
from job.cli.options import DEFAULT_OUTPUT, DEFAULT_SPEC, OutputOption, SpecOption
from job.cli.terminal_output import check_output_complete, open_console


def plan(spec: SpecOption = DEFAULT_SPEC, output_dir: OutputOption = DEFAULT_OUTPUT) -> None:
    """Show the expanded jobs: sizes, number of parameters, fingerprint, and whether they are done."""
    from job.batch.plan_table import print_plan
    from job.batch.planning import make_plan
    from job.problems.data_files import all_checksums
    from job.storage.artifacts import OutputPaths

    located, problems = load_checked_spec(spec)
    planned = make_plan(located.spec, OutputPaths(output_dir), all_checksums(problems))
    print_plan(planned, problems, open_console())
    check_output_complete()
