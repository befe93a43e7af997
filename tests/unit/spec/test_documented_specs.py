"""The specs that docs/models-and-training.md shows are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from job.spec.spec_loading import load_spec

PAGE = Path(__file__).parents[3] / "docs" / "models-and-training.md"
SPECS = [
    text
    for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    if text.startswith(("version:", "jobs:"))
]


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (0, ["old-words", "new-words"]),
        (1, ["sizes-small-seed-1", "sizes-small-seed-2", "sizes-large-seed-1"]),
        (2, ["characters", "words", "sums"]),
    ],
)
def test_a_documented_spec_makes_the_documented_jobs(tmp_path: Path, number: int, names: list[str]) -> None:
    text = SPECS[number]
    (tmp_path / "jobs.yaml").write_text(
        text if text.startswith("version:") else f"version: 1\n{text}", "utf-8"
    )
    assert [job.name for job in load_spec(tmp_path / "jobs.yaml").jobs] == names
