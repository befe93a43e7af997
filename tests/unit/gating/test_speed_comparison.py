"""Speeds of two runs on one machine."""

import pytest
from recording import MACHINE, a_run, right_and_wrong

FEW = right_and_wrong(50, [3])


def at(speed, low, high, **fields):
    metric = "train_examples_per_second"
    return {"timings": {metric: speed}, "speed_ranges": {metric: (low, high)}, **fields}


@pytest.mark.parametrize(
    ("before", "now", "slower"),
    [
        (at(1000, 950, 1050), at(700, 650, 750), True),
        (at(1000, 950, 1050), at(800, 750, 850), False),  # not by the factor
        (at(1000, 700, 1300), at(700, 650, 750), False),  # the ranges overlap
        (at(1000, 950, 1050), {**at(700, 0, 0), "speed_ranges": {}}, False),
    ],
)
def test_a_job_is_slower_by_the_factor_only_if_the_ranges_do_not_overlap(
    compare_batches, before, now, slower
):
    (job,) = compare_batches([a_run("a", FEW, **before)], [a_run("a", FEW, **now)]).jobs
    assert job.speed[0].slower is slower
    assert job.verdict == "unchanged"
    assert bool(job.warnings) is slower


def test_a_slower_job_is_a_regression_if_the_spec_says_so(compare_batches):
    before, now = at(1000, 950, 1050), at(700, 650, 750, gate={"speed": "fail"})
    (job,) = compare_batches([a_run("a", FEW, **before)], [a_run("a", FEW, **now)]).jobs
    assert job.verdict == "regression"
    assert job.reason == "train_examples_per_second is 700, 1.43 times slower than 1,000"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cores": 4}, "speeds are not compared: cores was 2 and is 4"),
        (
            {"versions": {"keras": "3.16", "python": "3.12.1"}},
            "speeds are not compared: the version of keras was 3.15.1 and is 3.16",
        ),
        (  # trained on the same machine, evaluated again on another one
            {"evaluation": {**MACHINE, "processor": "a faster one"}},
            "speeds are not compared: processor was some processor and is a faster one",
        ),
    ],
)
def test_speeds_of_other_machines_or_versions_are_not_compared(compare_batches, change, reason):
    now = at(100, 90, 110, environment={**MACHINE, **change})
    (job,) = compare_batches([a_run("a", FEW, **at(1000, 950, 1050))], [a_run("a", FEW, **now)]).jobs
    assert (job.speed, job.speed_note) == ((), reason)
