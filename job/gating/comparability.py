"""Whether a job can be compared with its baseline: before it is trained, as far as is known, and after."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from job.errors import BaselineError
from job.gating.invalid_results import baseline_flaw
from job.gating.recorded_batch import RecordedBatch, read_predictions
from job.results.job_result import JobResult
from job.results.scored_examples import ScoredExamples, fingerprint_predictions
from job.spec.fingerprints import EXTENT_KEYS
from job.spec.gate_section import GateSpec
from job.storage.artifacts import OutputPaths

NO_EXAMPLES = (
    "numbers are compared example by example, and the examples of both sides are not there; give an output "
    "directory with its jobs/"
)
"""Why a regression job (predicting numbers) cannot be compared without its predictions."""


@dataclass(frozen=True, kw_only=True)
class PlannedComparison:
    """A job that is, or will be, compared with its baseline.

    Args:
        name: of the job.
        problem_fingerprint: of its problem, data and evaluation.
        spec: the job's, as JSON values.
        gate: the job's gate, which says what it must share with its baseline.
        examples: returns its test examples; called only if the fingerprint alone does not decide.
    """

    name: str
    problem_fingerprint: str
    spec: Mapping[str, Any]
    gate: GateSpec
    examples: Callable[[], ScoredExamples]


def check_comparable(
    baseline: RecordedBatch, jobs: Sequence[PlannedComparison], planned: Collection[str]
) -> None:
    """Check before training that the baseline has results with which the jobs can be compared.

    Args:
        baseline: read from disk.
        jobs: those that are to be run.
        planned: names of the jobs of which the baseline must have at least one.

    Raises:
        BaselineError: it has none of the planned jobs, or some jobs cannot be compared; a sentence for each.
    """
    if baseline.results.keys().isdisjoint(planned):
        names = ", ".join(islice(baseline.results, 5)) or "none"
        raise BaselineError(
            f"baseline {baseline.name} has none of the jobs that are to be compared; its jobs: {names}"
        )
    known = [(job, baseline.results[job.name]) for job in jobs if job.name in baseline.results]
    reasons = {job.name: _why_not(baseline, before, job) for job, before in known}
    sentences = [f"job {name} cannot be compared: {reason}" for name, reason in reasons.items() if reason]
    if sentences:
        raise BaselineError("\n".join(sentences))


def recorded_examples(output: OutputPaths, result: JobResult) -> ScoredExamples:
    """Return the test examples of a recorded result; its predictions are read only if a part is asked for.

    Args:
        output: the output directory with the predictions.
        result: of a finished job.
    """

    def fingerprint_first(count: int) -> str:
        predictions = read_predictions(output, result)
        return fingerprint_predictions(predictions[:count], result.data) if predictions else ""

    return ScoredExamples(
        count=result.data.test_examples or 0,
        fingerprint=result.test_fingerprint,
        fingerprint_first=fingerprint_first,
    )


def mismatch(baseline: RecordedBatch, before: JobResult, now: PlannedComparison) -> str:
    """Return why the results of a job and of its baseline measure different things, as a clause.

    Args:
        baseline: read from disk.
        before: its result of the job.
        now: the candidate's job.

    Returns:
        an empty string if they can be compared.

    Raises:
        BaselineError: the predictions of one side cannot be read.
    """
    if not before.finished:
        return f"the baseline has no finished result of it: it is {before.status}"
    if not before.problem_fingerprint:
        return "the baseline does not say what it was measured on; run its batch again"
    if before.problem_fingerprint == now.problem_fingerprint:
        return ""
    difference = _first_difference(before.spec, now.spec)
    if not now.gate.allows_other_data or not before.test_fingerprint:
        unknown = "; it does not record its test examples: run its batch again with this version"
        remedy = unknown if now.gate.allows_other_data else ""
        return f"the baseline is of another problem: {difference}{remedy}"
    if recorded_examples(baseline.output, before).same_as(now.examples()):
        return ""
    return (
        f"its test examples are not those of the baseline: {difference}; give the test a file of its own "
        "that stays the same, or replace the baseline"
    )


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the first key that matters for a comparison and differs between two specs, as a clause."""
    for section, ignored in (("problem", {}), ("evaluation", EXTENT_KEYS)):
        was, found = before.get(section, {}), now.get(section, {})
        for key in {**was, **found}:
            if key not in ignored and was.get(key) != found.get(key):
                return f"{section}.{key} was {was.get(key)} and is {found.get(key)}"
    return "the content of its data files has changed"


def _why_not(baseline: RecordedBatch, before: JobResult, now: PlannedComparison) -> str:
    """Return why a planned job cannot be compared, as a clause; empty if it can."""
    try:
        return mismatch(baseline, before, now) or _unusable(baseline, before)
    except BaselineError as error:
        return str(error)


def _unusable(baseline: RecordedBatch, before: JobResult) -> str:
    """Return why a baseline's result cannot be compared with, as a clause; empty if it can.

    Raises:
        BaselineError: its predictions cannot be read.
    """
    predictions = read_predictions(baseline.output, before)
    if flaw := baseline_flaw(before):
        return flaw
    return "" if predictions or "sequence_accuracy" in before.metrics else NO_EXAMPLES
