"""Specs with wrong keys, names or matrices, and the place and a part of every complaint."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_frames import (
    GOOD,
    HEAD,
    PROBLEM,
    Expected,
    check_complaints,
    complaints_of,
    with_defaults,
    with_matrix,
    with_section,
)

from job.spec.spec_loading import load_spec

SHAPES: dict[str, tuple[str, Expected]] = {
    "no version": (GOOD.removeprefix("version: 1\n"), [(1, "version", "is required: 1")]),
    "version of tomorrow": (GOOD.replace("1", "2", 1), [(1, "version", "must be 1, found 2")]),
    "version true": (GOOD.replace("1", "true", 1), [(1, "version", "must be 1, found true")]),
    "no jobs": ("version: 1\n", [(1, "jobs", "is required: a list (length at least 1)")]),
    "jobs without any": (
        "version: 1\njobs: []\n",
        [(2, "jobs", "must be a list (length at least 1), found an empty")],
    ),
    "jobs left blank": ("version: 1\njobs:\n", [(2, "jobs", "found nothing")]),
    "jobs as a mapping": ("version: 1\njobs: {name: x}\n", [(2, "jobs", "found a mapping")]),
    "a job that is text": (GOOD + "- other\n", [(5, "jobs[1]", "must be a mapping, found 'other'")]),
    "a job without anything": (
        GOOD + "- {}\n",
        [
            (5, "jobs[1].name", "is required"),
            (5, "jobs[1].problem", "is required: a mapping with the key kind"),
        ],
    ),
    "misspelt key at the top": (
        GOOD + "sede: 3\n",
        [(5, "sede", "did you mean 'seed'? known here: version, seed")],
    ),
    "misspelt section": (
        with_section("trainig: {}"),
        [(5, "jobs[0].trainig", "did you mean 'training'? known here: name")],
    ),
    "misspelt matrix": (with_section("matrx: {}"), [(5, "jobs[0].matrx", "did you mean 'matrix'?")]),
    "misspelt key": (
        with_section("model:\n    layers: 2\n    untis: 3"),
        [
            (
                7,
                "jobs[0].model.untis",
                "is not a known key; did you mean 'units'? known here: architecture, cell",
            )
        ],
    ),
    "key like no other": (
        with_section("model: {xyz: 1}"),
        [(5, "jobs[0].model.xyz", "known key; known here")],
    ),
    "key that cannot be printed": (
        with_section(r'model: {"a\nb": 1}'),
        [(5, r"jobs[0].model.'a\nb'", "is not a known key")],
    ),
    "defaults of another problem": (
        with_defaults("{problem: {kind: copy, digits: 3}}"),
        [(2, "defaults.problem.digits", "is not a known key")],
    ),
    "defaults as text": (with_defaults("none"), [(2, "defaults", "must be a mapping, found 'none'")]),
    "wrong defaults, said once": (
        with_defaults("{model: {units: many}}"),
        [(2, "defaults.model.units", "must be a whole number from 1 to 8192, found 'many'")],
    ),
    "wrong defaults that every job overrides": (
        f"version: 1\ndefaults: {{model: {{units: 0}}}}\njobs:\n- name: a\n  model: {{units: 3}}\n{PROBLEM}",
        [(2, "defaults.model.units", "found 0")],
    ),
    "defaults incomplete for every job": (
        with_defaults("{training: {early_stopping: {min_delta: 0.1}}}"),
        [(2, "defaults.training.early_stopping.patience", "is required: a whole number from 1 to 10000")],
    ),
    "wrong seed of the spec, said once": (
        "seed: -1\n" + GOOD,
        [(1, "seed", "at least 0, below 4294967296), found -1")],
    ),
}

NAMES: dict[str, tuple[str, Expected]] = {
    "path as a name": (GOOD.replace("good", "../x"), [(3, "jobs[0].name", "letters, digits, dots, dashes")]),
    "absolute path": (GOOD.replace("good", "/etc/passwd"), [(3, "jobs[0].name", "found '/etc/passwd'")]),
    "dot at the end": (GOOD.replace("good", "good."), [(3, "jobs[0].name", "must not end in a dot")]),
    "number as a name": (GOOD.replace("good", "7"), [(3, "jobs[0].name", "found 7")]),
    "name of 1,001 characters": (
        GOOD.replace("good", "a" * 1001),
        [(3, "jobs[0].name", "1 to 1000 letters")],
    ),
    "the same name twice": (
        GOOD + "- name: good\n" + PROBLEM,
        [(5, "jobs[1].name", "'good' is taken (jobs[0].name, line 3)")],
    ),
    "names that differ by case": (
        GOOD + "- name: Good\n" + PROBLEM,
        [(5, "jobs[1].name", "'Good' differs from 'good' only by case (jobs[0].name, line 3)")],
    ),
    "name that a matrix makes": (
        with_matrix("{model.units: [1]}") + "- name: grid-units-1\n" + PROBLEM,
        [(6, "jobs[1].name", "'grid-units-1' is taken (jobs[0].name, line 3)")],
    ),
}

MATRICES: dict[str, tuple[str, Expected]] = {
    "matrix as a list": (with_matrix("[1, 2]"), [(4, "jobs[0].matrix", "must be a mapping of dotted keys")]),
    "empty matrix": (with_matrix("{}"), [(4, "jobs[0].matrix", "found an empty mapping")]),
    "section in a matrix": (
        with_matrix("{model: [1]}"),
        [(4, "jobs[0].matrix.model", "is a whole section; name a key in it, such as model.architecture")],
    ),
    "misspelt dotted key": (
        with_matrix("{modle.units: [1]}"),
        [(4, "jobs[0].matrix.modle.units", "not a key that a matrix can set; did you mean 'model.units'?")],
    ),
    "name in a matrix": (
        with_matrix("{name: [a, b]}"),
        [(4, "jobs[0].matrix.name", "expected the dotted key of a value, such as model.units")],
    ),
    "one value": (
        with_matrix("{model.units: 3}"),
        [(4, "jobs[0].matrix.model.units", "at least one value, found 3")],
    ),
    "no value": (
        with_matrix("{model.units: []}"),
        [(4, "jobs[0].matrix.model.units", "found an empty list")],
    ),
    "list of files as a value": (
        with_matrix("{problem.data.file: [a, [b, c]]}"),
        [
            (
                4,
                "jobs[0].matrix.problem.data.file",
                "must be text, a number, true, false or null, found a list",
            )
        ],
    ),
    "list as a value": (
        with_matrix("{model.units: [[1], 2]}"),
        [(4, "jobs[0].matrix.model.units", "must be text, a number, true, false or null, found a list")],
    ),
    "wrong value, said once": (
        with_matrix("\n      model.units:\n      - 3\n      - many\n      model.layers: [1, 2, 3]\n"),
        [(7, "jobs[0].matrix.model.units", "must be a whole number from 1 to 8192, found 'many'")],
    ),
    "tag on a value": (
        with_matrix("{model.units: [!x 1]}"),
        [(4, "jobs[0].matrix.model.units[0]", "found !x")],
    ),
    "tag on a list of values": (
        with_matrix("{model.units: !x [1]}"),
        [(4, "jobs[0].matrix.model.units", "found !x")],
    ),
    "tag on a matrix": (with_matrix("!x {model.units: [1]}"), [(4, "jobs[0].matrix", "found !x")]),
    "matrix left blank": (with_matrix(""), [(4, "jobs[0].matrix", "found nothing")]),
    "the same value twice": (
        with_matrix("{model.units: [3, 3]}"),
        [(3, "jobs[0].name", "two combinations of the matrix would both be named 'grid-units-3'")],
    ),
    "values whose names differ by case": (
        with_matrix("{model.cell: [lstm, LSTM]}"),
        [
            (3, "jobs[0].name", "both be named 'grid-cell-LSTM'"),
            (4, "jobs[0].matrix.model.cell", "found 'LSTM'"),
        ],
    ),
    "too many jobs": (
        with_matrix(f"{{seed: {list(range(5000))}, model.units: [1, 2, 3]}}"),
        [(4, "jobs[0].matrix", "makes 15,000 jobs; a spec has at most 10,000 in all")],
    ),
    "include as a mapping": (
        with_matrix("{model.units: [1], include: {model.units: 2}}"),
        [(4, "jobs[0].matrix.include", "must be a list of at least one mapping, found a mapping")],
    ),
    "include of a word": (
        with_matrix("{model.units: [1], include: [x, {}]}"),
        [
            (4, "jobs[0].matrix.include[0]", "must be a mapping of dotted keys to values, found 'x'"),
            (4, "jobs[0].matrix.include[1]", "found an empty mapping"),
        ],
    ),
    "include with a misspelt key": (
        with_matrix("{model.units: [1], include: [{model.unit: 2}]}"),
        [(4, "jobs[0].matrix.include[0].model.unit", "did you mean 'model.units'?")],
    ),
    "include with a wrong value": (
        with_matrix("{model.units: [1], include: [{model.layers: 0}]}"),
        [(4, "jobs[0].matrix.include[0].model.layers", "from 1 to 16, found 0")],
    ),
    "exclude by a key that is not listed": (
        with_matrix("{model.units: [1], exclude: [{model.layers: 1}]}"),
        [
            (
                4,
                "jobs[0].matrix.exclude[0].model.layers",
                "excludes nothing: the matrix does not list this key",
            )
        ],
    ),
    "exclude of everything": (
        with_matrix("{model.units: [1, 2], exclude: [{model.units: 1}, {model.units: 2}]}"),
        [(4, "jobs[0].matrix", "has no combinations left")],
    ),
    "sizes impossible in one combination": (
        HEAD + "- name: grid\n  problem: {kind: reversed_prefix, cardinality: 9, target_length: 3}\n"
        "  matrix: {problem.source_length: [2, 4]}\n",
        [(4, "jobs[0].problem.target_length", "target_length 3 is longer than source_length 2")],
    ),
    "matrix that cannot be read does not hide the rest": (
        with_matrix("{modle.units: [1]}") + "  model: {layers: 0}\n  training: {early_stopping: {}}\n",
        [(4, "jobs[0].matrix.modle.units", "did you mean"), (6, "jobs[0].model.layers", "found 0")],
    ),
}

TABLE = {**SHAPES, **NAMES, **MATRICES}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_every_complaint_about_structure_has_its_place(tmp_path: Path, text: str, expected: Expected) -> None:
    check_complaints(tmp_path / "jobs.yaml", text, expected)


def test_the_frame_of_the_table_is_a_good_spec(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    for text in (GOOD, with_section("seed: 1"), with_defaults("{}"), with_matrix("{model.units: [1, 2]}")):
        path.write_text(text)
        assert load_spec(path).jobs


def test_everything_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(
        "version: 1\n"
        "sede: 4\n"
        "defaults:\n"
        "  model: {untis: 3}\n"
        "jobs:\n"
        "- name: ../x\n"
        "  problem: {kind: reversed_prefix, source_length: 2, target_length: 3, cardinality: 9}\n"
        "  seed: !!python/name:os.system\n"
        "- name: grid\n"
        "  matrix: {problem.source_length: [3, none]}\n"
        "  problem: {kind: copy, cardinality: 1}\n"
        "  gate: {min_sequence_accuracy: 2}\n"
        "  gate: {}\n"
        "- name: ../x\n"
        "  problem: {kind: cpy}\n"
    )
    assert [(line, key) for line, key, _ in complaints_of(path)] == [
        (2, "sede"),
        (4, "defaults.model.untis"),
        (6, "jobs[0].name"),
        (7, "jobs[0].problem.target_length"),
        (8, "jobs[0].seed"),
        (10, "jobs[1].matrix.problem.source_length"),
        (11, "jobs[1].problem.cardinality"),
        (12, "jobs[1].gate.min_sequence_accuracy"),
        (13, "jobs[1].gate"),
        (14, "jobs[2].name"),
        (14, "jobs[2].name"),
        (15, "jobs[2].problem.kind"),
    ]


def test_more_jobs_than_a_spec_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job.spec.spec_loading.MAX_JOBS", 2)
    path = tmp_path / "jobs.yaml"
    path.write_text(HEAD + "".join(f"- name: j{n}\n{PROBLEM}" for n in range(3)))
    assert complaints_of(path) == [(2, "jobs", "has more than 2 jobs")]
