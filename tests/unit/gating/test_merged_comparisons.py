"""Comparisons of shards, merged and judged as one."""

from dataclasses import replace

import pytest
from comparing import compared_job, discordant, total_loss, verdicts

from job.errors import BaselineError
from job.gating.comparison_verdicts import judge_together
from job.gating.merged_comparisons import merge_comparisons
from job.gating.metric_tests import metric_comparison
from job.results.comparison_records import Comparison, JobComparison
from job.spec.gate_section import GateSpec


def test_p_values_of_merged_shards_are_adjusted_together():
    p = discordant(9000, 160, 60)
    parts = [
        Comparison("b", "2026-07-01", None, judge_together([compared_job(name, p)]))
        for name in ("one", "two")
    ]
    gone = JobComparison("gone", "removed", "")
    parts = [replace(part, jobs=(*part.jobs, gone)) for part in parts]
    merged = merge_comparisons({"one": parts[0], "two": parts[1]})
    assert [job.name for job in merged.jobs] == ["one", "two", "gone"]
    assert merged.jobs[0].metrics[0].adjusted_p_value == pytest.approx(2 * p.p_value)
    assert merged.jobs == (*judge_together([compared_job("one", p), compared_job("two", p)]), gone)
    assert merge_comparisons({"one": None}) is None


def test_a_shard_that_was_not_compared_does_not_pass_silently():
    part = Comparison("b", "2026-07-01", None, judge_together([compared_job("one", discordant(100, 1, 1))]))
    merged = merge_comparisons({"one": part, "two": None})
    assert verdicts(merged) == {"one": "unchanged", "two": "not_comparable"}
    with pytest.raises(BaselineError, match="compared with different baselines"):
        merge_comparisons({"one": part, "two": replace(part, baseline_finished_at="2026-07-02")})


def test_jobs_that_are_comparable_in_their_shards_may_not_be_together():
    metric = metric_comparison("sequence_accuracy", total_loss(7, 7), GateSpec(), 7, paired=True)
    parts = {
        name: Comparison(
            "b", "2026-07-01", None, judge_together([JobComparison(name, "unchanged", "", (metric,))])
        )
        for name in ("one", "two")
    }
    assert {part.jobs[0].verdict for part in parts.values()} == {"regression"}
    merged = merge_comparisons(parts)
    assert [job.verdict for job in merged.jobs] == ["not_comparable", "regression"]
