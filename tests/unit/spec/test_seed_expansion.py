"""Expansion of a job with `seeds` into one run for each seed."""

import pytest

from job.errors import SpecError
from job.spec.fingerprints import fingerprints_of
from job.spec.seed_expansion import base_name, run_name
from job.spec.spec_loading import load_spec

JOB = "  - name: a\n    problem: {kind: copy, source_length: 2, cardinality: 6}\n"


@pytest.fixture
def load(tmp_path):
    def load(rest, head=""):
        path = tmp_path / "jobs.yaml"
        path.write_text(f"version: 1\n{head}jobs:\n{JOB}{rest}")
        return load_spec(path)

    return load


def test_a_job_is_trained_once_for_each_seed_as_name_seed_seed(load):
    jobs = load("    seeds: [3, 1]\n").jobs
    assert [(job.name, job.seed, job.family) for job in jobs] == [("a-seed-3", 3, "a"), ("a-seed-1", 1, "a")]


def test_seeds_may_be_shared_and_go_with_a_matrix(load):
    jobs = load("    matrix: {model.units: [8, 16]}\n", head="defaults: {seeds: [1, 2]}\n").jobs
    assert [job.name for job in jobs] == [
        f"a-units-{units}-seed-{seed}" for units in (8, 16) for seed in (1, 2)
    ]
    assert [job.seed for job in jobs] == [1, 2, 1, 2]
    assert {job.family for job in jobs} == {"a-units-8", "a-units-16"}


def test_a_further_seed_does_not_change_the_fingerprints_of_the_others(load, tmp_path):
    marks = [fingerprints_of(load(f"    seeds: [{seeds}]\n").jobs[0], tmp_path) for seeds in ("1", "1, 2")]
    assert marks[0] == marks[1] != fingerprints_of(load("    seeds: [2]\n").jobs[0], tmp_path)


def test_a_job_without_seeds_is_one_run(load):
    assert [(job.name, job.seed, job.family) for job in load("    seeds: []\n").jobs] == [("a", 7, "a")]


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("    seeds: [1, 2, 1]\n", "1 would be trained twice"),
        ("    seeds: [one]\n", "seeds"),
        ("    seeds: 3\n", "seeds"),
        ("    seeds: [-1]\n", "seed"),
        ("    seeds: [1]\n    matrix: {seed: [1, 2]}\n", "the job has seeds already; drop one of the two"),
    ],
)
def test_invalid_seeds_are_refused(load, rest, reason):
    with pytest.raises(SpecError, match=reason) as caught:
        load(rest)
    assert all(complaint.line >= 5 for complaint in caught.value.complaints)


@pytest.mark.parametrize(
    ("name", "seed", "base"), [("a-seed-3", 3, "a"), ("a-seed-3", 4, "a-seed-3"), ("a", 3, "a")]
)
def test_the_base_name_is_the_run_name_without_its_seed(name, seed, base):
    assert base_name(name, seed) == base
    assert base_name(run_name(name, seed), seed) == name
