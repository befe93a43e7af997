"""Checks of a spec's jobs against their data, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from job.errors import Complaint, DataError, DataErrors, StoreError
from job.problems import build_problem
from job.problems.base import Problem
from job.problems.earlier_tokens import read_earlier_tokens, tokens_of
from job.problems.training_batches import training_batches
from job.problems.vocabulary import EarlierTokens
from job.spec.other_sizes import resized
from job.spec.schema import JobSpec
from job.spec.spec_loading import LocatedSpec
from job.spec.start_models import model_directory, parent_name
from job.storage.documents import why
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
    builder = _Builder({job.name: job for job in located.spec.jobs}, located.spec.path.parent, cache)
    for job in located.spec.jobs:
        try:
            problem = builder.build(job)
            complaints += _check_sizes(located, job, problem)
            complaints += _check_also(located, job, problem)
            problems[job.name] = problem
        except DataErrors as errors:
            complaints += [_complaint(located, job.name, error) for error in errors.errors]
        except _StartError as error:
            complaints.append(located.complaint(job.name, "training.start_from", str(error)))
    return problems, complaints


class _StartError(Exception):
    """The vocabularies of the model that a job starts from cannot be read; the text says why."""


@dataclass
class _Builder:
    """Builds the problems of jobs, equal ones once: jobs of one matrix often share their data.

    Args:
        jobs: the jobs of the spec by name.
        directory: the spec directory.
        cache: see `build_problem`.
    """

    jobs: Mapping[str, JobSpec]
    directory: Path
    cache: Path | None
    _built: dict[str, Problem] = field(default_factory=dict)

    def build(self, job: JobSpec, children: tuple[str, ...] = ()) -> Problem:
        """Return the problem of a job, with the tokens of the model that its training starts from.

        Args:
            job: the job.
            children: names of jobs that start from it, directly or not.

        Raises:
            DataErrors: its data are wrong.
            _StartError: the model that it starts from is damaged.
        """
        earlier = None
        if job.problem.kind == "text_pairs" and job.training.start_from is not None:
            earlier = self._earlier(job, job.training.start_from, (*children, job.name))
        copies, tokens = job.model.pointer, "" if earlier is None else earlier.digest
        key = f"{job.seed} {copies} {tokens} {job.problem.model_dump_json()}"
        if key not in self._built:
            self._built[key] = build_problem(
                job.problem, job.seed, self.directory, cache=self.cache, copies=copies, earlier=earlier
            )
        return self._built[key]

    def _earlier(self, job: JobSpec, start: str, children: tuple[str, ...]) -> EarlierTokens | None:
        """Return the tokens of the model that a job starts from; None if another check complains about it."""
        parent = parent_name(job, self.jobs)
        try:
            if parent is None:
                return read_earlier_tokens(model_directory(start, self.directory))
            return None if parent in children else tokens_of(self.build(self.jobs[parent], children))
        except (OSError, StoreError, DataErrors):
            return None
        except ValueError as error:
            raise _StartError(
                f"{start} has a vocabulary.json that cannot be used ({why(error)}); train it again, or name "
                "another model"
            ) from error


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
