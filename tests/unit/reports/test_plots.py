import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import pytest
from sample_results import SHORT, TUTORIAL

from job.reports.accuracy_plot import accuracy_svg, has_profile
from job.reports.attention_plot import attention_svg
from job.reports.contexts_plot import contexts_svg
from job.reports.curves_plot import curves_svg
from job.reports.plots import write_plots
from job.storage.artifacts import JobPaths

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


def groups(svg, names):
    """Return the number of dots of each group in an SVG, for groups with one of these ids."""
    root = ElementTree.fromstring(svg)
    found = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    return {name: len(list(found[name].iter(f"{SVG}use"))) for name in names if name in found}


def series(svg):
    return groups(svg, SERIES)


def texts(svg):
    return {"".join(text.itertext()).strip() for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_every_series_is_drawn_with_its_points():
    assert series(curves_svg(HISTORY, title="t")) == {
        name: 2 if name.startswith("val_") else 4 for name in SERIES
    }


def test_texts_are_text_elements():
    found = texts(curves_svg(HISTORY, title="tutorial"))
    assert {"tutorial", "training step", "loss", "accuracy", "loss, training"} <= found
    assert "sequence accuracy, validation" in found


def test_curves_have_a_description_for_screen_readers():
    root = ElementTree.fromstring(curves_svg(HISTORY, title="a <b> & $c"))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "a <b> & $c"
    assert root.findtext(f"{SVG}desc") == (
        "Curves over training steps: loss ends at 0.5, val loss ends at 0.6, token accuracy ends at 0.9, "
        "val token accuracy ends at 0.85, sequence accuracy ends at 0.8, val sequence accuracy ends at 0.7."
    )


def test_a_history_of_one_row():
    svg = curves_svg("\n".join(HISTORY.splitlines()[:2]), title="t")
    assert series(svg) == {"loss": 1, "token_accuracy": 1, "sequence_accuracy": 1}


def test_values_that_are_not_finite_are_skipped():
    lines = [HEADER, "1,1,1,nan,inf,,,,-inf,nan,0.5,1", "2,1,2,2.0,nan,,,,,,,1"]
    assert series(curves_svg("\n".join(lines), title="t")) == {"loss": 1, "val_sequence_accuracy": 1}


def test_a_job_without_accuracies_has_one_panel():
    svg = curves_svg("step,loss,token_accuracy,val_loss\n1,2.0,,\n2,1.0,,1.5\n", title="t")
    assert series(svg) == {"loss": 2, "val_loss": 1}
    assert "accuracy" not in texts(svg)


def test_many_points_are_a_line_without_dots():
    rows = "\n".join(f"{step},{1 / step}" for step in range(1, 100))
    svg = curves_svg(f"step,loss\n{rows}\n", title="t")
    assert series(svg) == {"loss": 0}


@pytest.mark.parametrize("history", [HEADER, HEADER + "\n1,1,1,nan,,,,,,,,1"])
def test_a_history_without_values_is_an_empty_drawing(history):
    svg = curves_svg(history, title="t")
    assert series(svg) == {}
    assert "no values" in svg


# --- accuracy -----------------------------------------------------------------------------------------------


def analysis(positions, lengths):
    return {
        "by_position": [{"position": i, "count": 100 - i, "accuracy": a} for i, a in enumerate(positions)],
        "by_source_length": [{"length": n, "count": 10, "accuracy": a} for n, a in lengths.items()],
    }


def test_accuracy_has_panels_by_position_and_by_length():
    svg = accuracy_svg(analysis([1.0, 0.5, 0.25], {3: 1.0, 7: 0.999}), title="sums: accuracy")
    assert groups(svg, {"by_position", "by_source_length"}) == {"by_position": 3, "by_source_length": 2}
    assert {"sums: accuracy", "position in the target", "tokens of the source", "tokens right"} <= texts(svg)
    assert ElementTree.fromstring(svg).findtext(f"{SVG}desc") == (
        "Accuracy by position in the target, 1 to 3: best 100.00 % at 1, worst 25.00 % at 3. "
        "Accuracy by tokens of the source, 3 to 7: best 100.00 % at 3, worst 99.90 % at 7."
    )


@pytest.mark.parametrize(
    ("found", "panels"),
    [
        (analysis([1.0, 0.5], {6: 0.5}), {"by_position"}),
        (analysis([1.0], {3: 0.5, 4: 0.5}), {"by_source_length"}),
        (analysis([1.0], {6: 0.5}), set()),
        (analysis([], {1: 0.5}), set()),
        ({}, set()),
    ],
)
def test_accuracy_with_a_single_value_is_not_drawn(found, panels):
    assert has_profile(found) == bool(panels)
    if panels:
        svg = accuracy_svg(found, title="t")
        assert groups(svg, {"by_position", "by_source_length"}).keys() == panels


# --- contexts -----------------------------------------------------------------------------------------------


def on_plane(labels):
    return {
        "ids": [str(i) for i in range(len(labels))],
        "states": ["h1"],
        "explained": [0.75, 0.125],
        "label": "first element",
        "labels": labels,
        "coordinates": [[float(i), float(i % 3)] for i in range(len(labels))],
    }


def test_contexts_are_points_coloured_by_their_label():
    svg = contexts_svg(on_plane([2, 1, 2, 5]), title="copy: contexts")
    expected = {"label-1": 1, "label-2": 2, "label-5": 1}
    assert groups(svg, expected) == expected
    assert {"first element", "1 (1)", "2 (2)", "75.00 % of the variance", "12.50 % of the variance"} <= texts(
        svg
    )
    assert ElementTree.fromstring(svg).findtext(f"{SVG}desc") == (
        "Context vectors of 4 test sources on their first two principal components, coloured by first "
        "element, 1-5."
    )


def test_many_labels_are_grouped_into_eight_colours():
    svg = contexts_svg(on_plane([i % 50 + 1 for i in range(1000)]), title="t")
    assert len(re.findall('id="label-', svg)) == 8
    assert groups(svg, {"label-1-7", "label-50"}) == {"label-1-7": 140, "label-50": 20}
    assert len(svg) < 300_000


def test_one_source_and_one_label_are_drawn():
    assert groups(contexts_svg(on_plane([3]), title="t"), {"label-3"}) == {"label-3": 1}


# --- all of them --------------------------------------------------------------------------------------------

DRAWN = {
    "curves": lambda: curves_svg(HISTORY, title="t"),
    "accuracy": lambda: accuracy_svg(analysis([1.0, 0.5], {1: 0.5, 2: 1.0}), title="t"),
    "contexts": lambda: contexts_svg(on_plane([1, 2, 3] * 30), title="t"),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_the_users_settings_do_not_change_the_bytes(kind):
    once = DRAWN[kind]()
    with matplotlib.rc_context({"svg.hashsalt": "other", "lines.linewidth": 9, "font.size": 30}):
        again = DRAWN[kind]()
    assert once == again
    assert "<dc:date>" not in once


@pytest.mark.parametrize("kind", DRAWN)
def test_drawings_have_a_description(kind):
    root = ElementTree.fromstring(DRAWN[kind]())
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "t"
    assert len(root.findtext(f"{SVG}desc")) > 20


@pytest.mark.parametrize("title", ["日本語 नमस्ते مرحبا 🙂", "a\x00b\ud800", "$x^$ _a"])
def test_any_title_is_drawn_without_warnings(title):
    root = ElementTree.fromstring(curves_svg(HISTORY, title=title))
    assert root.findtext(f"{SVG}title") == title.replace("\x00", "␀").replace("\ud800", "\ufffd")


# --- a job's files ------------------------------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path):
    paths = JobPaths(tmp_path)
    paths.history.write_text(HISTORY, "utf-8")
    return paths


def drawn(paths):
    return {path.name: path.read_text("utf-8") for path in paths.directory.glob("*.svg")}


def test_a_job_with_all_results_has_all_drawings(paths):
    paths.contexts.write_text(json.dumps(on_plane([1, 2])), "utf-8")
    write_plots(paths, TUTORIAL)
    assert drawn(paths) == {
        "curves.svg": curves_svg(HISTORY, title="tutorial"),
        "accuracy.svg": accuracy_svg(TUTORIAL.analysis, title="tutorial: accuracy"),
        "attention.svg": attention_svg(TUTORIAL.attention, [True, False], title="tutorial: attention"),
        "contexts.svg": contexts_svg(on_plane([1, 2]), title="tutorial: contexts"),
    }


def test_a_job_without_analysis_has_its_curves(paths):
    write_plots(paths, SHORT)
    assert drawn(paths).keys() == {"curves.svg"}


def test_contexts_left_by_another_job_are_not_drawn(paths):
    paths.contexts.write_text(json.dumps(on_plane([1, 2])), "utf-8")
    write_plots(paths, SHORT)
    assert drawn(paths).keys() == {"curves.svg"}


def test_a_new_process_draws_the_same_bytes_without_pyplot(paths):
    paths.contexts.write_text(json.dumps(on_plane([1, 2])), "utf-8")
    write_plots(paths, TUTORIAL)
    before = drawn(paths)
    code = (
        "import sys; from pathlib import Path; from job.storage.artifacts import JobPaths;"
        "from job.reports.plots import write_plots; from job.results.job_result import JobResult;"
        "write_plots(JobPaths(Path(sys.argv[1])), JobResult.from_json(sys.stdin.read()));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(paths.directory)]
    subprocess.run(command, input=TUTORIAL.to_json(), text=True, check=True)
    assert drawn(paths) == before
