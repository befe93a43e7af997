"""The record of a trained and evaluated job, put together from what its stages returned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from job.evaluation.attention_samples import MAX_SAMPLES
from job.evaluation.outcome import Evaluation
from job.results.data_facts import DataFacts
from job.results.export_result import ExportResult
from job.results.job_result import JobResult
from job.results.scored_examples import fingerprint_predictions
from job.results.trained_job import TrainedJob
from job.running.history_files import history_columns
from job.running.machine import environment_record, peak_rss_bytes
from job.running.prepared_model import PreparedModel
from job.running.problem_facts import describe_problem, mixed_parts
from job.running.task import Task
from job.running.timings import (
    StageClock,
    job_timings,
    speed_ranges,
    speed_ranges_evaluated_again,
    timings_evaluated_again,
)
from job.training.fit_result import FitResult

MAX_SOURCE_SPACE = 10**18
"""Largest `source_space` that is recorded: JSON readers do not accept every integer."""


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What the record of a job says of its training; the rest follows from its evaluation.

    Args:
        data: facts about the data and the training; those of the test may be missing.
        timings, speed_ranges: of the training and of the evaluation.
        parameters: number of weights of the model.
        history: columns of `history.csv`.
        environment: versions, machine and commit.
        peak_rss_bytes: peak resident memory of the processes that trained and evaluated.
    """

    data: DataFacts
    timings: dict[str, float]
    speed_ranges: dict[str, tuple[float, float]]
    parameters: int
    history: dict[str, list[int | float | None]]
    environment: dict[str, Any]
    peak_rss_bytes: int


def trained_job(
    task: Task,
    training: TrainingRecord,
    evaluation: Evaluation,
    exports: tuple[ExportResult, ...] = (),
) -> TrainedJob:
    """Return the record of a job that is trained, evaluated and exported."""
    data, validated = _with_evaluation(training.data, evaluation), evaluation.validation.result
    if decoded := evaluation.validation.predictions:
        validated = replace(validated, fingerprint=fingerprint_predictions(decoded, data))
    return TrainedJob(
        name=task.job.name,
        fingerprint=task.fingerprint,
        training_fingerprint=task.training_fingerprint,
        problem_fingerprint=task.problem_fingerprint,
        test_fingerprint=fingerprint_predictions(evaluation.predictions, data),
        seed=task.job.seed,
        spec=task.job.model_dump(mode="json"),
        metrics=evaluation.metrics,
        data=data,
        timings=training.timings,
        speed_ranges=training.speed_ranges,
        peak_rss_bytes=training.peak_rss_bytes,
        parameters=training.parameters,
        history=training.history,
        samples=evaluation.predictions[:MAX_SAMPLES],
        analysis=evaluation.analysis,
        also=evaluation.also,
        attention=evaluation.attention,
        environment=training.environment,
        attempts=task.attempt,
        validation=validated,
        model_of=task.model_of,
        exports=exports,
    )


def record_training(
    task: Task,
    prepared: PreparedModel,
    fitted: FitResult,
    evaluation: Evaluation,
    *,
    clock: StageClock,
) -> TrainingRecord:
    """Return the record of a training that this process has done.

    Args:
        task: the job.
        prepared: its data and its model.
        fitted: the outcome of training.
        evaluation: the outcome of the test, for the timings.
        clock: the time of the job's stages.

    Raises:
        ResultError: the problem's description is not a mapping of JSON values.
    """
    return TrainingRecord(
        data=DataFacts(
            train_examples=fitted.examples,
            epochs=fitted.epochs,
            steps=fitted.steps,
            stopped_early=fitted.stopped_early,
            best_epoch=fitted.best_epoch,
            resumed_from_step=fitted.resumed_from_step,
            mixture=mixed_parts(task, prepared.problem, fitted.epochs),
            problem=describe_problem(prepared.problem),
        ),
        timings=job_timings(clock, fitted, evaluation),
        speed_ranges=speed_ranges(fitted.history, evaluation.decode_speeds),
        parameters=prepared.compiled.models.train.count_params(),
        history=history_columns(fitted.history),
        environment=environment_record(task, prepared.kernel),
        peak_rss_bytes=peak_rss_bytes(),
    )


def recorded_training(
    task: Task, recorded: JobResult, evaluation: Evaluation, clock: StageClock
) -> TrainingRecord:
    """Return the record of an earlier training whose model was evaluated again.

    Args:
        task: the job.
        recorded: the result that the earlier training left.
        evaluation: the outcome of the new test, for the timings.
        clock: the time of its stages.
    """
    kernel = str(recorded.environment.get("kernel", ""))
    return TrainingRecord(
        data=recorded.data,
        timings=timings_evaluated_again(recorded.timings, clock, evaluation),
        speed_ranges=speed_ranges_evaluated_again(recorded.speed_ranges, evaluation),
        parameters=recorded.parameters,
        history=recorded.history,
        environment={**recorded.environment, "evaluation": environment_record(task, kernel)},
        peak_rss_bytes=max(recorded.peak_rss_bytes, peak_rss_bytes()),
    )


def _with_evaluation(facts: DataFacts, evaluation: Evaluation) -> DataFacts:
    """Return facts about a job's data and training with those of an evaluation in place of any other."""
    space, tokens = evaluation.source_space, evaluation.tokens
    return replace(
        facts,
        test_examples=len(evaluation.predictions),
        seen_in_training=evaluation.seen_in_training,
        source_space=None if space is None else min(space, MAX_SOURCE_SPACE),
        signatures=evaluation.signatures,
        not_measured=evaluation.not_measured,
        separators=tokens.separators,
        test_tokens=tokens.test_tokens,
        unknown_tokens=tokens.unknown_tokens,
    )
