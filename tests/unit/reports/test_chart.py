import re
from xml.etree import ElementTree

import pytest

from job.reports.chart import Chart, Series, charts_svg

SVG = "{http://www.w3.org/2000/svg}"
RISING = Series(id="rising", label="up", points=[(0, 0.0), (1, 0.25), (2, 1.0)], colour="#123456", radius=3)
FALLING = Series(id="falling", label="down", points=[(0, 1.0), (2, 0.0)], colour="#654321", line="dashed")


def drawn(*charts):
    return ElementTree.fromstring(charts_svg(charts, width=400, height=300, title="t", description="d"))


def group(root, name):
    return next(each for each in root.iter(f"{SVG}g") if each.get("id") == name)


def dots(root, name):
    return [(float(dot.get("cx")), float(dot.get("cy"))) for dot in group(root, name).iter(f"{SVG}circle")]


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def test_points_are_where_their_values_are():
    (left, bottom), (middle, quarter), (right, top) = dots(
        drawn(Chart(series=[RISING], x_label="x", y_label="y")), "rising"
    )
    assert 0 < left < middle < right < 400
    assert 0 < top < quarter < bottom < 300
    assert middle - left == pytest.approx(right - middle, abs=0.02)
    assert bottom - quarter == pytest.approx((bottom - top) / 4, abs=0.02)


def test_a_point_is_beside_the_tick_of_its_value():
    root = drawn(Chart(series=[RISING], x_label="x"))
    labels = {text.text: text for text in root.iter(f"{SVG}text")}
    left = dots(root, "rising")[0][0]
    assert float(next(text for text in root.iter(f"{SVG}text") if text.text == "0.0").get("x")) == left
    assert float(labels["0.4"].get("y")) < float(labels["0.2"].get("y"))


def test_a_line_connects_the_points_and_may_be_dashed_or_missing():
    scattered = Series(id="scattered", label="s", points=[(1, 1)], colour="#000", line="none", radius=1)
    root = drawn(Chart(series=[RISING, FALLING, scattered], x_label="x"))
    (line,) = group(root, "rising").iter(f"{SVG}path")
    assert re.findall(r"[\d.]+ [\d.]+", line.get("d")) == [f"{x:g} {y:g}" for x, y in dots(root, "rising")]
    assert line.get("stroke-dasharray") is None
    (line,) = group(root, "falling").iter(f"{SVG}path")
    assert line.get("stroke-dasharray")
    assert dots(root, "falling") == []
    assert [*group(root, "scattered").iter(f"{SVG}path")] == []


def test_bars_stand_on_zero_behind_the_line():
    bars = [(0, 0.5), (1, 1.0), (2, 0.25)]
    chart = Chart(series=[RISING], x_label="x", bars=bars, bars_label="share", y_limits=(-0.1, 1.1))
    root = drawn(chart)
    found = [rect for rect in root.iter(f"{SVG}rect") if rect.get("fill") == "#d9d9d9"][:3]
    heights = [float(rect.get("height")) for rect in found]
    assert heights == pytest.approx([heights[1] / 2, heights[1], heights[1] / 4], abs=0.02)
    feet = [float(rect.get("y")) + float(rect.get("height")) for rect in found]
    assert feet == pytest.approx([dots(root, "rising")[0][1]] * 3, abs=0.02)
    assert "share" in texts(root)


def test_charts_are_side_by_side_with_their_names_and_legends():
    root = drawn(
        Chart(series=[RISING, FALLING], x_label="first x", y_label="first y"),
        Chart(series=[FALLING], x_label="second x"),
    )
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("800", "300", "0 0 800 300")
    assert {"t", "first x", "first y", "second x", "up", "down"} <= {*texts(root)}
    assert texts(root).count("down") == 2


def test_a_legend_with_a_title_is_on_the_right_of_the_points():
    beside = drawn(Chart(series=[RISING], x_label="x", legend="kind"))
    above = drawn(Chart(series=[RISING], x_label="x"))
    place = next(float(text.get("x")) for text in beside.iter(f"{SVG}text") if text.text == "kind")
    assert max(x for x, _ in dots(beside, "rising")) < place < 400
    assert max(x for x, _ in dots(above, "rising")) > place


def test_a_chart_without_points_has_axes():
    root = drawn(Chart(series=[], x_label="x", y_label="y"))
    assert {"x", "y", "0.0"} <= {*texts(root)}
    assert [*root.iter(f"{SVG}circle")] == []
