"""Specs that are good but for one part, and what `load_spec` says of a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from job.errors import SpecError
from job.spec.spec_loading import load_spec

HEAD = "version: 1\njobs:\n"
GOOD = HEAD + "- name: good\n  problem: {kind: copy, source_length: 3, cardinality: 9}\n"
PROBLEM = "  problem: {kind: copy, source_length: 3, cardinality: 9}\n"

Expected = list[tuple[int, str, str]]


def with_section(text: str) -> str:
    """A spec with one job that is right but for `text`, on line 5."""
    return f"{GOOD}  {text}\n"


def with_problem(text: str) -> str:
    """A spec with one job, its problem on line 4."""
    return f"{HEAD}- name: good\n  problem: {text}\n"


def with_defaults(text: str) -> str:
    """A spec with two jobs that share `text`, on line 2."""
    return f"version: 1\ndefaults: {text}\njobs:\n- name: a\n{PROBLEM}- name: b\n{PROBLEM}"


def with_matrix(text: str) -> str:
    """A spec with one job, its matrix on line 4."""
    return (
        f"{HEAD}- name: grid\n  matrix: {text}\n  problem: {{kind: copy, source_length: 3, cardinality: 9}}\n"
    )


def complaints_of(path: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == 2
    assert {complaint.file for complaint in caught.value.complaints} == {str(path)}
    return [(complaint.line, complaint.key, complaint.message) for complaint in caught.value.complaints]


def check_complaints(path: Path, text: str, expected: Expected) -> None:
    """Write a spec; check the place of every complaint about it, and a part of its message."""
    path.write_text(text, encoding="utf-8")
    found = complaints_of(path)
    assert [(line, key) for line, key, _ in found] == [(line, key) for line, key, _ in expected]
    for (_, _, message), (_, _, fragment) in zip(found, expected, strict=True):
        assert fragment in message
