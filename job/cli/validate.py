"""The command `validate`."""

from __future__ import annotations

from job.cli.checked_spec import load_checked_spec
from job.cli.options import DEFAULT_SPEC, SpecOption
from job.cli.terminal_output import print_line


def validate(spec: SpecOption = DEFAULT_SPEC) -> None:
    """Check a spec and the data it names: all errors at once, or "N jobs, OK"."""
    located, _ = load_checked_spec(spec)
    count = len(located.spec.jobs)
    print_line(f"{count} job{'' if count == 1 else 's'}, OK")
