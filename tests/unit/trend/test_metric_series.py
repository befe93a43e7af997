from dataclasses import replace

from nightly_runs import a_job, read

from job.results.batch_report import MetricOverSeeds, SeedsSummary
from job.trend.metric_series import all_series
from job.trend.runs import read_runs


def test_a_job_that_was_done_before_or_failed_adds_nothing(nights):
    failed = replace(a_job(), status="failed", metrics={})
    root = nights(
        [a_job(sequence_accuracy=0.5)],
        [a_job(sequence_accuracy=0.5, reused=True)],
        [failed],
        [a_job(sequence_accuracy=0.6)],
    )
    _, (series,) = read(root)
    assert (series.runs, series.values) == ((0, 3), (0.5, 0.6))


def test_examples_recorded_before_the_problem_changed_are_not_compared(nights):
    old, new = a_job(problem="p1", sequence_accuracy=0.9), a_job(problem="p2", sequence_accuracy=0.5)
    unnamed = a_job(problem="", sequence_accuracy=0.4)
    _, (series,) = read(nights([old], [unnamed], [new], [new]))
    assert series.runs == (1, 2, 3)


def test_other_training_data_with_the_same_test_continues_a_series(nights):
    nightly = [
        replace(a_job(problem=problem, sequence_accuracy=0.9), test_fingerprint=test)
        for problem, test in [("p1", "t1"), ("p2", ""), ("p3", "t2"), ("p4", "t1"), ("p5", "t1")]
    ]
    _, (series,) = read(nights(*([job] for job in nightly)))
    assert series.runs == (0, 3, 4)


def test_the_mean_over_seeds_is_a_series_of_its_own(nights):
    root = nights(*([a_job(f"t-seed-{s}", sequence_accuracy=s / 10) for s in (1, 3)] for _ in range(3)))
    runs = read_runs([str(root)])[0]
    mean = MetricOverSeeds("sequence_accuracy", (0.1, 0.3), 0.2, 0.1, 0.0, 0.4)
    whole = SeedsSummary("t", (1, 3), ("t-seed-1", "t-seed-3"), (), "mean", (mean,))
    parts = replace(whole, absent=("t-seed-3",))
    told = [
        replace(run, report=replace(run.report, seeds=(seeds,)))
        for run, seeds in zip(runs, (whole, parts, whole), strict=True)
    ]
    found = {each.job: (each.runs, each.values) for each in all_series(told)}
    assert found["t, mean of seeds"] == ((0, 2), (0.2, 0.2))
    assert found["t-seed-3"] == ((0, 1, 2), (0.3,) * 3)
