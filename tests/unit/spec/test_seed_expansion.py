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


SPEC = """\
version: 1
seed: 3
{defaults}jobs:
  - name: a
    problem: {{kind: copy, source_length: 2, cardinality: 6}}
{job}"""


@pytest.mark.parametrize(
    ("job", "line"),
    [
        ("    seeds: [1, 2]\n    seed: 9\n", 7),
        ("    seeds: [1, 2]\n    matrix: {variants: {u: {seed: 5}, v: {model.units: 6}}}\n", 7),
        ("    seeds: [1, 2]\n    matrix: {model.units: [4], include: [{model.units: 5, seed: 12}]}\n", 7),
    ],
)
def test_a_seed_beside_seeds_is_refused_wherever_it_is(tmp_path, job, line):
    (tmp_path / "jobs.yaml").write_text(SPEC.format(defaults="", job=job))
    with pytest.raises(SpecError, match="the job has seeds already; drop one of the two") as caught:
        load_spec(tmp_path / "jobs.yaml")
    assert caught.value.complaints[0].line == line


@pytest.mark.parametrize(
    ("job", "names"),
    [
        ("", ["a-seed-1", "a-seed-2"]),
        ("    seed: 9\n", ["a"]),
        ("    seeds: []\n    matrix: {seed: [5, 6]}\n", ["a-seed-5", "a-seed-6"]),
    ],
)
def test_a_jobs_own_seed_wins_over_seeds_of_the_defaults(tmp_path, job, names):
    text = SPEC.format(defaults="defaults: {seeds: [1, 2]}\n", job=job)
    (tmp_path / "jobs.yaml").write_text(text)
    assert [each.name for each in load_spec(tmp_path / "jobs.yaml").jobs] == names


@pytest.mark.parametrize("seeds", ["seeds: [3, 4], ", ""])
def test_two_jobs_of_one_name_are_refused_whatever_their_seeds(tmp_path, seeds):
    other = f"  - {{name: A, {seeds}problem: {{kind: sort, source_length: 2, cardinality: 6}}}}\n"
    text = SPEC.format(defaults="", job="    seeds: [1, 2]\n" + other)
    (tmp_path / "jobs.yaml").write_text(text)
    with pytest.raises(SpecError, match="a job's name must be unique: 'A' differs from 'a' only by case"):
        load_spec(tmp_path / "jobs.yaml")


PARTS = """\
version: 1
jobs:
  - name: a
    problem:
      kind: text_pairs
      train: [{file: a.tsv, weight: 1}, {file: b.tsv, weight: 3}]
      validation: {file: c.tsv}
      test: {file: c.tsv}
    matrix: {problem.train.file: [x.tsv, y.tsv]}
"""


def test_a_matrix_cannot_set_a_part_of_a_list(tmp_path):
    (tmp_path / "jobs.yaml").write_text(PARTS)
    with pytest.raises(SpecError, match=r"problem\.train\.file is inside a list") as caught:
        load_spec(tmp_path / "jobs.yaml")
    assert caught.value.complaints[0].line == 9


@pytest.mark.parametrize("key", ["name", "names", "files", "mixed", "path"])
def test_a_mapping_for_a_file_name_is_a_complaint(tmp_path, key):
    text = PARTS.replace("matrix: {problem.train.file: [x.tsv, y.tsv]}", "seed: 1")
    (tmp_path / "jobs.yaml").write_text(
        text.replace("test: {file: c.tsv}", f"test: {{file: {{{key}: c.tsv}}}}")
    )
    with pytest.raises(SpecError, match=r"jobs\[0\]\.problem\.test\.file: must be .*found a mapping"):
        load_spec(tmp_path / "jobs.yaml")
