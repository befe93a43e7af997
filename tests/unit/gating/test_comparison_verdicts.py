"""Verdicts on all jobs of a batch together: adjusted p-values, false alarms, and power by simulation."""

import numpy as np
import pytest
from comparing import compared_job, discordant
from scipy import stats

from job.gating.comparison_verdicts import examples_advice, judge_together
from job.gating.metric_tests import metric_comparison
from job.gating.significance_tests import mcnemar
from job.spec.gate_section import GateSpec


def test_p_values_are_adjusted_over_all_jobs_for_each_direction_separately():
    p = discordant(9900, 70, 40)
    assert 0.001 < p.p_value < 0.005
    alone = judge_together([compared_job("a", p)])
    assert alone[0].metrics[0].adjusted_p_value == p.p_value
    better = discordant(9900, 40, 70)
    jobs = judge_together(
        [compared_job("a", p), compared_job("b", better), compared_job("c", discordant(9900, 5, 5))]
    )
    assert [job.metrics[0].adjusted_p_value for job in jobs] == pytest.approx(
        [3 * p.p_value, 3 * p.p_value, 1]
    )


def test_as_many_examples_as_the_advice_says_would_be_significant():
    """A change as large, in as many more examples, by the same test."""
    gate = GateSpec()
    metric = metric_comparison("sequence_accuracy", discordant(9000, 60, 40), gate, 9100, paired=True)
    needed = int(examples_advice(metric, metric.p_value).split()[-2].replace(",", ""))
    times = needed / 9100
    assert discordant(0, round(60 * times), round(40 * times)).p_value <= gate.alpha
    assert discordant(0, round(45 * times), round(30 * times)).p_value > gate.alpha


def nightly(rng, jobs, accuracy, drop):
    """A night's comparison of so many jobs on 10,000 examples, half of whose errors are on hard ones: both
    sides'."""
    found = []
    for number in range(jobs):
        shares = accuracy[number], accuracy[number] - drop
        hard = rng.random(10_000) < (1 - shares[0]) / 2
        sides = [~hard & (rng.random(10_000) < (share / (1 - (1 - shares[0]) / 2))) for share in shares]
        found.append(compared_job(str(number), mcnemar(*sides), gate=GateSpec(min_drop=0.0)))
    return judge_together(found)


def test_false_alarms_over_two_thousand_nights_without_a_change_are_at_most_alpha():
    """Significance alone, at alpha 0.05 and 0.01, over five jobs: without the smallest change that counts."""
    rng = np.random.default_rng(1)
    nights = [nightly(rng, 5, [0.6, 0.9, 0.97, 0.99, 0.999], 0.0) for _ in range(2000)]
    least = [min(job.metrics[0].adjusted_p_value for job in jobs if job.metrics[0].difference < 0)
             if any(job.metrics[0].difference < 0 for job in jobs) else 1.0 for jobs in nights]  # fmt: skip
    for alpha in (0.01, 0.05):
        alarms = sum(p <= alpha for p in least)
        assert alarms <= stats.binom.ppf(0.999, 2000, alpha)
    alarmed = sum(any(job.verdict == "regression" for job in jobs) for jobs in nights)
    assert alarmed == sum(p <= 0.01 for p in least)


@pytest.mark.parametrize("accuracy", [0.9, 0.97, 0.999])
def test_a_drop_of_two_points_on_ten_thousand_examples_is_found(accuracy):
    """In one of five jobs, with the corrections for all: in more than 99 of 100 nights."""
    rng = np.random.default_rng(2)
    nights = [nightly(rng, 1, [accuracy], 0.02) + nightly(rng, 4, [0.9] * 4, 0.0) for _ in range(500)]
    assert sum(judge_together(jobs)[0].verdict == "regression" for jobs in nights) > 0.99 * 500
