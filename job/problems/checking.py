"""Checks of a spec's jobs against their data, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from job.errors import Complaint, DataError, DataErrors
from job.problems import build_problem
from job.problems.base import Problem
from job.problems.training_batches import training_batches
from job.spec.other_sizes import resized
from job.spec.schema import JobSpec
from job.spec.spec_loading import LocatedSpec
from job.storage.store_address import shown


def check_jobs(located: LocatedSpec, cache: Path | None = None) -> tuple[dict[str, Problem], list[Complaint]]:
    """Build the problem of every job, which reads all data files.

    Args:
        located: the spec with the line of each key.
        cache: see `build_problem`.

    Returns:
        The problems by job name, and the complaints about jobs whose data are wrong.
    """
    problems: dict[str, Problem] = {}
    complaints: list[Complaint] = []
    built: dict[str, Problem] = {}  # jobs of one matrix often share their data
    for job in located.spec.jobs:
        copies = job.model.pointer
        key = f"{job.seed} {copies} {job.problem.model_dump_json()}"
        try:
            if key not in built:
                built[key] = build_problem(
                    job.problem, job.seed, located.spec.path.parent, cache=cache, copies=copies
                )
            complaints += _check_sizes(located, job, built[key])
            complaints += _check_also(located, job, built[key])
            problems[job.name] = built[key]
        except DataErrors as errors:
            complaints += [_complaint(located, job.name, error) for error in errors.errors]
    return problems, complaints


def _complaint(located: LocatedSpec, job: str, error: DataError) -> Complaint:
    at_key = located.complaint(job, f"problem.{error.key}" if error.key else "problem", error.message)
    if error.file is None:
        return at_key
    return Complaint(_shown(error.file), error.line, at_key.key, error.message)


def _shown(file: Path) -> str:
    """Return the path relative to the working directory if it is inside it; of a copy the URL."""
    if (url := shown(file)) != str(file):
        return url
    try:
        return str(file.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def _check_also(located: LocatedSpec, job: JobSpec, problem: Problem) -> list[Complaint]:
    """Return complaints about sizes in `evaluation.also` at which the trained model cannot be evaluated."""
    complaints = []
    for i, changes in enumerate(job.evaluation.also):
        key = f"evaluation.also[{i}]"
        try:
            spec, directory = resized(job.problem, changes), located.spec.path.parent
            other = build_problem(spec, job.seed, directory, copies=job.model.pointer)
        except DataErrors as errors:
            for error in errors.errors:
                size = error.key.rpartition(".")[2]
                at = f"{key}.{size}" if size in changes else key
                complaints.append(located.complaint(job.name, at, error.message))
        else:
            if _interface(other) != _interface(problem):
                message = (
                    "is a size at which the problem has another vocabulary, or fixed instead of varying "
                    "lengths; remove it"
                )
                complaints.append(located.complaint(job.name, key, message))
    return complaints


def _interface(problem: Problem) -> tuple[Any, ...]:
    """Return the properties of a problem that a model depends on."""
    names = ("source_vocabulary", "target_vocabulary", "fixed_length")
    return tuple(getattr(problem, name, None) for name in names)


def _check_sizes(located: LocatedSpec, job: JobSpec, problem: Problem) -> list[Complaint]:
    try:
        examples = problem.examples_per_epoch(job.training.examples)
    except DataError as error:
        return [located.complaint(job.name, "training.examples", error.message)]
    if job.training.tokens_per_batch is not None:
        try:
            training_batches(problem, job.training)
        except DataError as error:
            at_key = located.complaint(job.name, "training.tokens_per_batch", error.message)
            file = _shown(error.file) if error.file else at_key.file
            return [Complaint(file, error.line or at_key.line, at_key.key, error.message)]
        return []
    if job.training.batch_size <= examples:
        return []
    message = f"batch_size {job.training.batch_size} is more than the {examples} training examples; lower it"
    return [located.complaint(job.name, "training.batch_size", message)]
