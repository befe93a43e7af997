"""Results and their bars -> the verdict on a batch, and so the exit code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from job.errors import OutputError
from job.gating.confidence_intervals import examples_needed, round_up, within_sampling_error
from job.metrics import METRICS, gate_key
from job.results.data_facts import DataFacts
from job.results.records import FINISHED, GateOutcome, JobResult, Status
from job.results.trained_job import TrainedJob
from job.spec.gate_section import GateSpec


def judge(
    measured: Mapping[str, float],
    thresholds: Mapping[str, float],
    counts: Mapping[str, int] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> tuple[GateOutcome, ...]:
    """Hold what a job measured against its bars.

    Args:
        measured: name -> value: the result's metrics, and its timings (`train_seconds` is a metric too).
        thresholds: metric name -> bound, see `GateSpec.thresholds`.
        counts: metric name -> of how many examples it is a share, where it is one; for advice.
        reasons: metric name -> why there is no value, where that is known.

    Returns:
        an outcome for each threshold, in their order. A metric that is missing, NaN or infinite has not
        cleared its bar, and its value is None.
    """
    counts, reasons = counts or {}, reasons or {}
    return tuple(
        _outcome(metric, bound, measured.get(metric), counts.get(metric), reasons.get(metric))
        for metric, bound in thresholds.items()
    )


def _outcome(
    metric: str, bound: float, value: float | None, count: int | None, reason: str | None
) -> GateOutcome:
    if value is None or not math.isfinite(value):
        return GateOutcome(metric, bound, None, passed=False, reason=reason)
    passed = value >= bound if METRICS[metric].direction == "higher" else value <= bound
    return GateOutcome(metric, bound, value, passed, _advice(value, bound, count) if count else None)


def _advice(share: float, bound: float, count: int) -> str | None:
    if not within_sampling_error(share, count, bound):
        return None
    needed = examples_needed(share, bound)
    settled = (
        f"about {round_up(needed):,} test examples would settle it" if needed else "it lies on the bar itself"
    )
    return f"of {count:,} examples chance could have it on the other side; {settled}"


def share_counts(data: DataFacts) -> dict[str, int]:
    """Return metric -> number of test examples of which it is a share, for the metrics that are shares."""
    tested, seen = data.test_examples, data.seen_in_training
    if tested is None or seen is None:  # numbers have no shares
        return {}
    return {"sequence_accuracy": tested, "unseen_sequence_accuracy": tested - seen}


def judge_trained(trained: TrainedJob, gate: GateSpec, seeds: Sequence[int] = ()) -> JobResult:
    """Judge a trained job by its gates.

    Args:
        trained: the job.
        gate, seeds: see `judged`.

    Returns:
        the job's result, its status `passed` or `gate_failed`; without artifacts.
    """
    result = JobResult(
        name=trained.name,
        status="passed",
        fingerprint=trained.fingerprint,
        seed=trained.seed,
        spec=trained.spec,
        metrics=trained.metrics,
        data=trained.data,
        timings=trained.timings,
        peak_rss_bytes=trained.peak_rss_bytes,
        parameters=trained.parameters,
        history=trained.history,
        samples=trained.samples,
        analysis=trained.analysis,
        also=trained.also,
        attention=trained.attention,
        environment=trained.environment,
        attempts=trained.attempts,
        problem_fingerprint=trained.problem_fingerprint,
        speed_ranges=trained.speed_ranges,
    )
    return judged(result, gate, seeds)


def judged(result: JobResult, gate: GateSpec, seeds: Sequence[int] = ()) -> JobResult:
    """Return a result with the verdict that a gate gives on what was measured, whatever verdict it records.

    Args:
        result: of a job.
        gate: the job's now.
        seeds: of the job with `seeds` of which this is one run; its gate may be on their mean, and then
            none is applied to a run alone.

    Returns:
        the result with its status, its gates' outcomes, and this gate and these seeds in its `spec`. A job
        that was not finished stays so.
    """
    if not result.finished:
        return replace(result, status=_unfinished(result), gates=(), judged=False)
    thresholds = {} if seeds and gate.seeds == "mean" else gate.thresholds()
    measured = {**result.timings, **result.metrics}
    outcomes = judge(measured, thresholds, share_counts(result.data), result.not_measured)
    applied = {"gate": gate.model_dump(mode="json"), "seeds": list(seeds)}
    same = {key: result.spec.get(key) for key in applied} == applied
    return replace(
        result,
        status=status(outcomes),
        gates=outcomes,
        judged=bool(outcomes),
        spec=result.spec if same else {**result.spec, **applied},
    )


def _unfinished(result: JobResult) -> Status:
    """Return the status of a job that did not finish; its error is believed before its status."""
    if result.status not in FINISHED:
        return result.status
    return "interrupted" if result.error and result.error.type == "Interrupted" else "failed"


def status(outcomes: Iterable[GateOutcome]) -> Status:
    """Return the status of a job that was trained and evaluated."""
    return "passed" if all(outcome.passed for outcome in outcomes) else "gate_failed"


def recorded_gate(result: JobResult) -> GateSpec | None:
    """Return the gate that a job was judged by when it was run, as far as its result records it.

    Returns:
        None where neither the spec in it nor the outcomes tell, but the status is that of a failed gate.

    Raises:
        OutputError: what is recorded is no gate.
    """
    try:
        if "gate" not in result.spec and result.gates:
            return GateSpec.model_validate({gate_key(gate.metric): gate.bound for gate in result.gates})
        if "gate" in result.spec or result.status != "gate_failed":
            return GateSpec.model_validate(result.spec.get("gate", {}))
    except (KeyError, ValueError) as error:
        raise OutputError(
            f"the result of job {result.name} records a gate that cannot be read "
            f"({str(error).splitlines()[0]}); run its batch again"
        ) from error
    return None
