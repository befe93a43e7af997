import re
from dataclasses import replace

import pytest
from nightly_runs import a_job, noisy, read, validated

from job.results.job_result import JobResult
from job.trend.trend_chart import report_link, trend_chart
from job.trend.trend_page import trend_page


def test_the_page_draws_every_metric_and_loads_nothing(nights):
    jobs = [[a_job("b", sequence_accuracy=v, edit_rate=1 - v)] for v in noisy(12, 0.95) + noisy(8, 0.9)]
    runs, series = read(nights(*jobs))
    text = trend_page(runs, [replace(each, job="<b>") for each in series])
    assert re.findall("<figcaption>(.*?)</figcaption>", text) == ["sequence accuracy", "edit rate"]
    assert 'aria-label="sequence accuracy of &lt;b&gt; over 20 runs: ' in text
    assert "<img" not in text
    assert "<script" not in text
    assert "<summary><h2>&lt;b&gt;</h2>" in text
    assert text.count(", worse from here</th>") == 1
    assert '>first bad run: 13 of 20<span class="comma">, </span><span class="rest">' in text
    assert text.index("first bad run: 13 of 20") < text.index("<main>")


def test_a_chart_has_dates_and_a_mark_a_run_that_links_to_its_report(nights):
    runs, (series,) = read(nights(*([a_job(sequence_accuracy=v)] for v in (0.5, 0.6, 0.7, 0.9))))
    runs[3].path.with_name("report.html").write_text("")
    chart = trend_chart(series, runs, [report_link(run, runs[0].path.parent) for run in runs])
    assert [text for _, text in chart.dates] == ["2026-03-01", "2026-03-03", "2026-03-04"]
    assert [point.link for point in chart.points] == [
        *("report.json", "../night-02/report.json", "../night-03/report.json", "../night-04/report.html")
    ]
    xs = [point.x for point in chart.points]
    assert xs[1] - xs[0] == pytest.approx(xs[3] - xs[2], abs=0.2)  # a night apart
    assert [point.y for point in chart.points] == sorted((point.y for point in chart.points), reverse=True)
    assert chart.points[0].text == "2026-03-01, 50.00 %"
    assert (chart.low, chart.high) == ("50.00 %", "90.00 %")  # too few runs for a band
    assert not any(point.bad for point in chart.points)


def test_runs_in_which_the_job_failed_are_red_with_or_without_a_value(nights):
    failed = JobResult("tutorial", "failed", "f" * 64, 7, {})
    gate = replace(a_job(sequence_accuracy=0.2), status="gate_failed")
    runs, (series,) = read(nights([a_job(sequence_accuracy=0.9)], [failed], [gate]))
    points = trend_chart(series, runs, [report_link(run, runs[0].path.parent) for run in runs]).points
    assert [(point.bad, point.measured) for point in points] == [(False, True), (True, False), (True, True)]
    assert [point.text for point in points[1:]] == ["2026-03-02, failed", "2026-03-03, 20.00 %, gate failed"]
    text = trend_page(runs, [series])
    assert text.count('class="bad"') == 2
    assert "<title>2026-03-02, failed</title>" in text


@pytest.mark.parametrize(
    ("metric", "values", "band"),
    [
        ("sequence_accuracy", (0.2, 0.8, 0.2, 0.8, 0.2, 0.8), (0.0, 1.0)),
        ("sequence_accuracy", (0.99, 1.0, 0.98, 0.99, 1.0, 0.98), (0.951046, 1.0)),
        ("sequence_accuracy", (0.99, 1.0, 0.98, 0.99), (None, None)),
        ("edit_rate", (0.5, 1.0, 0.5, 1.0, 0.5, 1.0), (0.0, 1.942724)),
        ("bleu", (10.0, 90.0, 10.0, 90.0, 10.0, 90.0), (0.0, 100.0)),
        ("train_seconds", (1.0, 3.0, 1.0, 3.0, 1.0, 3.0), (0.0, 6.770896)),
    ],
)
def test_a_band_is_within_the_possible_range_of_its_metric(nights, metric, values, band):
    _, (series,) = read(nights(*([a_job(**{metric: value})] for value in values)))
    (level,) = series.levels
    assert (level.low, level.high) == pytest.approx(band, abs=1e-5)


def test_a_single_run_has_no_band(nights):
    _, (series,) = read(nights([a_job(sequence_accuracy=0.5)]))
    assert (series.levels[0].low, series.levels[0].high) == (None, None)


def test_validation_has_charts_and_values_and_marks_no_run_as_bad(nights):
    values = noisy(12, 0.95) + noisy(8, 0.60)
    runs, series = read(
        nights(*([validated(a_job(sequence_accuracy=0.9), sequence_accuracy=v)] for v in values))
    )
    text = trend_page(runs, series)
    titles = ["sequence accuracy", "validation sequence accuracy"]
    assert re.findall("<figcaption>(.*?)</figcaption>", text) == titles
    assert 'data-label="validation sequence accuracy">60.' in text
    assert "validation sequence accuracy is worse from run 13 of 20 on" in text
    assert "worse from here" not in text
    assert '<header class="verdict good">' in text


def test_a_value_has_no_unit_that_its_column_has(nights):
    runs, series = read(
        nights([a_job(timings={"train_examples_per_second": 12345.0}, sequence_accuracy=0.9)])
    )
    text = trend_page(runs, series)
    assert 'data-label="train examples per second">12,345</td>' in text
    assert 'data-label="sequence accuracy">90.00 %</td>' in text
