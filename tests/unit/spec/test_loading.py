from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from job.spec.model_section import ModelSpec
from job.spec.problem_sections import AdditionSpec, CopySpec
from job.spec.spec_loading import load_located, load_spec
from job.spec.training_section import EarlyStoppingSpec, TrainingSpec

DESIGN_EXAMPLE = """\
version: 1
seed: 7
defaults:
  model: {cell: lstm, units: 128, layers: 1, bidirectional: false, attention: none, inputs: one_hot}
  training:
    examples: 100000
    epochs: 1
    batch_size: 128
    optimizer: {name: adam, learning_rate: 0.008, schedule: cosine, warmup_fraction: 0.05, clip_norm: 1.0}
  evaluation: {examples: 10000, decoder: greedy}
jobs:
  - name: tutorial
    problem: {kind: reversed_prefix, source_length: 6, target_length: 3, cardinality: 50}
    gate: {min_sequence_accuracy: 0.99}
  - name: longer
    matrix: {problem.source_length: [10, 20], model.units: [128, 256]}
    problem: {kind: reversed_prefix, target_length: 5, cardinality: 50}
"""
PROBLEM = "  problem: {kind: copy, source_length: 3, cardinality: 9}\n"


def spec_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "jobs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_of_the_design(tmp_path: Path) -> None:
    path = spec_file(tmp_path, DESIGN_EXAMPLE)
    spec = load_spec(path)
    assert spec.path == path
    assert [(job.name, job.problem.source_length, job.model.units) for job in spec.jobs] == [
        ("tutorial", 6, 128),
        ("longer-source_length-10-units-128", 10, 128),
        ("longer-source_length-10-units-256", 10, 256),
        ("longer-source_length-20-units-128", 20, 128),
        ("longer-source_length-20-units-256", 20, 256),
    ]
    assert spec.jobs[0].gate.thresholds() == {"sequence_accuracy": 0.99}
    assert spec.jobs[1].gate.thresholds() == {}
    assert {job.training.optimizer.learning_rate for job in spec.jobs} == {0.008}


def test_the_seed_of_a_job_is_its_own_or_the_specs_or_7(tmp_path: Path) -> None:
    jobs = f"jobs:\n- name: a\n{PROBLEM}- name: b\n  seed: 5\n{PROBLEM}"
    without = load_spec(spec_file(tmp_path, f"version: 1\n{jobs}"))
    assert [job.seed for job in without.jobs] == [7, 5]
    given = load_spec(spec_file(tmp_path, f"version: 1\nseed: 3\n{jobs}"))
    assert [job.seed for job in given.jobs] == [3, 5]


def test_a_jobs_own_keys_win_key_by_key(tmp_path: Path) -> None:
    text = (
        "version: 1\n"
        "defaults:\n"
        "  training: {epochs: 4, early_stopping: {patience: 2, min_delta: 0.5}, optimizer: {clip_norm: 3}}\n"
        "  gate: {min_sequence_accuracy: 0.5, min_token_accuracy: 0.6}\n"
        "jobs:\n"
        f"- name: a\n{PROBLEM}"
        "  training: {early_stopping: {patience: 9}, optimizer: {clip_norm: null}}\n"
        "  gate: {min_sequence_accuracy: null}\n"
        f"- name: b\n{PROBLEM}  training: {{early_stopping: null}}\n"
    )
    a, b = load_spec(spec_file(tmp_path, text)).jobs
    assert a.training.epochs == b.training.epochs == 4
    assert a.training.early_stopping == EarlyStoppingSpec(patience=9, min_delta=0.5)
    assert b.training.early_stopping is None
    assert (a.training.optimizer.clip_norm, b.training.optimizer.clip_norm) == (None, 3)
    assert a.gate.thresholds() == {"token_accuracy": 0.6}


def test_an_incomplete_default_may_be_completed(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {training: {early_stopping: {min_delta: 0.1}}}\n"
        f"jobs:\n- name: a\n{PROBLEM}  training: {{early_stopping: {{patience: 3}}}}\n"
        f"- name: b\n{PROBLEM}  matrix: {{training.early_stopping.patience: [4]}}\n"
    )
    jobs = load_spec(spec_file(tmp_path, text)).jobs
    assert [job.training.early_stopping for job in jobs] == [
        EarlyStoppingSpec(patience=3, min_delta=0.1),
        EarlyStoppingSpec(patience=4, min_delta=0.1),
    ]


def test_anchors_and_aliases(tmp_path: Path) -> None:
    text = (
        "version: 1\njobs:\n"
        f"- name: a\n  model: &small {{units: 4}}\n{PROBLEM}- name: b\n  model: *small\n{PROBLEM}"
    )
    assert [job.model.units for job in load_spec(spec_file(tmp_path, text)).jobs] == [4, 4]


def test_jobs_share_the_problem_of_the_defaults(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {problem: {kind: copy, source_length: 3, cardinality: 9}}\njobs:\n"
        "- name: same\n"
        "- name: longer\n  problem: {source_length: 5}\n"
        "- name: other\n  problem: {kind: addition, digits: 2}\n"
        "- name: grid\n  matrix: {problem.cardinality: [4]}\n"
    )
    same, longer, other, grid = load_spec(spec_file(tmp_path, text)).jobs
    assert same.problem == CopySpec(kind="copy", source_length=3, cardinality=9)
    assert longer.problem == CopySpec(kind="copy", source_length=5, cardinality=9)
    assert other.problem == AdditionSpec(kind="addition", digits=2)
    assert grid.problem == CopySpec(kind="copy", source_length=3, cardinality=4)


def test_a_shared_problem_may_leave_the_kind_to_the_jobs(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {problem: {source_length: 3, cardinality: 9}}\njobs:\n"
        "- {name: a, problem: {kind: copy}}\n- {name: b, problem: {kind: sort}}\n"
    )
    kinds = [job.problem.kind for job in load_spec(spec_file(tmp_path, text)).jobs]
    assert kinds == ["copy", "sort"]


def test_a_shared_key_that_a_problem_lacks_is_a_mistake(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults:\n  problem: {cardinality: 9}\njobs:\n"
        "- {name: a, problem: {kind: addition, digits: 2}}\n- {name: b}\n"
    )
    complaints = load_located(spec_file(tmp_path, text)).complaints
    assert sorted((each.line, each.key, each.message[:18]) for each in complaints) == [
        (3, "defaults.problem.cardinality", "is not a known key"),
        (3, "defaults.problem.kind", "is required: 'addi"),
    ]


def test_anchors_at_the_top_and_merge_keys(tmp_path: Path) -> None:
    text = (
        "version: 1\n"
        "x-common: &common\n  model: {units: 4}\n  problem: {kind: copy, source_length: 3, cardinality: 9}\n"
        "x-short: &short {training: {epochs: 2}}\n"
        "jobs:\n- name: a\n  <<: *common\n- {name: b, <<: [*short, *common], model: {layers: 2}}\n"
    )
    a, b = load_spec(spec_file(tmp_path, text)).jobs
    assert (a.model.units, a.training.epochs) == (4, TrainingSpec().epochs)
    assert (b.model.units, b.model.layers, b.training.epochs) == (ModelSpec().units, 2, 2)
    assert a.problem == b.problem


LONG = "j" * 101
SHORT = "j" * 70 + "-" + hashlib.sha256(LONG.encode()).hexdigest()[:8]


def test_a_name_over_100_characters_is_shortened(tmp_path: Path) -> None:
    text = f"version: 1\njobs:\n- name: {LONG}\n{PROBLEM}- name: {LONG[:100]}\n{PROBLEM}"
    assert [job.name for job in load_spec(spec_file(tmp_path, text)).jobs] == [SHORT, LONG[:100]]


def test_names_by_matrix_and_seeds_are_shortened_in_the_same_way(tmp_path: Path) -> None:
    text = (
        f"version: 1\njobs:\n- name: {LONG[:95]}\n{PROBLEM}  seeds: [1, 4294967295]\n"
        f"- name: {'k' * 92}\n{PROBLEM}  matrix: {{seed: [1, 22, 333]}}\n"
    )
    jobs = load_spec(spec_file(tmp_path, text)).jobs
    family = f"{LONG[:70]}-{hashlib.sha256(LONG[:95].encode()).hexdigest()[:8]}"
    whole = f"{'k' * 92}-seed-333"
    assert [job.name for job in jobs] == [
        f"{family}-seed-1",
        f"{family}-seed-4294967295",
        f"{'k' * 92}-seed-1",
        f"{'k' * 92}-seed-22",
        f"{'k' * 70}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}",
    ]
    assert [job.family for job in jobs[:2]] == [family, family]
    assert max(len(job.name) for job in jobs) <= 100


def test_a_later_complaint_finds_the_place_of_a_value(tmp_path: Path) -> None:
    path = spec_file(tmp_path, DESIGN_EXAMPLE)
    located = load_located(path)
    name = "longer-source_length-20-units-128"

    def place(key: str) -> tuple[int, str]:
        complaint = located.complaint(name, key, "is wrong")
        assert (complaint.file, complaint.message) == (str(path), "is wrong")
        return complaint.line, complaint.key

    assert place("problem.cardinality") == (17, "jobs[1].problem.cardinality")
    assert place("problem.source_length") == (16, "jobs[1].matrix.problem.source_length")
    assert place("training.batch_size") == (8, "defaults.training.batch_size")
    assert place("problem.data.file") == (17, "jobs[1].problem.data.file")
    assert place("gate") == (15, "jobs[1].gate")


def test_reading_a_spec_imports_nothing_heavy(tmp_path: Path) -> None:
    path = spec_file(tmp_path, DESIGN_EXAMPLE)
    program = (
        "import sys, pathlib\n"
        "from job.spec.spec_loading import load_spec\n"
        "from job.spec.fingerprints import fingerprints_of\n"
        f"job = load_spec(pathlib.Path({str(path)!r})).jobs[0]\n"
        "fingerprints_of(job, pathlib.Path('.'))\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = set(run.stdout.split())
    assert "yaml" in imported
    assert not imported & {"tensorflow", "keras", "numpy", "matplotlib", "rapidfuzz"}
