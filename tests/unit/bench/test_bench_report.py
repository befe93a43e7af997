import io
import json

from rich.console import Console

from benchmarks.comparison import OWN, Outcome
from benchmarks.parts import fitted
from benchmarks.report import as_json, print_report, write_plot

OUTCOMES = [
    Outcome(number=1, text="rate", bound=1.5, at_least=True, value=2.0),
    Outcome(number=4, text="memory", bound=700, at_least=False, value=812.25),
    Outcome(number=5, text="fixed cost", bound=1.5, at_least=False, value=None),
]


def parts():
    row = {
        "runs": 3,
        "examples": 50_000,
        "fit_seconds": 4.0,
        "examples_per_second": 20_000.0,
        "greedy_per_second": 30_000.0,
        "beam_per_second": None,
        "peak_tree_rss_bytes": 500e6,
        "wall_seconds": 9.0,
        "sequence_accuracy": 0.9991,
    }
    slow = {**row, "sequence_accuracy": 0.98}
    points = [{"x": x, "seconds": x / 50, "floor_seconds": x / 100} for x in (10, 100)]
    return {
        "peers": {"tutorial": {OWN: row, "PyTorch": slow}},
        "series": {
            "rates": {"flops": 1e11, "bytes": 1e10},
            "length": fitted(points, "seconds", "floor_seconds"),
        },
    }


def printed():
    text = io.StringIO()
    print_report(parts(), OUTCOMES, Console(file=text, width=120))
    return text.getvalue()


def line_of(word):
    return next(line.split() for line in printed().splitlines() if line.strip().startswith(word))


def test_rows_are_scaled_and_what_is_missing_is_a_dash():
    assert line_of(OWN) == [OWN, "4.0", "8", "20,000", "30,000", "-", "500", "9.0", "9.0"]


def test_a_model_that_did_not_learn_has_no_time_to_accuracy():
    assert line_of("PyTorch")[-2:] == ["not", "reached"]


def test_series_shows_slopes_and_distance_from_the_floor():
    assert "length: slope 1.00, of the floor 1.00" in printed()
    assert line_of("100 ") == ["100", "2", "1", "2.0"]


def test_every_target_has_its_figure_and_verdict():
    assert line_of("1 ") == ["1", "rate", "2.000", "at", "least", "1.5", "met"]
    assert line_of("4 ") == ["4", "memory", "812.250", "at", "most", "700", "MISSED"]
    assert line_of("5 ")[-2:] == ["not", "measured"]


def test_json_holds_all_that_was_measured():
    record = json.loads(json.dumps(as_json(parts(), OUTCOMES, quick=False)))
    assert record["parts"] == parts()
    assert [target["met"] for target in record["targets"]] == [True, False, None]
    assert record["versions"]["tensorflow"]


def test_plot_is_drawn(tmp_path):
    write_plot(parts(), tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert text.count('id="axes_') == 2


def test_without_rates_or_series_there_is_no_plot(tmp_path):
    write_plot({"tutorial": {}}, tmp_path / "plot.svg")
    assert not (tmp_path / "plot.svg").exists()
