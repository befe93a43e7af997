"""Which jobs of a spec have the same training, by the spec and by their fingerprints."""

import pytest

from job.spec.equal_trainings import first_alike, root_names
from job.spec.fingerprints import fingerprints_of, planned_data
from job.spec.spec_loading import load_spec
from job.spec.start_models import parent_name

SPEC = """\
version: 1
defaults: {problem: {kind: copy, source_length: 2, cardinality: 6}}
jobs:
  - {name: greedy, seeds: [1, 2]}
  - {name: late, training: {start_from: beam-seed-1}}
  - {name: beam, seeds: [1, 2], evaluation: {decoder: beam}}
  - {name: gated, seed: 1, gate: {min_sequence_accuracy: 0.5}, retries: 3}
  - {name: early, training: {start_from: greedy-seed-1}}
  - {name: other, training: {start_from: greedy-seed-2}}
  - {name: validated, seed: 1, evaluation: {validation_examples: 7}}
  - {name: larger, seed: 1, model: {units: 7}}
"""


@pytest.fixture
def jobs(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    return load_spec(tmp_path / "jobs.yaml").jobs


def test_the_first_job_with_the_same_training_is_found(jobs):
    assert first_alike(jobs) == {
        "greedy-seed-1": "greedy-seed-1",
        "greedy-seed-2": "greedy-seed-2",
        "late": "late",
        "beam-seed-1": "greedy-seed-1",
        "beam-seed-2": "greedy-seed-2",
        "gated": "greedy-seed-1",
        "early": "late",
        "other": "other",
        "validated": "validated",
        "larger": "larger",
    }


def test_those_are_the_jobs_with_the_same_training_fingerprint(jobs, tmp_path):
    names, prints = {job.name: job for job in jobs}, {}

    def fingerprint(job):
        parent = parent_name(job, names)
        data = planned_data(job, tmp_path, parent=fingerprint(names[parent]) if parent else "")
        return fingerprints_of(job, tmp_path, data).training

    firsts = {job.name: prints.setdefault(fingerprint(job), job.name) for job in jobs}
    assert first_alike(jobs) == firsts


def test_jobs_that_take_models_from_one_another_have_one_root(jobs):
    roots = root_names(jobs)
    assert {name for name, root in roots.items() if root == "greedy-seed-1"} == {
        "greedy-seed-1", "late", "beam-seed-1", "gated", "early",
    }  # fmt: skip
    assert {name for name, root in roots.items() if root == "greedy-seed-2"} == {
        "greedy-seed-2", "beam-seed-2", "other",
    }  # fmt: skip
