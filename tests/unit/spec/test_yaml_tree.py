from __future__ import annotations

import pytest
import yaml

from job.spec.yaml_tree import Node, parse


def tree(text: str) -> Node:
    root, complaints = parse(text, "jobs.yaml")
    assert not complaints
    return root


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8e-3", 0.008),
        ("1e5", 1e5),
        ("1E+5", 1e5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-0.25", -0.25),
        ("12", 12),
        ("+12", 12),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2024-01-31", "2024-01-31"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("''", ""),
        ("1e5x", "1e5x"),
        ("١٢", "١٢"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = tree(f"key: {text}\n").plain()["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_value_knows_its_line_and_key() -> None:
    root = tree("version: 1\njobs:\n  - name: a\n    model:\n      units:\n        3\n  - [x,\n     y]\n")
    jobs = root.entries["jobs"]
    units = jobs.items[0].entries["model"].entries["units"]
    assert (root.line, root.key) == (1, "")
    assert (jobs.line, jobs.key) == (2, "jobs")
    assert (jobs.items[0].entries["model"].line, jobs.items[0].entries["model"].key) == (4, "jobs[0].model")
    assert (units.line, units.key, units.value) == (5, "jobs[0].model.units", 3)
    assert (jobs.items[1].items[1].line, jobs.items[1].items[1].key) == (8, "jobs[1][1]")


def test_an_alias_stands_where_it_is_used() -> None:
    root = tree("a: &one\n  units: 3\nb: *one\n")
    assert root.plain() == {"a": {"units": 3}, "b": {"units": 3}}
    assert (root.entries["b"].line, root.entries["b"].key) == (3, "b")


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert tree("\ufeffversion: 1\n").plain() == {"version": 1}


def test_many_complaints_of_one_text() -> None:
    root, complaints = parse("a: .nan\nb: 1\nb: 2\nc: !x y\n", "jobs.yaml")
    assert [(complaint.line, complaint.key) for complaint in complaints] == [(1, "a"), (3, "b"), (4, "c")]
    assert [key for key, node in root.entries.items() if node.broken] == ["a", "c"]
    assert root.entries["b"].value == 1


def test_a_merge_key_takes_what_the_mapping_lacks() -> None:
    text = (
        "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\n"
        "one: {<<: *a, y: 3}\nseveral: {w: 0, <<: [*a, *b]}\nnested: {<<: {<<: *b, z: 3}}\n"
    )
    found = tree(text).plain()
    assert found["one"] == {"x": 1, "y": 3}
    assert found["several"] == {"w": 0, "x": 1, "y": 1, "z": 2}
    assert found["nested"] == {"y": 2, "z": 3}


def test_a_merged_value_has_the_line_of_its_anchor_and_the_key_of_its_place() -> None:
    root = tree("a: &a\n  x: 1\nb:\n  <<: *a\n")
    x = root.entries["b"].entries["x"]
    assert (x.line, x.key) == (2, "b.x")


def test_merging_is_that_of_pyyaml() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {y: 5, <<: [*b, *a], w: 3}\n"
    assert tree(text).plain() == yaml.safe_load(text)
