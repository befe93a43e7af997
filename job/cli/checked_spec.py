"""Loading a spec with the data that it names, checked: the first step of `validate`, `plan` and a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from job.problems.base import Problem
    from job.spec.loading import LocatedSpec


def load_checked_spec(spec: Path) -> tuple[LocatedSpec, dict[str, Problem]]:
    """Load a spec and the data that it names.

    Returns:
        the spec, and by job name the problem with its data.

    Raises:
        SpecError: with every complaint about the spec and its data.
    """
    from job.errors import SpecError
    from job.problems.checking import check_jobs
    from job.spec.loading import load_located

    located = load_located(spec)
    problems, complaints = check_jobs(located)
    if complaints or located.complaints:
        raise SpecError([*located.complaints, *complaints])
    return located, problems
