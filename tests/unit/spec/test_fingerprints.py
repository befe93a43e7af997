"""What is part of a job's fingerprint and what is not."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from job.errors import DataError
from job.spec import fingerprints
from job.spec.fingerprints import fingerprint
from job.spec.schema import JobSpec

COPY = {"name": "a", "problem": {"kind": "copy", "source_length": 3, "cardinality": 9}}
PAIRS = {"name": "a", "problem": {"kind": "text_pairs", "data": {"file": "pairs.tsv"}}}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The versions of installed distributions, which a test may change."""
    versions = {"tensorflow": "2.20.0", "keras": "3.10.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    fingerprints.installed_versions.cache_clear()
    yield versions
    fingerprints.installed_versions.cache_clear()


def fresh(spec: dict[str, Any], directory: Path) -> str:
    fingerprints.installed_versions.cache_clear()
    return fingerprint(JobSpec.model_validate(spec), directory)


def test_a_fingerprint_is_of_the_resolved_spec(tmp_path: Path, installed: dict[str, str]) -> None:
    first = fresh(COPY, tmp_path)
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert first == fresh({**COPY, "seed": 7, "model": {"units": 128}}, tmp_path)
    assert first != fresh({**COPY, "seed": 8}, tmp_path)
    assert first != fresh({**COPY, "gate": {"min_sequence_accuracy": 0.5}}, tmp_path)


@pytest.mark.parametrize(
    "keys", [{"timeout_minutes": 3}, {"retries": 0}, {"training": {"checkpoint_minutes": 0.5}}]
)
def test_how_a_job_is_run_is_no_part_of_it(
    tmp_path: Path, installed: dict[str, str], keys: dict[str, Any]
) -> None:
    """A job that timed out resumes once it is given more time."""
    assert fresh({**COPY, **keys}, tmp_path) == fresh(COPY, tmp_path)


@pytest.mark.parametrize(
    ("distribution", "version"),
    [("tensorflow", "2.21.0"), ("keras", "3.11.0"), ("tensorflow", None), ("keras", None)],
)
def test_versions_are_part_of_it(
    tmp_path: Path, installed: dict[str, str], distribution: str, version: str | None
) -> None:
    before = fresh(COPY, tmp_path)
    del installed[distribution]
    installed |= {distribution: version} if version else {}
    assert fresh(COPY, tmp_path) != before


def test_the_version_of_this_package_is_part_of_it(
    tmp_path: Path, installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fresh(COPY, tmp_path)
    monkeypatch.setattr(fingerprints, "__version__", "99.0")
    assert fresh(COPY, tmp_path) != before


def test_tensorflow_for_the_cpu_alone_is_tensorflow(tmp_path: Path, installed: dict[str, str]) -> None:
    before = fresh(COPY, tmp_path)
    installed["tensorflow-cpu"] = installed.pop("tensorflow")
    assert fresh(COPY, tmp_path) == before


def test_the_content_of_data_files_is_part_of_it(tmp_path: Path, installed: dict[str, str]) -> None:
    data = tmp_path / "pairs.tsv"
    data.write_text("a\tb\n")
    before = fresh(PAIRS, tmp_path)
    assert fresh(PAIRS, tmp_path) == before
    data.write_text("a\tc\n")
    assert fresh(PAIRS, tmp_path) != before


def test_the_place_of_data_files_is_not(tmp_path: Path, installed: dict[str, str]) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for directory in (here, there):
        directory.mkdir()
        (directory / "pairs.tsv").write_text("a\tb\n")
    assert fresh(PAIRS, here) == fresh(PAIRS, there)


def test_data_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fresh(PAIRS, tmp_path)
    problem = {"kind": "text_pairs", "data": {"file": "package:no_such_package_here/x.tsv"}}
    with pytest.raises(DataError, match="cannot be found"):
        fresh({"name": "a", "problem": problem}, tmp_path)
