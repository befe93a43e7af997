"""Compare the results of a batch, the candidate, with those of an earlier one, the baseline.

Start with `compare`: each job is checked (`comparability`, `invalid_results`), its metrics are tested
(`metric_tests`), and all jobs together are judged (`comparison_verdicts`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from job.errors import BaselineError
from job.evaluation.text_scores import recorded_tokenization
from job.gating.comparability import NO_EXAMPLES, PlannedComparison, mismatch, recorded_examples
from job.gating.comparison_verdicts import judge_together
from job.gating.differences import changed_settings
from job.gating.invalid_results import baseline_flaw, candidate_flaw, failure_flaw
from job.gating.metric_tests import (
    compare_counts,
    compare_pairs,
    count_test_examples,
    metric_comparison,
)
from job.gating.paired_examples import Pair, flipped_examples, pair_examples, why_unpaired
from job.gating.recorded_batch import RecordedBatch, read_predictions
from job.gating.speed_comparison import compare_speeds, environment_difference
from job.results.comparison_records import Comparison, JobComparison
from job.results.job_result import JobResult
from job.spec.gate_section import GateSpec
from job.storage.artifacts import OutputPaths

MAX_FLIPPED = 20
"""Largest number of flipped examples of a job that a comparison lists, in each direction."""

_NO_COUNTS = "the counts of right answers are not known on both sides; run both batches again"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The batch that is compared with a baseline.

    Args:
        results: of its jobs, in the order of the comparison.
        output: output directory with their predictions.
        planned: names of all jobs of the spec, including those that were not selected.
        gates: job name -> gate, which says what counts as a change.
        missing: names of jobs that should have a result and have none.
    """

    results: Sequence[JobResult]
    output: OutputPaths
    planned: Collection[str]
    gates: Mapping[str, GateSpec]
    missing: Collection[str] = ()


def compare(baseline: RecordedBatch, candidate: Candidate) -> Comparison:
    """Compare every job of a batch with its baseline; jobs that only the baseline has are listed last."""
    jobs = [
        _compare_job(baseline, baseline.results.get(result.name), result, candidate)
        for result in candidate.results
    ]
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


def compare_variants(batch: RecordedBatch, first: JobResult, second: JobResult, gate: GateSpec) -> Comparison:
    """Compare two jobs of one batch on the same test examples.

    Args:
        batch: read from disk.
        first: the job that takes the place of the baseline.
        second: the job that is compared with it.
        gate: of the second job, which says what counts as a change.
    """
    candidate = Candidate(
        results=[second], output=batch.output, planned=[second.name], gates={second.name: gate}
    )
    return Comparison(
        baseline=f"{batch.name}, job {first.name}",
        baseline_finished_at=batch.report.finished_at,
        baseline_commit=first.environment.get("git_commit"),
        jobs=judge_together([_compare_job(batch, first, second, candidate)]),
    )


def _compare_job(
    baseline: RecordedBatch, before: JobResult | None, now: JobResult, candidate: Candidate
) -> JobComparison:
    """Compare one job; its verdict is `unchanged` until `judge_together` unless it is settled already."""
    if before is None:
        return JobComparison(now.name, "new", "the baseline does not have this job")
    found = _compare_results(baseline, before, now, candidate)
    return replace(found, changes=changed_settings(before, now))


def _compare_results(
    baseline: RecordedBatch, before: JobResult, now: JobResult, candidate: Candidate
) -> JobComparison:
    if before.finished and (flaw := failure_flaw(now)):
        return JobComparison(now.name, "regression", flaw)
    if not now.finished:
        reason = f"the job has no finished result: it is {now.status}"
        return JobComparison(now.name, "not_comparable", reason)
    try:
        if reason := mismatch(baseline, before, _to_compare(now, candidate)):
            return JobComparison(now.name, "not_comparable", reason)
        was, found = read_predictions(baseline.output, before), read_predictions(candidate.output, now)
    except BaselineError as error:
        return JobComparison(now.name, "not_comparable", str(error))
    if reason := _other_bleu(before, now):
        return JobComparison(now.name, "not_comparable", reason)
    pairs = pair_examples(was, found) if was and found else []
    tested = _test_job(before, now, pairs, candidate.gates[now.name])
    return replace(tested, unpaired="" if pairs else why_unpaired(was, found)) if tested.metrics else tested


def _other_bleu(before: JobResult, now: JobResult) -> str:
    """Return why the BLEU of two results is not the same measure, as a clause; empty if it is."""
    was, found = (recorded_tokenization(result.data.signatures) for result in (before, now))
    if was == found or "bleu" not in before.metrics or "bleu" not in now.metrics:
        return ""
    return (
        f"its BLEU counts other tokens than the baseline's (tok:{found}, tok:{was} then); run the batch of "
        "the baseline again"
    )


def _to_compare(now: JobResult, candidate: Candidate) -> PlannedComparison:
    return PlannedComparison(
        name=now.name,
        problem_fingerprint=now.problem_fingerprint,
        spec=now.spec,
        gate=candidate.gates[now.name],
        examples=lambda: recorded_examples(candidate.output, now),
    )


def _test_job(before: JobResult, now: JobResult, pairs: Sequence[Pair], gate: GateSpec) -> JobComparison:
    """Test the metrics of a job on paired examples, or without any on the recorded counts."""
    was, found = ([pair[side] for pair in pairs] for side in (0, 1))
    if flaw := baseline_flaw(before, was):
        return JobComparison(now.name, "not_comparable", flaw)
    if flaw := candidate_flaw(before, now, found, was):
        return JobComparison(now.name, "regression", flaw)
    tests = compare_pairs(pairs, now) if pairs else compare_counts(before, now)
    if not tests:
        reason = _NO_COUNTS if "sequence_accuracy" in before.metrics else NO_EXAMPLES
        return JobComparison(now.name, "not_comparable", reason)
    examples = len(pairs) or min(count_test_examples(result) for result in (before, now))
    lost, won = ([*flipped_examples(pairs, lost=lost)] for lost in (True, False))
    difference = environment_difference(before, now)
    return JobComparison(
        name=now.name,
        verdict="unchanged",
        reason="",
        metrics=tuple(
            metric_comparison(metric, result, gate, examples, paired=bool(pairs))
            for metric, result in tests.items()
        ),
        lost=tuple(lost[:MAX_FLIPPED]),
        won=tuple(won[:MAX_FLIPPED]),
        lost_count=len(lost),
        won_count=len(won),
        speed=() if difference else tuple(compare_speeds(before, now, gate.speed_factor)),
        speed_note=f"speeds are not compared: {difference}" if difference else "",
        speed_fails=gate.slower_fails,
    )
