"""Judge one job: its metrics against the thresholds of its gate, and the status that follows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from job.errors import OutputError
from job.gating.confidence_intervals import examples_needed, round_up, within_sampling_error
from job.metrics import METRICS, gate_key
from job.results.data_facts import DataFacts
from job.results.job_result import FINISHED, GateOutcome, JobResult, Status
from job.results.trained_job import TrainedJob
from job.spec.gate_section import GateSpec


def judge_trained(trained: TrainedJob, gate: GateSpec, seeds: Sequence[int] = ()) -> JobResult:
    """Judge a trained job by its gates.

    Args:
        trained: the job.
        gate, seeds: see `judge_result`.

    Returns:
        the job's result, its status `passed` or `gate_failed`; without artifacts.
    """
    result = JobResult(
        name=trained.name,
        status="passed",
        fingerprint=trained.fingerprint,
        training_fingerprint=trained.training_fingerprint,
        evaluation_fingerprint=trained.fingerprint,
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
        test_fingerprint=trained.test_fingerprint,
        speed_ranges=trained.speed_ranges,
        validation=trained.validation,
        model_of=trained.model_of,
        exports=trained.exports,
    )
    return judge_result(result, gate, seeds)


def judge_result(result: JobResult, gate: GateSpec, seeds: Sequence[int] = ()) -> JobResult:
    """Judge a job's result by a gate, whatever verdict it records.

    Args:
        result: of the job.
        gate: its current gate.
        seeds: of the job with `seeds` of which this is one run. If its gate is on the mean over the seeds, no
            gate applies to a single run.

    Returns:
        the result with its status, the outcomes of the gates, and this gate and these seeds in its `spec`. A
        job that did not finish has no outcomes, and stays failed or interrupted.
    """
    if not result.finished:
        return replace(result, status=_unfinished_status(result), gates=(), judged=False)
    thresholds = {} if seeds and gate.on_mean else gate.thresholds()
    measured = {**result.timings, **result.metrics}
    outcomes = check_thresholds(measured, thresholds, share_counts(result.data), result.not_measured)
    applied = {"gate": gate.model_dump(mode="json"), "seeds": list(seeds)}
    same = {key: result.spec.get(key) for key in applied} == applied
    return replace(
        result,
        status=status_of(outcomes),
        gates=outcomes,
        judged=bool(outcomes),
        spec=result.spec if same else {**result.spec, **applied},
    )


def _unfinished_status(result: JobResult) -> Status:
    """Return the status of a job that did not finish; its error counts more than the status it records."""
    if result.status not in FINISHED:
        return result.status
    return "interrupted" if result.error and result.error.type == "Interrupted" else "failed"


def status_of(outcomes: Iterable[GateOutcome]) -> Status:
    """Return the status of a job that was trained and evaluated."""
    return "passed" if all(outcome.passed for outcome in outcomes) else "gate_failed"


# --- thresholds ---------------------------------------------------------------------------------------------


def check_thresholds(
    measured: Mapping[str, float],
    thresholds: Mapping[str, float],
    counts: Mapping[str, int] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> tuple[GateOutcome, ...]:
    """Check the metrics of a job against thresholds.

    Args:
        measured: metric -> value. Timings are metrics too.
        thresholds: metric -> threshold, see `GateSpec.thresholds`.
        counts: metric -> number of examples, for metrics that are a share of them; used for advice.
        reasons: metric -> why it was not measured, if known.

    Returns:
        an outcome for each threshold, in their order. A metric that is missing, NaN or infinite has failed,
        and the value of its outcome is None.
    """
    counts, reasons = counts or {}, reasons or {}
    return tuple(
        _outcome(metric, threshold, measured.get(metric), counts.get(metric), reasons.get(metric))
        for metric, threshold in thresholds.items()
    )


def _outcome(
    metric: str, threshold: float, value: float | None, count: int | None, reason: str | None
) -> GateOutcome:
    if value is None or not math.isfinite(value):
        return GateOutcome(metric, threshold, None, passed=False, reason=reason)
    passed = value >= threshold if METRICS[metric].direction == "higher" else value <= threshold
    return GateOutcome(metric, threshold, value, passed, _advice(value, threshold, count) if count else None)


def _advice(share: float, threshold: float, count: int) -> str | None:
    """Return how many test examples would decide about a share near its threshold, as a clause."""
    if not within_sampling_error(share, count, threshold):
        return None
    needed = examples_needed(share, threshold)
    remedy = f"about {round_up(needed):,} would decide it" if needed else "it equals the threshold"
    return f"within sampling error on {count:,} test examples; {remedy}"


def share_counts(data: DataFacts) -> dict[str, int]:
    """Return the number of test examples behind each metric that is a share of them."""
    tested, seen = data.test_examples, data.seen_in_training
    if tested is None or seen is None:  # numbers have no shares
        return {}
    return {"sequence_accuracy": tested, "unseen_sequence_accuracy": tested - seen}


# --- recorded gates -----------------------------------------------------------------------------------------


def recorded_gate(result: JobResult) -> GateSpec | None:
    """Return the gate that a job was last judged by, as far as its result records it.

    Results of earlier versions may record only the outcomes, from which the thresholds are restored.

    Returns:
        None if a gate failed but neither the gate nor an outcome is recorded.

    Raises:
        OutputError: the record is not a valid gate.
    """
    try:
        if "gate" not in result.spec and result.gates:
            return GateSpec.model_validate({gate_key(gate.metric): gate.bound for gate in result.gates})
        if "gate" in result.spec or result.status != "gate_failed":
            return GateSpec.read_recorded(result.spec.get("gate", {}))
    except (KeyError, ValueError) as error:
        raise OutputError(
            f"the result of job {result.name} records a gate that cannot be read "
            f"({str(error).splitlines()[0]}); run its batch again"
        ) from error
    return None
