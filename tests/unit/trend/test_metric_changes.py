import pytest
from nightly_runs import a_job, accuracies, noisy, read, validated

from job.trend.metric_changes import (
    band_left_by_last_run,
    changes,
    first_lasting_decline,
    smallest_change,
)
from job.trend.trend_content import change_sentences
from job.trend.trend_verdict import judge_trend


def test_the_first_bad_run_is_the_earliest_lasting_change_for_the_worse(nights):
    both = zip(noisy(20, 0.9), noisy(12, 0.95) + noisy(8, 0.90), strict=True)
    batches = [[a_job("a", sequence_accuracy=a), a_job("b", edit_rate=1 - b)] for a, b in both]
    runs, series = read(nights(*batches))
    change = first_lasting_decline(series)
    assert (change.series.job, change.run, change.worse) == ("b", 12, True)
    text = judge_trend(runs, series).headline
    assert text.startswith(f"first bad run: 13 of 20, {runs[12].path}, finished 2026-03-13T01:00:00+00:00")
    assert text.endswith(f"commit abc: edit rate of b; the run before it is {runs[11].path}")


def test_what_was_made_good_is_no_bad_run(nights):
    values = noisy(12, 0.95) + noisy(12, 0.80) + noisy(12, 0.95)
    runs, series = read(nights(*accuracies(*values)))
    assert [change.worse for change in changes(series[0])] == [True, False]
    assert first_lasting_decline(series) is None
    assert judge_trend(runs, series).headline.startswith("no bad run: no metric of the test got worse")


def test_of_two_steps_down_the_first_one_counts(nights):
    _, series = read(nights(*accuracies(*noisy(12, 0.95), *noisy(12, 0.90), *noisy(12, 0.80))))
    assert first_lasting_decline(series).run == 12


def test_a_change_too_small_to_count_is_listed_but_not_bad(nights):
    runs, series = read(nights(*accuracies(*[0.9500] * 12, *[0.9499] * 12)))
    assert [change.worse for change in changes(series[0])] == [None]
    assert first_lasting_decline(series) is None
    assert "changed, by less than counts from run 13 of 24 on" in next(change_sentences(series[0], runs))


@pytest.mark.parametrize("before", [level / 200 for level in range(2, 201)])
def test_a_drop_of_exactly_the_smallest_that_counts_is_bad(nights, before):
    _, series = read(nights(*accuracies(*[before] * 8, *[before - 0.005] * 8)))
    assert [change.worse for change in changes(series[0])] == [True]
    assert first_lasting_decline(series).run == 8


def test_a_slower_machine_is_listed_but_is_no_bad_run(nights):
    speeds = [{"train_examples_per_second": s} for s in [1000.0] * 12 + [500.0] * 12]
    _, series = read(nights(*([a_job(timings=speed, sequence_accuracy=0.9)] for speed in speeds)))
    assert [each.metric for each in series] == ["sequence_accuracy", "train_examples_per_second"]
    assert [change.worse for change in changes(series[1])] == [True]
    assert first_lasting_decline(series) is None


def test_a_decline_of_validation_is_listed_but_is_no_bad_run(nights):
    values = noisy(12, 0.95) + noisy(8, 0.60)
    runs, series = read(
        nights(*([validated(a_job(sequence_accuracy=0.9), sequence_accuracy=v)] for v in values))
    )
    (change,) = changes(series[1])
    assert (change.worse, change.run) == (True, 12)
    (line,) = change_sentences(series[1], runs)
    assert line.startswith("tutorial: validation sequence accuracy is worse from run 13 of 20 on: 94.9")
    verdict = judge_trend(runs, series)
    assert (verdict.outlook, verdict.exit_code) == ("good", 0)
    assert "no metric of the test got worse" in verdict.headline


def test_a_doubtful_decline_of_validation_makes_no_trend_unproven(nights):
    nightly = (validated(a_job(sequence_accuracy=0.9), edit_rate=v) for v in (0.1, 0.1, 0.1, 0.5))
    runs, series = read(nights(*([job] for job in nightly)))
    assert judge_trend(runs, series).outlook == "good"


def test_a_last_run_outside_the_band_is_listed_before_it_can_be_a_change(nights):
    runs, (series,) = read(nights(*accuracies(*noisy(12, 0.95), 0.80)))
    (line,) = change_sentences(series, runs)
    assert line.startswith("tutorial: sequence accuracy of the last run, 80.00 %, is out of the band")
    start = "not proven: sequence accuracy of tutorial may be worse from run 13"
    assert judge_trend(runs, [series]).headline.startswith(start)


def test_the_band_that_a_last_run_left_is_within_the_possible_range(nights):
    _, (series,) = read(nights(*([a_job(edit_rate=v)] for v in (0.0, 0.01, 0.0, 0.02, 0.01, 0.01, 0.5))))
    low, high = band_left_by_last_run(series)
    assert (low, high) == (0.0, pytest.approx(0.0412, abs=1e-4))


@pytest.mark.parametrize("last", [0.951, 1.0])
def test_a_last_run_within_the_band_or_better_is_not(nights, last):
    runs, (series,) = read(nights(*accuracies(*noisy(12, 0.95), last)))
    assert [*change_sentences(series, runs)] == []


@pytest.mark.parametrize(
    ("metric", "before", "smallest"),
    [("sequence_accuracy", 0.5, 0.005), ("bleu", 20, 0.5), ("rmse", 80, 0.4), ("train_seconds", 8, 0.8)],
)
def test_the_smallest_change_that_counts_depends_on_the_unit(metric, before, smallest):
    assert smallest_change(metric, before) == pytest.approx(smallest)
