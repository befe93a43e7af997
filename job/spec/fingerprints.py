"""Fingerprints: digests of everything that decides a job's result, or whether two results are comparable."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from job import __version__
from job.process.environment import installed
from job.spec import entry_points as plugins
from job.spec import file_locations as files
from job.spec.file_locations import Checksums, PlannedData
from job.spec.problem_sections import PluginSpec
from job.spec.schema import JobSpec

OPERATIONAL_KEYS: dict[str, Any] = {
    "timeout_minutes": True,
    "retries": True,
    "training": {"checkpoint_minutes": True},
    "seeds": True,
    "gate": {"alpha": True, "min_drop": True, "speed": True, "speed_factor": True, "baseline": True},
}
"""Keys of a job that decide how it is run and compared, but not its result. They are in no fingerprint, so
that a job that timed out resumes once it is given more time."""

EXTENT_KEYS = {"examples": True, "validation_examples": True, "also": True}
"""Keys of `evaluation` that decide how much is evaluated, but not how an example is decoded and scored."""


def planned_data(job: JobSpec, directory: Path, read: Checksums | None = None) -> PlannedData:
    """Return the checksums of a job's data at present.

    Args:
        job: the resolved job.
        directory: the spec directory.
        read: checksums that are already known; all other data files are read.

    Raises:
        DataError: a data file, or the problem, is in a package that is not installed.
        OSError: a data file cannot be read.
    """
    found = dict(read or {})
    for name in job.problem.data_files:
        if name not in found:
            found[name] = files.checksum(files.locate(name, directory))
    plugin = plugins.identity(job.problem.name) if isinstance(job.problem, PluginSpec) else {}
    return PlannedData(found, plugin)


def fingerprint(job: JobSpec, directory: Path, data: PlannedData | None = None) -> str:
    """Return the SHA-256, in hex, of everything that decides a job's result.

    These are the resolved spec without `OPERATIONAL_KEYS`, the content of the data files, the versions of
    this package, TensorFlow, Keras and NumPy and, for a problem of the user's own, its package. None of these
    packages is imported.

    Args:
        job: the resolved job.
        directory: the spec directory.
        data: the result of `planned_data`; None to compute it here.

    Raises:
        DataError: a data file, or the problem, is in a package that is not installed.
        OSError: a data file cannot be read.
    """
    data = data or planned_data(job, directory)
    facts = {
        "spec": job.model_dump(mode="json", exclude=OPERATIONAL_KEYS),
        "files": dict(data.files),
        "versions": installed_versions(),
    }
    if isinstance(job.problem, PluginSpec):
        facts["plugin"] = dict(data.plugin)
    return _digest(facts)


def problem_fingerprint(job: JobSpec, directory: Path, data: PlannedData | None = None) -> str:
    """Return the SHA-256, in hex, of the problem and its evaluation, whatever the model.

    The metrics of two results can be compared if they share it. It covers the problem, the content of its
    data files, and the evaluation without `EXTENT_KEYS`: a comparison allows for different numbers of test
    examples. Arguments and errors as in `fingerprint`.
    """
    data = data or planned_data(job, directory)
    facts = {
        "problem": job.problem.model_dump(mode="json"),
        "evaluation": job.evaluation.model_dump(mode="json", exclude=EXTENT_KEYS),
        "files": dict(data.files),
    }
    return _digest(facts)


def _digest(facts: dict[str, Any]) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def installed_versions() -> dict[str, str]:
    """Return the versions of this package and of those that compute its results."""
    names = ("tensorflow", "keras", "numpy")  # NumPy too, because its generators draw the examples
    return {"seq2seq-job": __version__, **{name: installed(name) or "missing" for name in names}}
