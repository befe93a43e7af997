"""What a spec may be at most: refused by place, before anything is made of it."""

import os
import time
from pathlib import Path

import pytest

from job.errors import SpecError
from job.spec.spec_loading import load_spec

PROBLEM = "{kind: reversed_prefix, source_length: 6, target_length: 3, cardinality: 51}"


@pytest.fixture
def refused(tmp_path):
    """Return what is said of a spec that cannot be read, which may not take long."""

    def load(text):
        path = tmp_path / "jobs.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        began = time.monotonic()
        with pytest.raises(SpecError) as error:
            load_spec(path)
        assert time.monotonic() - began < 60
        return str(error.value).replace(str(path), "jobs.yaml")

    return load


def numbers(count):
    return "[" + ", ".join(map(str, range(1, count + 1))) + "]"


def test_the_runs_of_seeds_in_a_matrix_are_counted_before_they_are_made(refused):
    text = f"""version: 1
jobs:
  - name: a
    seeds: {numbers(1000)}
    matrix: {{model.units: {numbers(20)}}}
    problem: {PROBLEM}
"""
    assert refused(text) == (
        "jobs.yaml:5: jobs[0].matrix: makes 20,000 jobs (20 combinations, each with 1,000 seeds); "
        "a spec has at most 10,000 in all"
    )


def test_the_runs_of_all_jobs_count_together(refused):
    grid = f"seeds: {numbers(100)}, matrix: {{model.units: {numbers(9)}}}"
    rows = [f"  - {{name: a{i}, {grid}, problem: {PROBLEM}}}\n" for i in range(11)]
    rows += f"  - {{name: a11, seeds: {numbers(900)}, problem: {PROBLEM}}}\n"
    assert refused("version: 1\njobs:\n" + "".join(rows)).startswith(
        "jobs.yaml:14: jobs[11].seeds: makes 900 jobs; a spec has at most 10,000 in all"
    )


def test_as_many_jobs_as_there_may_be_are_read(tmp_path):
    text = f"version: 1\njobs: [{{name: a, seeds: {numbers(1000)}, problem: {PROBLEM}}}]\n"
    (tmp_path / "jobs.yaml").write_text(text)
    assert len(load_spec(tmp_path / "jobs.yaml").jobs) == 1000


def test_entries_that_would_be_tried_on_too_many_combinations_are_refused(refused):
    exclude = ", ".join(["{model.units: 1}"] * 9000)
    text = f"""version: 1
jobs:
  - name: a
    matrix: {{model.units: {numbers(100)}, training.batch_size: {numbers(50)}, exclude: [{exclude}]}}
    problem: {PROBLEM}
"""
    assert "jobs.yaml:4: jobs[0].matrix: has too many entries of include and exclude" in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " + "[" * 200_000, "nested more than 50 levels"),
        ("- " * 200_000, "nested more than 50 levels"),
        ("a: [" + "1," * 150_000 + "]", "more than 100,000 values"),
        ('a: "\\UFFFFFFFF"', "an escape that is not a character"),
        ("%YAML " + "9" * 5000 + ".1\n---\na: 1", "not valid YAML"),
        ('version: "\\ud800"', "half of a surrogate pair"),
        ("version: " + "9" * 5000, "5,000 characters is too long"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        ("a: \0", "a character that YAML forbids, U+0000"),
        ("", "is empty"),
        ("a: 1\na: 2", "is given twice"),
    ],
)
def test_text_that_is_no_spec_is_refused(refused, text, said):
    assert said in refused(text)


def test_aliases_do_not_multiply_without_bound(refused):
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more than 100,000 values once its aliases are expanded" in refused("\n".join(rows))


def test_a_pipe_without_a_writer_is_an_empty_spec(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match="is empty"):
        load_spec(tmp_path / "pipe")


@pytest.mark.parametrize(("path", "said"), [("/dev/null", "is empty"), ("/dev/zero", "is larger than")])
def test_a_device_ends(path, said):
    with pytest.raises(SpecError, match=said):
        load_spec(Path(path))
