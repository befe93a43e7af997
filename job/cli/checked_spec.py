"""Load a spec and its data, and check both: the first step of `validate`, `plan` and a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from job.problems.base import Problem
    from job.spec.file_locations import Checksums
    from job.spec.schema import Spec
    from job.spec.spec_loading import LocatedSpec


@dataclass(frozen=True)
class EstimatedSpec:
    """A checked spec, with the checksums of its data and the estimated costs of its jobs.

    Args:
        spec: the spec.
        checksums: checksums of the data files that were read, by job name.
        costs: estimated seconds, by job name.
    """

    spec: Spec
    checksums: Mapping[str, Checksums]
    costs: Mapping[str, float]


def load_checked_spec(spec: Path, cache: Path | None = None) -> tuple[LocatedSpec, dict[str, Problem]]:
    """Load a spec and its data, and check both.

    Args:
        spec: the file.
        cache: the cache of tokenized pairs of an output directory, see `OutputPaths.cache`; None to use none.

    Returns:
        the spec, and by job name the problem with its data.

    Raises:
        SpecError: the spec, its data or a model of another package is wrong; the error lists every mistake.
    """
    from job.batch.plugin_models import check_plugin_models
    from job.errors import SpecError
    from job.problems.checking import check_jobs
    from job.spec.export_packages import missing_packages
    from job.spec.spec_loading import load_located

    located = load_located(spec)
    problems, complaints = check_jobs(located, cache)
    complaints += missing_packages(located)
    complaints += check_plugin_models(located, problems)
    if complaints or located.complaints:
        raise SpecError([*located.complaints, *complaints])
    return located, problems


def estimate_spec(spec: Spec, problems: Mapping[str, Problem]) -> EstimatedSpec:
    """Return a checked spec with the checksums and the estimated costs of its jobs.

    Args:
        spec: the spec.
        problems: by job name.
    """
    from job.batch.cost_estimate import estimate_costs
    from job.problems.data_files import all_checksums

    return EstimatedSpec(spec, all_checksums(problems), estimate_costs(spec.jobs, problems))


def load_estimated_spec(spec: Path, cache: Path) -> EstimatedSpec:
    """Load a spec, check it and its data, and release the data; raises as `load_checked_spec` does."""
    located, problems = load_checked_spec(spec, cache)
    return estimate_spec(located.spec, problems)
