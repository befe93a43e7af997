import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import pytest

from job.reports.plots import curves_svg

SVG = "{http://www.w3.org/2000/svg}"
HEADER = (
    "step,epoch,examples,loss,token_accuracy,sequence_accuracy,learning_rate,gradient_norm,"
    "val_loss,val_token_accuracy,val_sequence_accuracy,seconds"
)
HISTORY = "\n".join(
    [
        HEADER,
        "10,1,1280,3.5,0.1,0.0,0.008,1.0,,,,0.5",
        "20,1,2560,1.5,0.6,0.3,0.004,0.9,1.4,0.7,0.4,0.9",
        "30,2,3840,0.9,0.8,0.6,0.002,0.9,,,,1.4",
        "40,2,5120,0.5,0.9,0.8,0.000,0.9,0.6,0.85,0.7,1.9",
    ]
)
SERIES = [
    "loss",
    "val_loss",
    "token_accuracy",
    "val_token_accuracy",
    "sequence_accuracy",
    "val_sequence_accuracy",
]


def series(svg):
    """Return the ids of the series that an SVG draws -> how many points each has as dots."""
    root = ElementTree.fromstring(svg)
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    return {name: len(list(groups[name].iter(f"{SVG}use"))) for name in SERIES if name in groups}


def texts(svg):
    return {"".join(text.itertext()).strip() for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_draws_every_series_with_its_own_points():
    assert series(curves_svg(HISTORY, title="t")) == {
        name: 2 if name.startswith("val_") else 4 for name in SERIES
    }


def test_texts_are_text():
    found = texts(curves_svg(HISTORY, title="tutorial"))
    assert {"tutorial", "training step", "loss", "accuracy", "loss, training"} <= found
    assert "sequence accuracy, validation" in found


def test_is_described_for_screen_readers():
    root = ElementTree.fromstring(curves_svg(HISTORY, title="a <b> & $c"))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "a <b> & $c"
    assert root.findtext(f"{SVG}desc") == (
        "Curves over training steps: loss ends at 0.5, val loss ends at 0.6, token accuracy ends at 0.9, "
        "val token accuracy ends at 0.85, sequence accuracy ends at 0.8, val sequence accuracy ends at 0.7."
    )


def test_works_with_one_row():
    svg = curves_svg("\n".join(HISTORY.splitlines()[:2]), title="t")
    assert series(svg) == {"loss": 1, "token_accuracy": 1, "sequence_accuracy": 1}


def test_values_that_are_not_finite_are_passed_over():
    lines = [HEADER, "1,1,1,nan,inf,,,,-inf,nan,0.5,1", "2,1,2,2.0,nan,,,,,,,1"]
    assert series(curves_svg("\n".join(lines), title="t")) == {"loss": 1, "val_sequence_accuracy": 1}


def test_a_regression_has_no_panel_of_accuracies():
    svg = curves_svg("step,loss,token_accuracy,val_loss\n1,2.0,,\n2,1.0,,1.5\n", title="t")
    assert series(svg) == {"loss": 2, "val_loss": 1}
    assert "accuracy" not in texts(svg)


def test_many_points_are_a_line_without_dots():
    rows = "\n".join(f"{step},{1 / step}" for step in range(1, 100))
    svg = curves_svg(f"step,loss\n{rows}\n", title="t")
    assert series(svg) == {"loss": 0}


@pytest.mark.parametrize("history", [HEADER, HEADER + "\n1,1,1,nan,,,,,,,,1"])
def test_nothing_to_draw_is_drawn_as_nothing(history):
    svg = curves_svg(history, title="t")
    assert series(svg) == {}
    assert "no values" in svg


def test_gives_the_same_bytes_whatever_the_users_settings():
    once = curves_svg(HISTORY, title="t")
    with matplotlib.rc_context({"svg.hashsalt": "other", "lines.linewidth": 9, "font.size": 30}):
        again = curves_svg(HISTORY, title="t")
    assert once == again
    assert "<dc:date>" not in once


def test_gives_the_same_bytes_in_another_process_without_pyplot():
    code = (
        "import sys; from job.reports.plots import curves_svg;"
        "sys.stdout.write(curves_svg(sys.stdin.read(), title='t'));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=HISTORY, capture_output=True, text=True, check=True
    )
    assert run.stdout == curves_svg(HISTORY, title="t")
