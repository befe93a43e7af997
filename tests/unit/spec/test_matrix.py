from __future__ import annotations

import re
from typing import Any

import pytest

from job.spec.matrix import expand
from job.spec.yaml_tree import Node, parse


def entry(text: str) -> Node:
    root, complaints = parse(text, "jobs.yaml")
    assert not complaints
    return root


def jobs_of(text: str) -> list[dict[str, Any]]:
    jobs, complaints = expand(entry(text))
    assert not complaints
    return [job.plain() for job in jobs]


def names_of(text: str) -> list[str]:
    return [job["name"] for job in jobs_of(f"name: j\nmatrix:\n{text}")]


def test_without_a_matrix_a_job_is_itself() -> None:
    assert jobs_of("name: j\nseed: 3\n") == [{"name": "j", "seed": 3}]


def test_the_last_key_changes_fastest() -> None:
    jobs = jobs_of("name: j\nmodel: {units: 1, layers: 1}\nmatrix: {model.units: [8, 4], seed: [2, 1]}\n")
    assert jobs == [
        {"name": f"j-units-{units}-seed-{seed}", "model": {"units": units, "layers": 1}, "seed": seed}
        for units in (8, 4)
        for seed in (2, 1)
    ]


def test_a_matrix_may_give_a_whole_problem() -> None:
    sizes = "problem.source_length: [3], problem.cardinality: [9]"
    text = f"name: j\nmatrix: {{problem.kind: [copy, sort], {sizes}}}\n"
    assert [job["problem"] for job in jobs_of(text)] == [
        {"kind": "copy", "source_length": 3, "cardinality": 9},
        {"kind": "sort", "source_length": 3, "cardinality": 9},
    ]


def test_a_matrix_may_fill_a_section_that_is_null() -> None:
    (job,) = jobs_of(
        "name: j\ntraining: {early_stopping: null}\nmatrix: {training.early_stopping.patience: [2]}\n"
    )
    assert job["training"] == {"early_stopping": {"patience": 2}}


def test_values_keep_their_places() -> None:
    jobs, _ = expand(entry("name: j\nmatrix:\n  model.units:\n  - 3\n  - 4\n  include:\n  - seed: 5\n"))
    units, seed = jobs[1].entries["model"].entries["units"], jobs[1].entries["seed"]
    assert (units.line, units.key) == (5, "matrix.model.units")
    assert (seed.line, seed.key) == (7, "matrix.include[0].seed")


# The example of "Expanding or adding matrix configurations" in GitHub's documentation, its keys renamed:
# fruit -> cell, animal -> inputs, color -> seed, shape -> layers.
GITHUB_INCLUDE = """\
  model.cell: [apple, pear]
  model.inputs: [cat, dog]
  include:
  - seed: 1
  - seed: 2
    model.inputs: cat
  - model.cell: apple
    model.layers: 3
  - model.cell: banana
  - model.cell: banana
    model.inputs: cat
"""


def test_include_as_in_github_actions() -> None:
    found = [
        {**job.get("model", {}), **({"seed": job["seed"]} if "seed" in job else {})}
        for job in jobs_of(f"name: j\nmatrix:\n{GITHUB_INCLUDE}")
    ]
    assert found == [
        {"cell": "apple", "inputs": "cat", "layers": 3, "seed": 2},
        {"cell": "apple", "inputs": "dog", "layers": 3, "seed": 1},
        {"cell": "pear", "inputs": "cat", "seed": 2},
        {"cell": "pear", "inputs": "dog", "seed": 1},
        {"cell": "banana"},
        {"cell": "banana", "inputs": "cat"},
    ]


def test_include_alone_makes_a_job_of_each_entry() -> None:
    assert jobs_of("name: j\nmatrix: {include: [{seed: 1}, {seed: 2, model.units: 3}]}\n") == [
        {"name": "j-seed-1", "seed": 1},
        {"name": "j-seed-2-units-3", "seed": 2, "model": {"units": 3}},
    ]


def test_exclude_matches_a_part_and_comes_before_include() -> None:
    text = (
        "  model.units: [1, 2]\n  model.layers: [1, 2]\n"
        "  exclude: [{model.units: 1}, {model.units: 2, model.layers: 2}]\n"
        "  include: [{model.units: 1, model.layers: 1}]\n"
    )
    assert names_of(text) == ["j-units-2-layers-1", "j-units-1-layers-1"]


def test_include_may_follow_an_exclude_of_everything() -> None:
    assert names_of("  seed: [1]\n  exclude: [{seed: 1}]\n  include: [{seed: 2}]\n") == ["j-seed-2"]


def test_true_is_not_1_and_a_number_is_its_value() -> None:
    assert names_of("  seed: [1, 2]\n  exclude: [{seed: true}]\n") == ["j-seed-1", "j-seed-2"]
    assert names_of("  seed: [1, 2]\n  exclude: [{seed: 1.0}]\n") == ["j-seed-2"]


def test_what_include_adds_to_a_combination_does_not_rename_it() -> None:
    plain = names_of("  model.units: [1, 2]\n")
    text = (
        "  model.units: [1, 2]\n  include: [{model.units: 2, gate.min_sequence_accuracy: 0.5}, {seed: 3}]\n"
    )
    assert names_of(text) == plain == ["j-units-1", "j-units-2"]
    plain = names_of("  training.examples: [10, 20]\n")
    text = "  training.examples: [10, 20]\n  include: [{training.examples: 10, evaluation.examples: 50}]\n"
    assert names_of(text) == plain == ["j-examples-10", "j-examples-20"]


def test_a_gate_is_no_part_of_the_name_of_a_new_combination() -> None:
    text = "  model.units: [1]\n  include: [{model.units: 2, seed: 3, gate.min_sequence_accuracy: 0.5}]\n"
    assert names_of(text) == ["j-units-1", "j-units-2-seed-3"]


def test_keys_that_end_alike_are_written_whole() -> None:
    assert names_of("  training.examples: [10]\n  evaluation.examples: [20]\n  model.units: [3]\n") == [
        "j-training.examples-10-evaluation.examples-20-units-3"
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("8e-3", "0.008"),
        ("1e-7", "1e-07"),
        ("1e300", "1e_300"),
        ("0x10", "16"),
        ("-1", "-1"),
        ("true", "true"),
        ("null", "null"),
        ("'a/b c'", "a_b_c"),
        ("../é", "..__"),
        ("end.", "end_"),
        ("''", ""),
    ],
)
def test_names_are_safe_as_file_names(value: str, shown: str) -> None:
    (name,) = names_of(f"  model.cell: [{value}]\n")
    assert name == f"j-cell-{shown}"
    assert re.fullmatch(r"[A-Za-z0-9._-]+(?<!\.)", name)


def test_room_counts_include_too() -> None:
    job = entry("name: j\nmatrix: {seed: [1, 2], include: [{seed: 3}]}\n")
    assert len(expand(job, room=3)[0]) == 3
    assert expand(job, room=2)[0] == []


VARIANTS = "  variants: {small: {model.units: 64}, large: {model.units: 256, training.epochs: 20}}\n"


def test_a_variant_sets_its_values_and_names_the_job() -> None:
    assert jobs_of(f"name: j\nmodel: {{layers: 2}}\nmatrix:\n{VARIANTS}") == [
        {"name": "j-small", "model": {"layers": 2, "units": 64}},
        {"name": "j-large", "model": {"layers": 2, "units": 256}, "training": {"epochs": 20}},
    ]


def test_variants_are_an_axis_like_the_others() -> None:
    assert names_of(f"  seed: [1, 2]\n{VARIANTS}") == [
        "j-seed-1-small",
        "j-seed-1-large",
        "j-seed-2-small",
        "j-seed-2-large",
    ]
    assert names_of(f"{VARIANTS}  seed: [1, 2]\n  exclude: [{{variants: large, seed: 2}}]\n") == [
        "j-small-seed-1",
        "j-small-seed-2",
        "j-large-seed-1",
    ]


def test_an_empty_variant_is_the_job_itself() -> None:
    assert jobs_of("name: j\nmatrix: {variants: {base: {}}}\n") == [{"name": "j-base"}]


def test_include_adds_to_a_variant_or_makes_a_new_combination_of_it() -> None:
    text = (
        f"name: j\nmatrix:\n{VARIANTS}  include:\n"
        "  - {variants: small, seed: 3}\n"
        "  - {variants: small, model.units: 65}\n"
        "  - {model.units: 256, model.layers: 3}\n"
    )
    # an include that would change a value of the variant does not fit it, as in GitHub Actions
    assert jobs_of(text) == [
        {"name": "j-small", "model": {"units": 64}, "seed": 3},
        {"name": "j-large", "model": {"units": 256, "layers": 3}, "training": {"epochs": 20}},
        {"name": "j-small-units-65", "model": {"units": 65}},
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("{variants: [small]}", 2, "must be a mapping of at least one name to its values, found a list"),
        ("{variants: {}}", 2, "must be a mapping of at least one name to its values, found an empty mapping"),
        ("{variants: {small: }}", 2, "must be a mapping of dotted keys to values, found nothing"),
        ("{variants: {a/b: {}}}", 2, "the name of a variant must be letters, digits, dots, dashes"),
        ("{variants: {end.: {}}}", 2, "the name of a variant must be letters"),
        ("{variants: {s: {model: 3}}}", 2, "is a whole section; name a key in it, such as model."),
        (
            "{variants: {s: {model.units: [3]}}}",
            2,
            "must be text, a number, true, false or null",
        ),
        ("{variants: {s: {model.unit: 3}}}", 2, "did you mean 'model.units'?"),
        (
            "{variants: {s: {seed: 3}},\n seed: [1]}",
            2,
            "is listed by the matrix too; set it in one of",
        ),
        ("{variants: {small: {}},\n exclude: [{variants: smal}]}", 3, "did you mean 'small'?"),
        ("{variants: {small: {}},\n include: [{variants: big}]}", 3, "known here: small"),
        ("{seed: [1],\n include: [{variants: big}]}", 3, "the matrix has no variants"),
        ("{variant: {s: {seed: 3}}}", 2, "did you mean 'variants'?"),
    ],
)
def test_mistakes_in_variants(text: str, line: int, message: str) -> None:
    jobs, complaints = expand(entry(f"name: j\nmatrix: {text}\n"))
    assert jobs == []
    assert [complaint.line for complaint in complaints if message in complaint.message] == [line]
