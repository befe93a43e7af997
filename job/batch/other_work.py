"""The work of a job besides its training steps: what is expected of it, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from job.results.job_result import JobResult
from job.spec.evaluation_section import EvaluationSpec
from job.spec.schema import JobSpec

_VALIDATED, _DECODED, _EVALUATED = 0.5, 0.5, 0.6
"""Time that an example takes in validation, in its decoding, and in the evaluation after the last epoch, in
relation to an example of training: about as measured with recurrent models and a Transformer on two cores."""

_SCORING_SECONDS = 2.5e-4
"""Seconds of an example to score it, to draw and to write it: about as measured on two cores."""


@dataclass(frozen=True, kw_only=True)
class OtherWork:
    """The expected work of a job besides its training steps.

    Args:
        epoch_end: of validation after each epoch, until it is measured, in training steps.
        evaluation: of the evaluation after the last epoch, in training steps.
        scoring: of the evaluation besides decoding, in seconds.
    """

    epoch_end: float = 0.0
    evaluation: float = 0.0
    scoring: float = 0.0


def other_work(job: JobSpec | None) -> OtherWork:
    """Return the expected work of a job besides its training steps; none for None."""
    if job is None:
        return OtherWork()
    training, evaluation = job.training, job.evaluation
    validated = evaluation.validation_examples * (_VALIDATED + (training.best_by != "loss") * _DECODED)
    return OtherWork(
        epoch_end=validated / training.step_examples,
        evaluation=_EVALUATED * decoded_examples(evaluation) / training.step_examples,
        scoring=_SCORING_SECONDS * (evaluation.examples + evaluation.validation_examples),
    )


def decoded_examples(evaluation: EvaluationSpec) -> float:
    """Return how many examples of greedy decoding take as long as an evaluation.

    Half of an example's time in a beam search of width W grows with W, as measured with W = 4.
    """
    width = evaluation.beam_width if evaluation.decoder == "beam" else 1
    examples = evaluation.examples * (1 + len(evaluation.also)) + evaluation.validation_examples
    return (1 + width) / 2 * examples


def measured_ratio(job: JobSpec, result: JobResult) -> float | None:
    """Return how many times as long as expected a job's evaluation took; None if that is not recorded.

    Nor is it of a resumed training, whose seconds are those of its last run.

    Args:
        job: the job.
        result: of the same training and evaluation.
    """
    evaluated, trained = (result.timings.get(f"{stage}_seconds") for stage in ("evaluate", "train"))
    expected, steps = other_work(job).evaluation, result.data.steps
    if (
        not (result.finished and evaluated and trained and expected and steps)
        or result.data.resumed_from_step
    ):
        return None
    return evaluated / (expected * trained / steps)


def seconds_to_evaluate_again(job: JobSpec, trained: JobResult) -> float | None:
    """Return how long another evaluation of a trained model takes; None if that cannot be told.

    Args:
        job: with the evaluation to come.
        trained: the result with the earlier evaluation, which may have been a larger or smaller one.
    """
    seconds = trained.timings.get("evaluate_seconds")
    try:
        earlier = decoded_examples(EvaluationSpec.read_recorded(trained.spec.get("evaluation", {})))
    except ValueError:  # of a version with other keys
        return None
    return seconds * decoded_examples(job.evaluation) / earlier if seconds and earlier else None
