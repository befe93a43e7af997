"""Whether a job can be compared with its baseline at all, as far as is known before it is trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from job.errors import BaselineError
from job.gating.invalid_results import baseline_flaw
from job.gating.recorded_batch import RecordedBatch, read_predictions
from job.results.job_result import JobResult
from job.spec.fingerprints import EXTENT_KEYS

NO_EXAMPLES = (
    "numbers are compared example by example, and the examples of both sides are not there; give an output "
    "directory with its jobs/"
)
"""Why a regression job (predicting numbers) cannot be compared without its predictions."""


@dataclass(frozen=True, kw_only=True)
class PlannedComparison:
    """A job that is to be trained and then compared.

    Args:
        name: of the job.
        problem_fingerprint: of its problem, data and evaluation.
        spec: the job's, as JSON values.
    """

    name: str
    problem_fingerprint: str
    spec: Mapping[str, Any]


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
    reasons = {
        job.name: mismatch(before, job.problem_fingerprint, job.spec) or _unusable(baseline, before)
        for job, before in known
    }
    sentences = [f"job {name} cannot be compared: {reason}" for name, reason in reasons.items() if reason]
    if sentences:
        raise BaselineError("\n".join(sentences))


def mismatch(before: JobResult, problem_fingerprint: str, spec: Mapping[str, Any]) -> str:
    """Return why the results of a job and of its baseline measure different things, as a clause.

    Args:
        before: the baseline's result.
        problem_fingerprint: of the candidate's job.
        spec: of the candidate's job, as JSON values.

    Returns:
        an empty string if they can be compared.
    """
    if not before.finished:
        return f"the baseline has no finished result of it: it is {before.status}"
    if not before.problem_fingerprint:
        return "the baseline does not say what it was measured on; run its batch again"
    if before.problem_fingerprint == problem_fingerprint:
        return ""
    return f"the baseline is of another problem: {_first_difference(before.spec, spec)}"


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the first key that matters for a comparison and differs between two specs, as a clause."""
    for section, ignored in (("problem", {}), ("evaluation", EXTENT_KEYS)):
        was, found = before.get(section, {}), now.get(section, {})
        for key in {**was, **found}:
            if key not in ignored and was.get(key) != found.get(key):
                return f"{section}.{key} was {was.get(key)} and is {found.get(key)}"
    return "the content of its data files has changed"


def _unusable(baseline: RecordedBatch, before: JobResult) -> str:
    """Return why a baseline's result cannot be compared with, as a clause; empty if it can."""
    try:
        predictions = read_predictions(baseline.output, before)
    except BaselineError as error:
        return str(error)
    if flaw := baseline_flaw(before):
        return flaw
    return "" if predictions or "sequence_accuracy" in before.metrics else NO_EXAMPLES
