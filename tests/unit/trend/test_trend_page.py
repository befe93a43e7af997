from dataclasses import replace

from nightly_runs import a_job, noisy, read

from job.trend.trend_page import trend_page


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
