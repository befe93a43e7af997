"""Files that are no spec, because of their YAML or altogether: place and part of every complaint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from spec_frames import GOOD, PROBLEM, Expected, check_complaints, complaints_of, with_section

NOT_YAML: dict[str, tuple[str, Expected]] = {
    "empty": ("", [(0, "", "is empty")]),
    "comments only": ("# nothing\n\n", [(0, "", "is empty")]),
    "a list": (
        "- version: 1\n",
        [(1, "", "expected a mapping with the keys version and jobs, found a list")],
    ),
    "a word": ("hello\n", [(1, "", "found 'hello'")]),
    "unclosed bracket": (
        "version: 1\njobs: [\n",
        [(3, "", "is not valid YAML: expected the node content, but found '<stream end>'")],
    ),
    "two colons": ("version: 1\njobs: a: b\n", [(2, "", "mapping values are not allowed here")]),
    "tab as indent": (
        "version: 1\njobs:\n\t- name: x\n",
        [(3, "", "a tab is used where YAML requires spaces")],
    ),
    "tab after a scalar": ("version: 1\n\tjobs: []\n", [(2, "", "a tab is used where YAML requires spaces")]),
    "tab in a flow mapping": (
        "version: 1\njobs: [{name: x,\n\tseed: 1}]\n",
        [(3, "", "a tab is used where YAML requires spaces")],
    ),
    "two documents": (GOOD + "---\nversion: 1\n", [(5, "", "a spec is one document")]),
    "control character": ("version: 1\njobs: '\x07'\n", [(2, "", "YAML forbids, U+0007")]),
    "unknown alias": ("version: 1\njobs: *these\n", [(2, "", "found undefined alias 'these'")]),
    "alias in its own anchor": (
        "version: 1\njobs: &all [*all]\n",
        [(2, "", "an alias is inside its own anchor")],
    ),
    "merge of its own anchor": (
        "version: 1\nx-a: &a {<<: *a}\n",
        [(2, "", "an alias is inside its own anchor")],
    ),
    "merge bomb": (
        "version: 1\na: &a {x: 1}\n"
        + "".join(
            f"{key}: &{key} {{<<: [{','.join([f'*{before}'] * 9)}]}}\n"
            for before, key in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        [(2, "", "has more than 100,000 values once its aliases are expanded")],
    ),
    "alias bomb": (
        "version: 1\na: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{key}: &{key} [{','.join([f'*{before}'] * 9)}]\n"
            for before, key in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        [(2, "", "has more than 100,000 values once its aliases are expanded")],
    ),
    "nested without end": (
        "version: 1\njobs: " + "[" * 5000,
        [(0, "", "is nested more than 50 levels deep")],
    ),
    "nested too deeply": (
        "version: 1\njobs: " + "[" * 60 + "]" * 60,
        [(2, "", "is nested more than 50 levels deep")],
    ),
}

YAML_VALUES: dict[str, tuple[str, Expected]] = {
    "duplicate key at the top": (
        GOOD + "version: 1\n",
        [(5, "version", "given twice; the first is at line 1")],
    ),
    "duplicate key in a section": (
        with_section("model: {units: 3, layers: 1, units: 4}"),
        [(5, "jobs[0].model.units", "given twice; the first is at line 5")],
    ),
    "python object": (
        with_section("seed: !!python/object/apply:os.system ['true']"),
        [(5, "jobs[0].seed", "tags are not allowed, found !!python/object/apply:os.system")],
    ),
    "python name in a job": (
        GOOD + "- !!python/object:job.cli.app.Main {}\n",
        [(5, "jobs[1]", "tags are not allowed, found !!python/object:job.cli.app.Main")],
    ),
    "tag on the whole file": ("!mine\n" + GOOD, [(1, "", "tags are not allowed, found !mine")]),
    "standard tag": (
        with_section("seed: !!int '3'"),
        [(5, "jobs[0].seed", "found !!int; write the plain value")],
    ),
    "number as a key": (with_section("1: x"), [(5, "jobs[0]", "a key must be text, found 1")]),
    "list as a key": (with_section("? [a]\n  : x"), [(5, "jobs[0]", "a key must be text, found a list")]),
    "merge of a number": (
        with_section("model: {<<: 3}"),
        [(5, "jobs[0].model.<<", "must be a mapping or a list of mappings, such as *anchor, found 3")],
    ),
    "merge of a list with a word": (
        with_section("model: {<<: [{units: 3}, x]}"),
        [(5, "jobs[0].model.<<", "must be a mapping or a list of mappings, such as *anchor, found 'x'")],
    ),
    "two merges": (
        with_section("model: {<<: {units: 3}, <<: {layers: 2}}"),
        [(5, "jobs[0].model.<<", "is given twice; merge several with <<: [*a, *b]")],
    ),
    "merge key in quotes": (
        with_section("model: {'<<': {units: 3}}"),
        [(5, "jobs[0].model.<<", "is not a known key")],
    ),
    "wrong value that is merged": (
        "version: 1\nx-model: &model\n  units: 0\njobs:\n- name: a\n  model: {<<: *model}\n" + PROBLEM,
        [(3, "jobs[0].model.units", "must be a whole number from 1 to")],
    ),
    "x- key below the top": (
        GOOD + "  x-note: hello\n",
        [(5, "jobs[0].x-note", "is not a known key")],
    ),
    "not a number": (
        with_section("model: {dropout: .nan}"),
        [(5, "jobs[0].model.dropout", "must be a finite number, found .nan")],
    ),
    "infinite": (
        with_section("training: {optimizer: {clip_norm: -.inf}}"),
        [(5, "jobs[0].training.optimizer.clip_norm", "must be a finite number, found -.inf")],
    ),
    "float without end": (
        with_section("model: {dropout: 1e999}"),
        [(5, "jobs[0].model.dropout", "must be a finite number, found 1e999")],
    ),
    "number of 5,000 digits": (
        with_section(f"seed: {'9' * 5000}"),
        [(5, "jobs[0].seed", "a number of 5,000 characters is too long")],
    ),
}

TABLE = {**NOT_YAML, **YAML_VALUES}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_every_complaint_about_yaml_has_its_place(tmp_path: Path, text: str, expected: Expected) -> None:
    check_complaints(tmp_path / "jobs.yaml", text, expected)


def test_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_bytes("version: 1\njobs: café\n".encode("latin-1"))
    assert complaints_of(path) == [(2, "", "is not UTF-8: byte 0xe9 at position 20")]


def test_no_such_file(tmp_path: Path) -> None:
    assert complaints_of(tmp_path / "jobs.yaml") == [(0, "", "there is no such file")]


def test_directory(tmp_path: Path) -> None:
    assert complaints_of(tmp_path) == [(0, "", "is a directory; expected a file")]


def test_file_as_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert complaints_of(tmp_path / "file" / "jobs.yaml") == [(0, "", "cannot be read: Not a directory")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    assert complaints_of(path) == [(0, "", "cannot be read: Permission denied")]


def test_permission_refused_by_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert complaints_of(tmp_path / "jobs.yaml") == [(0, "", "cannot be read: Permission denied")]


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(GOOD + "#" * (1 << 20))
    assert complaints_of(path) == [(0, "", "is larger than 1,048,576 bytes; a spec is a short text")]


def test_a_tag_constructs_nothing(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    path = tmp_path / "jobs.yaml"
    path.write_text(with_section(f"seed: !!python/object/apply:os.mkdir ['{proof}']"))
    complaints_of(path)
    assert not proof.exists()
