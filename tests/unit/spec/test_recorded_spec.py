"""A recorded spec, which has every key, is read as the job that it was recorded of."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from job.spec.schema import JobSpec
from job.spec.spec_loading import load_spec

ROOT = Path(__file__).parents[3]
SPECS = [ROOT / "jobs.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]

FILE = {"file": "pairs.tsv"}
SIDES = {"kind": "text_pairs", "train": FILE, "validation": FILE, "test": FILE}


def recorded(job: JobSpec) -> JobSpec:
    """Return a job as it is read from `spec.yaml`."""
    return JobSpec.read_recorded(yaml.safe_load(yaml.safe_dump(job.model_dump(mode="json"))))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_jobs_of_the_examples_are_read_back(path: Path) -> None:
    for job in load_spec(path).jobs:
        assert recorded(job) == job


@pytest.mark.parametrize(
    "sections",
    [
        {"problem": {"kind": "text_pairs", "data": FILE}},
        {"problem": SIDES},
        {"problem": {**SIDES, "source_tokens": "words", "target_tokens": "subwords"}},
        {"problem": {**SIDES, "source_tokens": "subwords", "target_tokens": "subwords"}},
        {"problem": {**SIDES, "columns": {"source": 1, "target": 2, "features": 3}}},
        {"problem": SIDES, "training": {"tokens_per_batch": 500}},
    ],
    ids=["split by hash", "three files", "subwords of targets", "subwords", "features", "tokens per batch"],
)
def test_keys_that_nobody_has_written_are_no_mistake(sections: dict[str, object]) -> None:
    job = JobSpec.model_validate({"name": "pairs", **sections})
    assert recorded(job) == job


def test_a_written_key_without_an_effect_is_a_mistake() -> None:
    written = {"name": "pairs", "problem": {**SIDES, "subwords": {"size": 8000}}}
    with pytest.raises(ValidationError, match="subwords needs source_tokens or target_tokens"):
        JobSpec.model_validate(written)


def test_a_value_that_is_not_allowed_is_refused_in_a_recorded_spec_too() -> None:
    with pytest.raises(ValidationError, match="units"):
        JobSpec.read_recorded(
            {"name": "pairs", "problem": {"kind": "copy", "target_length": 3}, "model": {"units": 0}}
        )
