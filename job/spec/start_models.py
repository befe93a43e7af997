"""Resolution of `training.start_from`: the job or the directory whose model a job starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from job.errors import Complaint, StoreError
from job.spec.change_effects import changed_keys
from job.spec.file_locations import checksum
from job.spec.model_section import ModelSpec
from job.spec.schema import JobSpec
from job.spec.seed_expansion import run_name
from job.spec.yaml_tree import Node
from job.storage.cached_files import cached_model
from job.storage.store_address import is_store, shown

MODEL_FILES = ("train.keras", "vocabulary.json")
"""The files of a model directory from which another training starts."""

FREE_KEYS = frozenset(
    {
        "output_bias",
        "dropout",
        "recurrent_dropout",
        "kernel_initializer",
        "recurrent_initializer",
        "embedding_initializer",
    }
)
"""Keys of `model` in which a job may differ from the one it starts from: they are not of the weights."""

_MAX_NAMES = 6


def parent_name(job: JobSpec, names: Mapping[str, JobSpec]) -> str | None:
    """Return the name of the job of the spec that a job starts from; None if there is none.

    With `seeds` on both sides it is the run with the same seed.

    Args:
        job: the resolved job.
        names: the jobs of the spec by name.
    """
    start = job.training.start_from
    if start is None:
        return None
    return next((name for name in (start, run_name(start, job.seed)) if name in names), None)


def model_directory(start_from: str, directory: Path) -> Path:
    """Return the model directory that `start_from` names: of a job directory, or itself.

    Args:
        start_from: the value in the spec, which is not the name of a job.
        directory: the spec directory.

    Raises:
        StoreError: it is the URL of a job in a store, which cannot be read.
    """
    place = cached_model(start_from) if is_store(start_from) else directory / start_from
    return place / "model" if (place / "model").is_dir() else place


def start_checksum(model: Path) -> str:
    """Return the SHA-256, in hex, of the model that training starts from.

    Args:
        model: the model directory.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in MODEL_FILES:
        digest.update(checksum(model / name).encode())
    return digest.hexdigest()


def check_starts(
    jobs: Mapping[str, JobSpec], trees: Mapping[str, Node], directory: Path
) -> Iterator[Complaint]:
    """Yield complaints about models that jobs cannot start from.

    Args:
        jobs: the resolved jobs by name.
        trees: the located values of each job.
        directory: the spec directory.
    """
    for job in jobs.values():
        if job.training.start_from is None:
            continue
        message = _wrong_start(job, jobs, directory)
        if message:
            tree = trees[job.name]
            section = tree.entries["training"]
            yield section.entries["start_from"].complaint(message)


def _wrong_start(job: JobSpec, jobs: Mapping[str, JobSpec], directory: Path) -> str:
    """Return what is wrong with the model that a job starts from; '' if nothing is."""
    start = job.training.start_from
    assert start is not None
    parent = parent_name(job, jobs)
    if parent is None:
        return _wrong_directory(job, start, jobs, directory)
    chain = [job.name]
    while parent is not None:
        if parent in chain:
            return f"these jobs start from one another: {', '.join([*chain, parent])}; drop one start_from"
        chain.append(parent)
        parent = parent_name(jobs[parent], jobs)
    other = jobs[chain[1]]
    if (other.problem.kind == "time_series") != (job.problem.kind == "time_series"):
        return f"job {other.name!r} has a problem of another kind: one of the two models reads numbers"
    return _other_architecture(job, f"job {other.name!r}", other.model.model_dump(mode="json"))


def _wrong_directory(job: JobSpec, start: str, jobs: Mapping[str, JobSpec], directory: Path) -> str:
    families = {other.family for other in jobs.values() if other.seeds}
    if start in families:
        return (
            f"job {start!r} has several seeds, and none is {job.seed}, the seed of this job; name one of its "
            "runs, such as " + next(name for name, other in jobs.items() if other.family == start)
        )
    try:
        model = model_directory(start, directory)
    except StoreError as error:
        return str(error)
    missing = [name for name in MODEL_FILES if not (model / name).is_file()]
    if missing:
        others = [name for name in jobs if name != job.name][:_MAX_NAMES]
        known = f" ({', '.join(others)})" if others else ""
        return (
            f"{start!r} is neither another job of this spec{known} nor the directory of a finished job: "
            f"{shown(model)} has no {missing[0]}"
        )
    try:
        recorded = yaml.safe_load((model.parent / "spec.yaml").read_text("utf-8"))["model"]
        section = ModelSpec.read_recorded(recorded).model_dump(mode="json")
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return ""  # the shapes of the weights are compared when they are read
    return _other_architecture(job, f"the model in {start}", section)


def _other_architecture(job: JobSpec, what: str, section: Mapping[str, Any]) -> str:
    changes = [
        change
        for change in changed_keys(section, job.model.model_dump(mode="json"))
        # only its package knows which options of a plugin change the weights, whose shapes are compared
        if change.key not in FREE_KEYS and not change.key.startswith("options.")
    ]
    listed = ", ".join(f"model.{change}" for change in changes)
    return (
        f"{what} has another architecture: {listed}; give this job the same model section" if listed else ""
    )
