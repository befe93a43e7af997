"""A job of a spec -> a directory that every contender can be given: its examples made once, and its sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.programs.lesson import Lesson
from job.problems import build_problem
from job.problems.base import Ids, TokenProblem
from job.spec.schema import JobSpec
from job.spec.spec_loading import load_spec


def read_job(directory: Path) -> JobSpec:
    """Return the one job of a workload's spec."""
    (job,) = load_spec(directory / "jobs.yaml").jobs
    return job


def write_spec(directory: Path, spec: dict[str, Any]) -> None:
    """Write a spec to a new directory."""
    directory.mkdir(parents=True)
    (directory / "jobs.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")


def write_workload(directory: Path, spec: dict[str, Any]) -> Lesson:
    """Write a spec of one job to a new directory, and beside it the examples that the job will draw.

    The job has one epoch, Adam, a global norm that gradients are held to, and a cosine schedule.
    """
    write_spec(directory, spec)
    job = read_job(directory)
    problem = cast(TokenProblem, build_problem(job.problem, job.seed, directory))
    training, optimizer = job.training, job.training.optimizer
    if optimizer.clip_norm is None or training.epochs != 1:
        raise ValueError(f"{job.name}: expected one epoch and clip_norm")
    source, target = training_examples(problem, job)
    test = problem.examples("test", job.evaluation.examples)
    transformer = job.model.architecture == "transformer"
    one_hot = job.model.inputs == "one_hot" and not transformer
    lesson = Lesson(
        directory=directory,
        source=source,
        target=target,
        test_source=test.source,
        test_target=test.target,
        source_size=len(problem.source_vocabulary),
        target_size=len(problem.target_vocabulary),
        units=job.model.units,
        layers=job.model.layers,
        embedding_size=0 if one_hot else job.model.embedding_size,
        attention=job.model.attention != "none",
        masked=not problem.fixed_length,
        batch_size=training.batch_size,
        learning_rate=optimizer.learning_rate,
        warmup_fraction=optimizer.warmup_fraction,
        clip_norm=optimizer.clip_norm,
        start=problem.target_vocabulary.start,
        end=problem.target_vocabulary.end,
        columns=problem.max_target_length,
        seed=job.seed,
        heads=job.model.heads if transformer else 0,
        feed_forward=job.model.feed_forward_units if transformer else 0,
    )
    lesson.write()
    return lesson


def training_examples(problem: TokenProblem, job: JobSpec) -> tuple[Ids, Ids]:
    """Return the examples of the first epoch in its order, padded to the longest."""
    size = job.training.batch_size
    examples = problem.examples_per_epoch(job.training.examples)
    batches = [problem.batch(0, i, size, examples) for i in range(-(-examples // size))]
    sources, targets = zip(*batches, strict=True)
    return _joined(sources), _joined(targets)


def _joined(parts: tuple[NDArray[np.int32], ...]) -> Ids:
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])
