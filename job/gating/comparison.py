"""Two batches -> `Comparison`: which jobs can be held against each other, and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import NormalDist
from typing import Any

from job.errors import BaselineError, OutputError
from job.gating.confidence_intervals import round_up
from job.gating.flaws import baseline_flaw, candidate_flaw, failure_flaw
from job.gating.metric_tests import (
    compare_counts,
    compare_pairs,
    count_test_examples,
    metric_comparison,
    min_effect,
)
from job.gating.paired_examples import Pair, flipped_examples, pair_examples
from job.gating.power import comparable, too_few
from job.gating.recorded_batch import RecordedBatch, read_predictions
from job.gating.significance_tests import holm
from job.gating.speed_comparison import apply_factor, compare_speeds, environment_difference
from job.metrics import METRICS, gate_key
from job.results.records import Change, Comparison, JobComparison, JobResult, MetricComparison
from job.spec.fingerprints import EXTENT_KEYS
from job.spec.gate_section import GateSpec
from job.storage.artifacts import OutputPaths

SHOWN = 20
"""Examples of a job that are kept of those that flipped one way."""


@dataclass(frozen=True)
class Candidate:
    """What is held against a baseline.

    Args:
        results: in the order of the comparison.
        output: where their predictions are.
        planned: names of all jobs of the spec, those included that were not asked for.
        gates: by job name, what counts as a change.
        missing: names of jobs that should have a result and have none.
    """

    results: Sequence[JobResult]
    output: OutputPaths
    planned: Collection[str]
    gates: Mapping[str, GateSpec]
    missing: Collection[str] = ()


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


def compare(baseline: RecordedBatch, candidate: Candidate) -> Comparison:
    """Hold a batch against a baseline."""
    jobs = [_compare_job(baseline, result, candidate) for result in candidate.results]
    jobs += [JobComparison(name, "not_comparable", "the job has no result") for name in candidate.missing]
    removed = [name for name in baseline.results if name not in candidate.planned]
    return Comparison(
        baseline=baseline.name,
        baseline_finished_at=baseline.report.finished_at,
        baseline_commit=baseline.commit,
        jobs=(
            *judge_together(jobs),
            *(JobComparison(name, "removed", "only the baseline has this job") for name in removed),
        ),
    )


# --- which jobs can be compared -----------------------------------------------------------------------------


def mismatch(before: JobResult, problem_fingerprint: str, spec: Mapping[str, Any]) -> str:
    """Say why a job cannot be held against its baseline; empty where it can.

    Args:
        before: the baseline's result.
        problem_fingerprint: of the job now.
        spec: the job's now, as JSON values.
    """
    if not before.finished:
        return f"the baseline has no finished result of it: it is {before.status}"
    if not before.problem_fingerprint:
        return "the baseline does not say what it was measured on; run its batch again"
    if before.problem_fingerprint == problem_fingerprint:
        return ""
    return f"the baseline is of another problem: {_first_difference(before.spec, spec)}"


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    for section, unless in (("problem", {}), ("evaluation", EXTENT_KEYS)):
        was, found = before.get(section, {}), now.get(section, {})
        for key in {**was, **found}:
            if key not in unless and was.get(key) != found.get(key):
                return f"{section}.{key} was {was.get(key)} and is {found.get(key)}"
    return "the content of its data files has changed"


def check_comparable(
    baseline: RecordedBatch, jobs: Sequence[tuple[str, str, Mapping[str, Any]]], planned: Collection[str]
) -> None:
    """See before anything is trained whether jobs can be held against a baseline.

    Args:
        baseline: what is there.
        jobs: name, problem fingerprint and spec of those that are to be run.
        planned: names of all jobs of the spec.

    Raises:
        BaselineError: it has none of the jobs, or one cannot be compared; a sentence for each.
    """
    if baseline.results.keys().isdisjoint(planned):
        raise BaselineError(_nothing_in_common(baseline))
    known = [(name, mark, spec) for name, mark, spec in jobs if name in baseline.results]
    reasons = {name: mismatch(baseline.results[name], mark, spec) for name, mark, spec in known}
    for name, reason in reasons.items():
        if not reason:
            reasons[name] = _unreadable(baseline, baseline.results[name])
    wrong = [not_comparable(name, reason) for name, reason in reasons.items() if reason]
    if wrong:
        raise BaselineError("\n".join(wrong))


def _nothing_in_common(baseline: RecordedBatch) -> str:
    names = ", ".join(islice(baseline.results, 5)) or "none"
    return f"baseline {baseline.name} has none of the jobs that are to be compared; its jobs: {names}"


def not_comparable(name: str, reason: str) -> str:
    """Return the sentence for a job that cannot be held against its baseline."""
    return f"job {name} cannot be compared: {reason}"


def _unreadable(baseline: RecordedBatch, before: JobResult) -> str:
    try:
        predictions = read_predictions(baseline.output, before)
    except BaselineError as error:
        return str(error)
    if flaw := baseline_flaw(before):
        return flaw
    return "" if predictions or "sequence_accuracy" in before.metrics else _WITHOUT_EXAMPLES


_WITHOUT_EXAMPLES = (
    "numbers are compared example by example, and the examples of both sides are not there; give an output "
    "directory with its jobs/"
)
_WITHOUT_COUNTS = "the counts of right answers are not known on both sides; run both batches again"

# --- one job ------------------------------------------------------------------------------------------------


def _compare_job(baseline: RecordedBatch, now: JobResult, candidate: Candidate) -> JobComparison:
    before = baseline.results.get(now.name)
    if before is None:
        return JobComparison(now.name, "new", "the baseline does not have this job")
    if before.finished and (flaw := failure_flaw(now)):
        return JobComparison(now.name, "regression", flaw)
    if not now.finished:
        return JobComparison(
            now.name, "not_comparable", f"the job has no finished result: it is {now.status}"
        )
    reason = mismatch(before, now.problem_fingerprint, now.spec)
    if reason:
        return JobComparison(now.name, "not_comparable", reason)
    try:
        was, found = read_predictions(baseline.output, before), read_predictions(candidate.output, now)
    except BaselineError as error:
        return JobComparison(now.name, "not_comparable", str(error))
    pairs = pair_examples(was, found) if was and found else []
    return _measured(before, now, pairs, candidate.gates[now.name])


def _measured(before: JobResult, now: JobResult, pairs: Sequence[Pair], gate: GateSpec) -> JobComparison:
    was, found_now = ([pair[side] for pair in pairs] for side in (0, 1))
    if flaw := baseline_flaw(before, was):
        return JobComparison(now.name, "not_comparable", flaw)
    if flaw := candidate_flaw(before, now, found_now, was):
        return JobComparison(now.name, "regression", flaw)
    evidence = compare_pairs(pairs, now) if pairs else compare_counts(before, now)
    if not evidence:
        reason = _WITHOUT_COUNTS if "sequence_accuracy" in before.metrics else _WITHOUT_EXAMPLES
        return JobComparison(now.name, "not_comparable", reason)
    examples = len(pairs) or min(count_test_examples(result) for result in (before, now))
    lost, won = ([*flipped_examples(pairs, lost=side)] for side in (True, False))
    elsewhere = environment_difference(before, now)
    return JobComparison(
        name=now.name,
        verdict="unchanged",
        reason="",
        metrics=tuple(
            metric_comparison(metric, found, gate, examples, paired=bool(pairs))
            for metric, found in evidence.items()
        ),
        lost=tuple(lost[:SHOWN]),
        won=tuple(won[:SHOWN]),
        lost_count=len(lost),
        won_count=len(won),
        speed=() if elsewhere else tuple(compare_speeds(before, now, gate.speed_factor)),
        speed_note=f"speeds are not compared: {elsewhere}" if elsewhere else "",
        speed_fails=gate.speed == "fail",
    )


# --- all jobs together --------------------------------------------------------------------------------------


def judge_together(jobs: Sequence[JobComparison]) -> tuple[JobComparison, ...]:
    """Adjust the p-values of all tests of a batch (Holm 1979), and say what each job comes to.

    Changes for the worse and for the better are two questions, adjusted each for itself: a batch in which
    nothing changed raises a false alarm with probability alpha at most, however many jobs it has. A job of
    so few examples that a total loss would not be significant cannot be compared; its tests do not count.
    """
    able, tests = comparable(jobs)
    metrics = [metric for i in sorted(able) for metric in jobs[i].metrics]
    worse = iter(holm([_one_sided(metric, "regression") for metric in metrics]))
    better = iter(holm([_one_sided(metric, "improvement") for metric in metrics]))
    return tuple(
        _judged(job, [_adjusted(m, next(worse), next(better)) for m in job.metrics])
        if i in able
        else _incapable(job, tests + len(job.metrics))
        for i, job in enumerate(jobs)
    )


def _incapable(job: JobComparison, tests: int) -> JobComparison:
    """Return a job that could not show a loss, or is judged already."""
    if not job.metrics or job.verdict == "not_comparable":
        return job
    told = tuple(
        replace(metric, adjusted_p_value=min(1.0, tests * metric.p_value), change="unchanged", advice=None)
        for metric in job.metrics
    )
    if job.speed_fails and job.warnings:
        return replace(job, verdict="regression", metrics=told, reason="; ".join(job.warnings))
    return replace(job, verdict="not_comparable", metrics=told, reason=too_few(job, tests))


def direction(metric: MetricComparison) -> Change:
    """Return which way a metric went, by however little."""
    if metric.difference == 0:
        return "unchanged"
    rose = metric.difference > 0
    return "improvement" if rose == (METRICS[metric.metric].direction == "higher") else "regression"


def _one_sided(metric: MetricComparison, way: Change) -> float:
    return metric.p_value if direction(metric) == way else 1.0


def _adjusted(metric: MetricComparison, worse: float, better: float) -> MetricComparison:
    way = direction(metric)
    p = {"regression": worse, "improvement": better, "unchanged": 1.0}[way]
    large = way != "unchanged" and abs(metric.difference) >= metric.min_effect * (1 - 1e-9)
    significant = p <= metric.alpha
    return replace(
        metric,
        adjusted_p_value=p,
        change=way if large and significant else "unchanged",
        advice=_advice(metric, p) if large and not significant and way == "regression" else None,
    )


def _advice(metric: MetricComparison, p: float) -> str | None:
    """Say how many examples would make a change of this size significant.

    A test statistic grows with the root of the examples: as many times more as the quantiles' squares tell.
    """
    if p >= 0.5:
        return None
    quantile = NormalDist().inv_cdf
    times = (quantile(metric.alpha) / quantile(p)) ** 2
    needed = math.ceil(times * metric.examples)
    return f"a change of this size would be significant on about {round_up(needed):,} examples"


def _judged(job: JobComparison, metrics: Sequence[MetricComparison]) -> JobComparison:
    changes = [metric.change for metric in metrics]
    slower = job.speed_fails and bool(job.warnings)
    verdict: Change = (
        "regression" if "regression" in changes or slower
        else "improvement" if "improvement" in changes else "unchanged"
    )  # fmt: skip
    return replace(job, verdict=verdict, metrics=tuple(metrics), reason=_reason(job, metrics, verdict))


def _reason(job: JobComparison, metrics: Sequence[MetricComparison], verdict: Change) -> str:
    told = [metric for metric in metrics if metric.change == verdict] if verdict != "unchanged" else metrics
    clauses = [*map(_clause, told), *(job.warnings if verdict == "regression" and job.speed_fails else ())]
    return "; ".join(clauses)


def _clause(metric: MetricComparison) -> str:
    sides = f"{metric.metric} was {metric.before:.6g} and is {metric.now:.6g}"
    chance = f"p {metric.adjusted_p_value:.2g} for all the batch"
    advice = f"; {metric.advice}" if metric.advice else ""
    return f"{sides} ({metric.test}: {metric.detail}; {chance}){advice}"


def merge_comparisons(
    told: Mapping[str, Comparison | None], gates: Mapping[str, GateSpec] | None = None
) -> Comparison | None:
    """Put the comparisons of a batch's parts together, as if it had been compared in one.

    Args:
        told: by job name, in the batch's order, the comparison of the run that it was part of.
        gates: by job name, what counts as a change now; by default what counted then.

    Returns:
        None where there is none at all.

    Raises:
        BaselineError: the parts were held against different baselines.
    """
    parts = [part for part in told.values() if part is not None]
    if not parts:
        return None
    names = {(part.baseline_finished_at, part.baseline_commit): part.baseline for part in parts}
    if len(names) > 1:
        raise BaselineError(
            f"the results were held against different baselines ({', '.join(names.values())}); say which one "
            "holds with --baseline"
        )
    jobs = [_by_gate(_told(name, part), (gates or {}).get(name)) for name, part in told.items()]
    removed = {job.name: job for part in parts for job in part.jobs if job.verdict == "removed"}
    return replace(parts[0], jobs=(*judge_together(jobs), *removed.values()))


def _told(name: str, part: Comparison | None) -> JobComparison:
    found = next((job for job in part.jobs if job.name == name), None) if part else None
    if found is not None and (unknown := [m.metric for m in found.metrics if m.metric not in METRICS]):
        reason = f"the run's report compares a metric that this version does not know: {unknown[0][:60]}"
        return JobComparison(name, "not_comparable", reason)
    if found is not None:
        return found
    reason = "the run that it was part of was given no baseline; give it to the report with --baseline"
    return JobComparison(name, "not_comparable", reason)


def _by_gate(job: JobComparison, gate: GateSpec | None) -> JobComparison:
    """Return what was measured of a job, to be judged by a gate, whatever gate it was judged by before."""
    if gate is None:
        return job
    # With too few examples for one alpha, there may be enough for another.
    too_few = job.verdict == "not_comparable" and bool(job.metrics)
    return replace(
        job,
        verdict="unchanged" if too_few else job.verdict,
        metrics=tuple(
            replace(m, alpha=gate.alpha, min_effect=min_effect(m.metric, m.before, gate.min_drop))
            for m in job.metrics
        ),
        speed=tuple(apply_factor(speed, gate.speed_factor) for speed in job.speed),
        speed_fails=gate.speed == "fail",
    )
