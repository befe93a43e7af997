"""Fingerprints: digests of everything that decides a job's result, or whether two results are comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from job import __version__
from job.process.installed_versions import installed
from job.spec import file_locations as files
from job.spec.change_effects import select
from job.spec.entry_points import MODELS, PROBLEMS, identity
from job.spec.file_locations import Checksums, PlannedData
from job.spec.problem_sections import PluginSpec
from job.spec.schema import JobSpec
from job.spec.start_models import model_directory, start_checksum

EXTENT_KEYS = {"examples": True, "validation_examples": True, "also": True, "ensemble": True}
"""Keys of `evaluation` that decide how much is evaluated, but not how an example is decoded and scored."""


def planned_data(
    job: JobSpec, directory: Path, read: Checksums | None = None, *, parent: str = ""
) -> PlannedData:
    """Return the checksums of a job's data, and of the model that it starts from, at present.

    Args:
        job: the resolved job.
        directory: the spec directory.
        read: checksums that are already known; all other data files are read.
        parent: the training fingerprint of the job of the spec that this one starts from; empty if there is
            none.

    Raises:
        DataError: a data file, the problem or the model is in a package that is not installed.
        OSError: a data file cannot be read.
    """
    found = dict(read or {})
    for name in job.problem.data_files:
        if name not in found:
            found[name] = files.checksum(files.locate(name, directory))
    plugin = identity(PROBLEMS, job.problem.name) if isinstance(job.problem, PluginSpec) else {}
    model = identity(MODELS, job.model.name) if job.model.name is not None else {}
    start = job.training.start_from
    if start is not None and not parent:
        parent = start_checksum(model_directory(start, directory))
    return PlannedData(found, plugin, parent, model)


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """The two fingerprints that decide what is computed again. Gates are in neither: they are always judged.

    Args:
        training: SHA-256, in hex, of everything that decides the trained model: the problem, the content of
            its data files, the model, the training, the model that it starts from, the number of validation
            examples, the seed, the device, the versions of this package, TensorFlow, Keras and NumPy and, for
            a problem or a model of the user's own, its package.
        evaluation: SHA-256, in hex, of the training fingerprint and the evaluation: it decides the result.
    """

    training: str
    evaluation: str


def fingerprints_of(job: JobSpec, directory: Path, data: PlannedData | None = None) -> Fingerprints:
    """Return a job's fingerprints; none of the packages whose versions they include is imported.

    Which keys of the job are part of which fingerprint is in `change_effects.EFFECTS`.

    Args:
        job: the resolved job.
        directory: the spec directory.
        data: the result of `planned_data`; None to compute it here.

    Raises:
        DataError: a data file, the problem or the model is in a package that is not installed.
        OSError: a data file cannot be read.
    """
    data = data or planned_data(job, directory)
    spec = job.model_dump(mode="json")
    facts: dict[str, Any] = {
        "spec": select(spec, "training"),
        "files": dict(data.files),
        "versions": installed_versions(),
    }
    if isinstance(job.problem, PluginSpec):
        facts["plugin"] = dict(data.plugin)
    if job.model.name is not None:
        facts["model_plugin"] = dict(data.model)
    if data.start:  # what the model is decides, not how it is named
        facts["start"] = data.start
        facts["spec"]["training"].pop("start_from")
    training = _digest(facts)
    return Fingerprints(
        training=training,
        evaluation=_digest({"training": training, "spec": select(spec, "evaluation")}),
    )


def problem_fingerprint(job: JobSpec, directory: Path, data: PlannedData | None = None) -> str:
    """Return the SHA-256, in hex, of the problem and its evaluation, whatever the model.

    The metrics of two results can be compared if they share it. It covers the problem, the content of its
    data files, and the evaluation without `EXTENT_KEYS`: a comparison allows for different numbers of test
    examples. Arguments and errors as in `fingerprints_of`.
    """
    data = data or planned_data(job, directory)
    facts = {
        "problem": job.problem.model_dump(mode="json", exclude={"licence"}),
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
