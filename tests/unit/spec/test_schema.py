"""The JSON Schema of the file form against specs that are right and specs that are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from job.spec.schema import JobSpec
from job.spec.spec_file import DIALECT, json_schema, matrix_keys
from job.spec.yaml_tree import parse

SCHEMA = json_schema()

GOOD = {
    "all keys": """
version: 1
seed: 7
defaults:
  model: {cell: gru, units: 64}
  training: {examples: all, early_stopping: {min_delta: 0.1}, optimizer: {learning_rate: 8e-3}}
  evaluation: {examples: 100}
  gate: {min_sequence_accuracy: 0.9}
jobs:
- name: a
  seed: 3
  problem: {kind: reversed_prefix, source_length: 6, target_length: 3, cardinality: 50}
  model: {units: 3}
  training: {early_stopping: null}
  evaluation: {decoder: greedy}
  gate: {max_edit_rate: 0.1, min_sequence_accuracy: null}
- name: b
  problem: {kind: text_pairs, data: {file: pairs.tsv}}
- name: series
  problem: {kind: time_series, file: s.csv, column: y, covariates: [a], source_length: 3, target_length: 1,
    test: 2}
  gate: {max_rmse: 3.5}
- name: c
  problem: {kind: text_pairs, data: {source_file: [a, b.gz], target_file: [c, d.gz]}}
""",
    "sizes from the matrix": """
version: 1
jobs:
- name: a
  problem: {kind: copy, cardinality: 9}
  matrix: {problem.source_length: [3, 4], model.cell: [lstm, gru], seed: [1, 2]}
""",
    "kind from the matrix": """
version: 1
jobs:
- name: a
  problem: {source_length: 3, cardinality: 9}
  matrix: {problem.kind: [copy, sort]}
""",
    "problem from the defaults": """
version: 1
x-note: [anything, {at: all}]
defaults: {problem: {kind: copy, cardinality: 9}}
jobs:
- name: a
  problem: {source_length: 3}
- name: b
- name: c
  problem: {kind: addition, digits: 2}
""",
    "variants": """
version: 1
jobs:
- name: a
  problem: {kind: copy, cardinality: 9, source_length: 3}
  matrix:
    variants: {base: {}, large: {model.units: 256, training.epochs: 20}}
    seed: [1, 2]
    exclude: [{variants: base, seed: 2}]
    include: [{variants: large, gate.min_sequence_accuracy: 0.5}]
""",
    "problem from the matrix": """
version: 1
jobs:
- name: a
  matrix:
    problem.digits: [2, 3]
    include: [{problem.kind: addition}, {problem.digits: 3, gate.min_sequence_accuracy: 0.5}]
    exclude: [{problem.digits: 2}]
""",
}

PROBLEM = "problem: {kind: copy, source_length: 3, cardinality: 9}"
BAD = {
    "no version": f"jobs: [{{name: a, {PROBLEM}}}]",
    "version of tomorrow": f"version: 2\njobs: [{{name: a, {PROBLEM}}}]",
    "no jobs": "version: 1",
    "jobs without any": "version: 1\njobs: []",
    "no name": f"version: 1\njobs: [{{{PROBLEM}}}]",
    "unsafe name": f"version: 1\njobs: [{{name: ../x, {PROBLEM}}}]",
    "no problem": "version: 1\njobs: [{name: a}]",
    "no kind": "version: 1\njobs: [{name: a, problem: {cardinality: 9}}]",
    "unknown kind": "version: 1\njobs: [{name: a, problem: {kind: cpy}}]",
    "key of another problem": "version: 1\njobs: [{name: a, problem: {kind: copy, digits: 3}}]",
    "wrong size": "version: 1\njobs: [{name: a, problem: {kind: copy, cardinality: 0}}]",
    "unknown key": f"version: 1\njobs: [{{name: a, {PROBLEM}, modle: {{}}}}]",
    "unknown key inside": f"version: 1\njobs: [{{name: a, {PROBLEM}, model: {{untis: 3}}}}]",
    "wrong default": f"version: 1\ndefaults: {{model: {{units: many}}}}\njobs: [{{name: a, {PROBLEM}}}]",
    "wrong problem in defaults": (
        f"version: 1\ndefaults: {{problem: {{kind: copy, digits: 3}}}}\njobs: [{{name: a, {PROBLEM}}}]"
    ),
    "no problem, not in defaults either": "version: 1\ndefaults: {seeds: [1]}\njobs: [{name: a}]",
    "key that is no x- key": f"version: 1\ny-note: 3\njobs: [{{name: a, {PROBLEM}}}]",
    "variants as a list": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{variants: [small]}}}}]",
    "unsafe variant": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{variants: {{a/b: {{}}}}}}}}]",
    "variant of a section": (
        f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{variants: {{s: {{model: 3}}}}}}}}]"
    ),
    "name over 1000 characters": f"version: 1\njobs: [{{name: {'a' * 1001}, {PROBLEM}}}]",
    "empty matrix": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{}}}}]",
    "matrix over a section": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{model: [1]}}}}]",
    "matrix of no list": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{model.units: 1}}}}]",
    "matrix of a wrong value": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{model.units: [x]}}}}]",
    "matrix of lists of files": (
        "version: 1\njobs: [{name: a, problem: {kind: text_pairs}, matrix: {problem.data.file: [[a, b]]}}]"
    ),
    "no file": "version: 1\njobs: [{name: a, problem: {kind: text_pairs, data: {file: []}}}]",
    "unknown include": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{include: [{{untis: 1}}]}}}}]",
    "empty exclude": f"version: 1\njobs: [{{name: a, {PROBLEM}, matrix: {{seed: [1], exclude: [{{}}]}}}}]",
}


def as_data(text: str) -> Any:
    root, complaints = parse(text, "jobs.yaml")
    assert not complaints
    return root.plain()


def test_it_is_json_schema_2020_12() -> None:
    assert SCHEMA["$schema"] == DIALECT
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_it_accepts(text: str) -> None:
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(as_data(text))] == []


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_it_refuses(text: str) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid(as_data(text))


def test_every_key_is_described() -> None:
    """An editor shows a description for every key; a reference is described by what it refers to."""
    bare = [
        f"{name}.{key}"
        for name, definition in SCHEMA["$defs"].items()
        for key, value in definition["properties"].items()
        if name != "Matrix" and key != "kind" and "$ref" not in value and "description" not in value
    ]
    assert bare == []
    assert all("description" in definition for name, definition in SCHEMA["$defs"].items())


def test_defaults_are_those_of_the_model() -> None:
    units = SCHEMA["$defs"]["ModelSpec"]["properties"]["units"]
    job = JobSpec.model_validate({"name": "a", "problem": {"kind": "addition", "digits": 2}})
    assert units["default"] == job.model.units
    assert SCHEMA["properties"]["seed"]["default"] == job.seed


def test_a_matrix_sets_single_values() -> None:
    keys = matrix_keys()
    assert {"seed", "model.units", "problem.kind", "problem.data.file", "gate.max_edit_rate"} <= keys.keys()
    assert "training.optimizer.learning_rate" in keys
    assert (
        not {"name", "model", "training.optimizer", "training.early_stopping", "problem.data"} & keys.keys()
    )


def test_every_call_gives_a_schema_of_its_own() -> None:
    changed = json_schema()
    changed["$defs"].clear()
    changed["properties"].clear()
    assert json_schema() == SCHEMA
