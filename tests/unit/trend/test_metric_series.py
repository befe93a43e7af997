from dataclasses import replace

from nightly_runs import a_job, read, validated

from job.results.batch_report import MetricOverSeeds, SeedsSummary
from job.trend.metric_series import all_series, uncounted_runs
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


def test_a_result_counts_for_the_first_run_that_reports_it_even_if_that_has_reused_it(nights):
    """The report of a run that is repeated, or resumed, takes the place of the first one."""
    root = nights(
        [a_job(sequence_accuracy=0.5, reused=True)],
        [a_job(sequence_accuracy=0.6, timings={"train_seconds": 2.0})],
        [a_job(sequence_accuracy=0.6, timings={"train_seconds": 2.0}, reused=True)],
    )
    runs, (series, _) = read(root)
    assert (series.runs, series.values) == ((0, 1), (0.5, 0.6))
    assert uncounted_runs(runs) == {
        "tutorial": "tutorial: 1 of 3 runs do not count for it: 1 that reused an earlier result"
    }


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


def test_the_mean_of_validation_over_seeds_is_a_series_too(nights):
    jobs = [validated(a_job(f"t-seed-{s}", sequence_accuracy=0.9), sequence_accuracy=s / 10) for s in (1, 3)]
    (run,) = read_runs([str(nights(jobs))])[0]
    test = MetricOverSeeds("sequence_accuracy", (0.9, 0.9), 0.9, 0.0, 0.9, 0.9)
    mean = MetricOverSeeds("sequence_accuracy", (0.1, 0.3), 0.2, 0.1, 0.0, 0.4)
    names = tuple(job.name for job in jobs)
    seeds = SeedsSummary("t", (1, 3), names, (), "mean", (test,), validation=(mean,))
    found = {
        (each.job, each.metric): each.values
        for each in all_series([replace(run, report=replace(run.report, seeds=(seeds,)))])
    }
    assert found["t, mean of seeds", "sequence_accuracy"] == (0.9,)
    assert found["t, mean of seeds", "validation.sequence_accuracy"] == (0.2,)
    assert found["t-seed-3", "validation.sequence_accuracy"] == (0.3,)


def test_metrics_of_validation_follow_those_of_the_test_and_precede_timings(nights):
    job = a_job(timings={"train_seconds": 3.0}, sequence_accuracy=0.9, edit_rate=0.1)
    _, series = read(nights([validated(job, sequence_accuracy=0.8, edit_rate=0.2)]))
    assert [(each.metric, each.values) for each in series] == [
        ("sequence_accuracy", (0.9,)),
        ("edit_rate", (0.1,)),
        ("validation.sequence_accuracy", (0.8,)),
        ("validation.edit_rate", (0.2,)),
        ("train_seconds", (3.0,)),
    ]
    assert [each.judged for each in series] == [True, True, False, False, False]


def test_validation_continues_only_with_its_own_examples(nights):
    """New training data leave a test of its own as it is, but not validation examples split from them."""
    nightly = [
        validated(
            replace(a_job(problem=problem, sequence_accuracy=0.9), test_fingerprint="t"),
            sequence_accuracy=0.8,
            fingerprint=fingerprint,
        )
        for problem, fingerprint in [("p1", "v1"), ("p1", ""), ("p2", "v2"), ("p3", "v2")]
    ]
    runs, series = read(nights(*([job] for job in nightly)))
    found = {each.metric: each.runs for each in series}
    assert found == {"sequence_accuracy": (0, 1, 2, 3), "validation.sequence_accuracy": (2, 3)}
    assert uncounted_runs(runs) == {
        "tutorial": "tutorial: 2 of 4 runs do not count for its validation metrics: 2 of other validation "
        "examples"
    }


def test_bleu_of_validation_continues_only_if_it_splits_texts_in_the_same_way(nights):
    raw, split = ({"bleu": f"nrefs:1|tok:{tokens}|version:2"} for tokens in ("13a", "none"))
    nightly = [
        validated(a_job(sequence_accuracy=0.9), signatures=signatures, bleu=30.0, chrf=50.0)
        for signatures in (split, raw, split, raw)
    ]
    _, series = read(nights(*([job] for job in nightly)))
    found = {each.metric: each.runs for each in series}
    assert found["validation.bleu"] == (1, 3)
    assert found["validation.chrf"] == (0, 1, 2, 3)
