"""Reports of many runs -> series, the first bad run, lines and the page."""

import io
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from rich.console import Console

from job.errors import InputError
from job.gating.batch_verdict import decide
from job.reports.report_files import build_report
from job.results.records import JobResult, MetricOverSeeds, SeedsSummary
from job.trend.metric_series import all_series, changes, first_bad, least, read_runs
from job.trend.trend_lines import lines, print_trend, verdict
from job.trend.trend_page import trend_page

START = datetime(2026, 3, 1, 1, 0, tzinfo=timezone.utc)


def a_job(name="tutorial", problem="p1", reused=False, commit="abc", timings=None, **metrics):
    return JobResult(
        name,
        "passed",
        "f" * 64,
        7,
        {},
        metrics=metrics,
        timings=timings or {},
        environment={"git_commit": commit},
        problem_fingerprint=problem,
        reused=reused,
    )


@pytest.fixture
def nights(tmp_path):
    """Write the report of one night after the other."""

    def write(*batches, names=None):
        for number, jobs in enumerate(batches):
            directory = tmp_path / (names[number] if names else f"night-{number + 1:02d}")
            directory.mkdir()
            at = START + timedelta(days=number)
            report = build_report(jobs, started_at=at, finished_at=at, verdict=decide([], jobs))
            (directory / "report.json").write_text(report.to_json())
        return tmp_path

    return write


def accuracies(*values):
    return [[a_job(sequence_accuracy=value)] for value in values]


def read(place):
    runs, complaints = read_runs([str(place)])
    assert complaints == []
    return runs, all_series(runs)


def noisy(count, level):
    return [level + 0.001 * (i * 7 % 5 - 2) for i in range(count)]


def test_runs_come_in_the_order_of_time_whatever_they_are_called(nights):
    root = nights(*accuracies(0.1, 0.2, 0.3), names=["c", "a", "b"])
    runs, (series,) = read(root)
    assert [run.path.parent.name for run in runs] == ["c", "a", "b"]
    assert series.values == (0.1, 0.2, 0.3)
    assert series.runs == (0, 1, 2)
    assert runs[0].commit == "abc"


def test_places_may_be_files_directories_and_globs_and_overlap(nights):
    root = nights(*accuracies(0.1, 0.2, 0.3))
    file = str(root / "night-03" / "report.json")
    for places in ([str(root)], [str(root / "night-*")], [str(root / "*" / "report.json"), file, str(root)]):
        assert len(read_runs(places)[0]) == 3
    assert [run.path for run in read_runs([file])[0]] == [root / "night-03" / "report.json"]


def test_a_place_without_a_report_is_an_error_that_names_it(tmp_path):
    for place in (tmp_path, tmp_path / "gone", tmp_path / "*.json"):
        with pytest.raises(InputError, match=re.escape(f"{place}: expected a report.json")):
            read_runs([str(place)])


def test_a_report_that_cannot_be_read_is_left_out_and_said(nights):
    root = nights(*accuracies(0.1, 0.2))
    (root / "night-01" / "report.json").write_text("{")
    runs, complaints = read_runs([str(root)])
    assert len(runs) == 1
    assert str(complaints[0]).startswith(f"{root / 'night-01' / 'report.json'}: left out: ")
    (root / "night-02" / "report.json").write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match="no report can be read"):
        read_runs([str(root)])


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


def test_what_was_asked_before_the_problem_changed_is_not_compared(nights):
    old, new = a_job(problem="p1", sequence_accuracy=0.9), a_job(problem="p2", sequence_accuracy=0.5)
    unnamed = a_job(problem="", sequence_accuracy=0.4)
    _, (series,) = read(nights([old], [unnamed], [new], [new]))
    assert series.runs == (1, 2, 3)


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


def test_the_first_bad_run_is_the_earliest_lasting_change_for_the_worse(nights):
    both = zip(noisy(20, 0.9), noisy(12, 0.95) + noisy(8, 0.90), strict=True)
    batches = [[a_job("a", sequence_accuracy=a), a_job("b", edit_rate=1 - b)] for a, b in both]
    runs, series = read(nights(*batches))
    change = first_bad(series)
    assert (change.series.job, change.run, change.worse) == ("b", 12, True)
    text = verdict(runs, series)
    assert text.startswith(f"first bad run: 13 of 20, {runs[12].path}, finished 2026-03-13T01:00:00+00:00")
    assert text.endswith(f"commit abc: edit rate of b; the run before it is {runs[11].path}")


def test_what_was_made_good_is_no_bad_run(nights):
    values = noisy(12, 0.95) + noisy(12, 0.80) + noisy(12, 0.95)
    runs, series = read(nights(*accuracies(*values)))
    assert [change.worse for change in changes(series[0])] == [True, False]
    assert first_bad(series) is None
    assert verdict(runs, series) == "no bad run: no metric got worse for good over 36 runs"


def test_of_two_steps_down_the_first_one_counts(nights):
    _, series = read(nights(*accuracies(*noisy(12, 0.95), *noisy(12, 0.90), *noisy(12, 0.80))))
    assert first_bad(series).run == 12


def test_a_change_too_small_to_count_is_told_but_not_bad(nights):
    runs, series = read(nights(*accuracies(*[0.9500] * 12, *[0.9499] * 12)))
    assert [change.worse for change in changes(series[0])] == [None]
    assert first_bad(series) is None
    assert "changed, by less than counts from run 13 of 24 on" in next(lines(series[0], runs))


def test_a_slower_machine_is_told_but_is_no_bad_run(nights):
    speeds = [{"train_examples_per_second": s} for s in [1000.0] * 12 + [500.0] * 12]
    _, series = read(nights(*([a_job(timings=speed, sequence_accuracy=0.9)] for speed in speeds)))
    assert [each.metric for each in series] == ["sequence_accuracy", "train_examples_per_second"]
    assert [change.worse for change in changes(series[1])] == [True]
    assert first_bad(series) is None


def test_a_last_run_out_of_the_band_is_told_before_it_can_be_a_change(nights):
    runs, (series,) = read(nights(*accuracies(*noisy(12, 0.95), 0.80)))
    (line,) = lines(series, runs)
    assert line.startswith("tutorial: sequence accuracy of the last run, 80.00 %, is out of the band")
    start = "not proven: sequence accuracy of tutorial may be worse from run 13"
    assert verdict(runs, [series]).startswith(start)


@pytest.mark.parametrize("last", [0.951, 1.0])
def test_a_last_run_within_the_band_or_better_is_not(nights, last):
    runs, (series,) = read(nights(*accuracies(*noisy(12, 0.95), last)))
    assert [*lines(series, runs)] == []


@pytest.mark.parametrize(
    ("metric", "before", "smallest"),
    [("sequence_accuracy", 0.5, 0.005), ("bleu", 20, 0.5), ("rmse", 80, 0.4), ("train_seconds", 8, 0.8)],
)
def test_the_least_change_that_counts_goes_by_the_unit(metric, before, smallest):
    assert least(metric, before) == pytest.approx(smallest)


def test_the_table_fits_on_eighty_columns_and_the_verdict_comes_last(nights):
    speed = {"decoded_sequences_per_second": 123456.0}
    jobs = [[a_job(sequence_accuracy=v, timings=speed)] for v in noisy(12, 0.95) + noisy(8, 0.9)]
    runs, series = read(nights(*jobs))
    console = Console(width=80, record=True, file=io.StringIO())
    print_trend(runs, series, console)
    text = console.export_text()
    assert re.search(r"tutorial +sequence accuracy +20 +90.20 % +90.00 % +± 0.\d+ % +run 13", text)
    assert re.search(r"tutorial +decoded sequences per second +20 +123,456 +123,456 +± 0\b", text)
    assert text.rstrip().splitlines()[-1].startswith("first bad run: 13 of 20")


def test_the_page_draws_every_metric_and_loads_nothing(nights):
    jobs = [[a_job("b", sequence_accuracy=v, edit_rate=1 - v)] for v in noisy(12, 0.95) + noisy(8, 0.9)]
    runs, series = read(nights(*jobs))
    text = trend_page(runs, [replace(each, job="<b>") for each in series])
    assert text.count("<img ") == 1
    assert 'alt="&lt;b&gt;: 2 metrics over 20 runs. ' in text
    assert "<script" not in text
    assert "<h2>&lt;b&gt;</h2>" in text
    assert text.count(", first bad one</th>") == 1
    assert text.index("first bad run: 13 of 20") < text.index("<main>")
