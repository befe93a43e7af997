import io
import re

from nightly_runs import a_job, noisy, read, validated
from rich.console import Console

from job.trend.trend_table import print_trend
from job.trend.trend_verdict import judge_trend


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


def test_the_band_in_the_table_is_within_the_possible_range(nights):
    runs, series = read(nights(*([a_job(sequence_accuracy=v)] for v in (0.95, 1.0, 0.98, 0.95, 1.0, 0.98))))
    console = Console(width=80, record=True, file=io.StringIO())
    print_trend(runs, series, console)
    assert re.search(r" 87.86 % to 100.00 %", console.export_text())


def test_validation_has_rows_of_its_own(nights):
    job = validated(a_job(sequence_accuracy=0.9), sequence_accuracy=0.75, bleu=31.5)
    runs, series = read(nights([job]))
    console = Console(width=80, record=True, file=io.StringIO())
    print_trend(runs, series, console)
    text = console.export_text()
    assert re.search(r"tutorial +validation sequence accuracy +1 +75.00 % +75.00 %", text)
    assert re.search(r"tutorial +validation bleu +1 +31.50 +31.50", text)


def test_metrics_of_a_job_that_may_be_worse_since_the_same_run_are_one_doubt(nights):
    values = [dict.fromkeys(("sequence_accuracy", "token_accuracy"), value) for value in (0.9, 0.5)]
    runs, series = read(nights(*([a_job("a", **each), a_job("b", **each)] for each in values)))
    found = judge_trend(runs, series)
    texts = [found.headline, *found.details]
    assert len(texts) == 2
    for name in "ab":
        (text,) = (
            text for text in texts if f"sequence accuracy of {name} may be worse from run 2 of 2" in text
        )
        assert "too few to tell it from chance; so may another of its metrics" in text
