"""What is part of a job's fingerprint and what is not."""

from __future__ import annotations

import importlib.metadata
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from job.errors import DataError
from job.spec import fingerprints
from job.spec.change_effects import EFFECTS, changed_keys, effect_of, select
from job.spec.evaluation_section import EvaluationSpec
from job.spec.fingerprints import Fingerprints, fingerprints_of
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


def fresh(spec: dict[str, Any], directory: Path) -> Fingerprints:
    fingerprints.installed_versions.cache_clear()
    return fingerprints_of(JobSpec.model_validate(spec), directory)


def test_fingerprints_are_of_the_resolved_spec(tmp_path: Path, installed: dict[str, str]) -> None:
    first = fresh(COPY, tmp_path)
    assert re.fullmatch("[0-9a-f]{64}", first.training)
    assert re.fullmatch("[0-9a-f]{64}", first.evaluation)
    assert first.training != first.evaluation
    assert first == fresh({**COPY, "seed": 7, "model": {"units": 128}}, tmp_path)


# --- which change affects what ------------------------------------------------------------------------------

PLUGIN = {"kind": "plugin", "name": "p", "options": {"size": 3}}
EVALUATION_KEYS = {
    "examples",
    "decoder",
    "beam_width",
    "length_penalty",
    "coverage_penalty",
    "temperature",
    "top_k",
    "top_p",
    "sample_seed",
    "max_length",
    "max_length_factor",
    "also",
}
TOP_LEVEL_KEYS = {
    "name": "name",
    "seed": "training",
    "seeds": "operation",
    "problem": "training",
    "model": "training",
    "training": "training",
    "evaluation": "evaluation",
    "export": "evaluation",
    "gate": "gate",
    "device": "training",
    "timeout_minutes": "operation",
    "retries": "operation",
}


def keys_of(section: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the dotted key of every value of a resolved job."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from keys_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def with_other_value(section: BaseModel, key: str) -> Any:
    """Return a job in which the value of a key is another one, which need not be valid."""
    name, _, inside = key.partition(".")
    value = getattr(section, name)
    another = EARLIER if name == "start_from" else ["another value"]
    other = with_other_value(value, inside) if inside else another
    return section.model_copy(update={name: other})


JOB = JobSpec.model_validate(
    {**COPY, "training": {"early_stopping": {"patience": 3}}, "seeds": [7], "timeout_minutes": 3}
)


EARLIER = "earlier"
"""A model directory, whose files are read."""


def observed_effect(key: str, directory: Path) -> str:
    """Return what a change of a key does to the fingerprints."""
    (directory / EARLIER).mkdir(exist_ok=True)
    for name in ("train.keras", "vocabulary.json"):
        (directory / EARLIER / name).touch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pydantic's, about the value's type
        before = fingerprints_of(JOB, directory)
        after = fingerprints_of(with_other_value(JOB, key), directory)
    if before.training != after.training:
        assert before.evaluation != after.evaluation
        return "training"
    return "evaluation" if before.evaluation != after.evaluation else "nothing"


def documented_effects() -> dict[str, str]:
    """Return what is computed again after a change of each key, by the table in docs/running.md."""
    text = (Path(__file__).parents[3] / "docs" / "running.md").read_text("utf-8")
    _, _, section = text.partition("## What is computed again after which change")
    effects = {"trained": "training", "evaluated": "evaluation", "judged": "gate", "nothing": "nothing"}
    rows = re.findall(r"^\| (.*?) \| \*\*(\w+)\*\*", section.partition("\n## ")[0], re.MULTILINE)
    found = [(key, effects[effect]) for keys, effect in rows for key in re.findall(r"`([\w.*]+)`", keys)]
    assert len({key for key, _ in found}) == len(found), "a key is in two rows"
    return dict(found)


def documented_effect(key: str, table: dict[str, str]) -> str:
    if key in table:
        return table[key]
    sections = [f"{key.rpartition('.')[0]}.*", f"{key.partition('.')[0]}.*"]
    return next(table[section] for section in sections if section in table)


OF_FILES = {"problem.licence"}
"""Keys that only a job with data files has: see `test_the_licence_of_the_data`."""

OF_PLUGINS = {"model.name", "model.options"}
"""Keys that only a job with a plugin has: see test_entry_points.py."""


@pytest.mark.parametrize("key", sorted({*keys_of(JOB)} - {"problem.kind", *OF_PLUGINS}))
def test_what_a_change_affects_is_what_the_documentation_says(key: str, tmp_path: Path) -> None:
    documented = documented_effect(key, documented_effects())
    assert observed_effect(key, tmp_path) == {"gate": "nothing"}.get(documented, documented)
    assert documented == {"operation": "nothing", "name": "nothing"}.get(effect_of(key), effect_of(key))


def test_new_keys_cannot_be_forgotten() -> None:
    """A key that is added here by its name has an effect that somebody has thought about.

    A new key of the sections problem, model and training trains again, which is always right.
    """
    assert set(JobSpec.model_fields) == set(TOP_LEVEL_KEYS)
    assert {key: effect_of(key) for key in TOP_LEVEL_KEYS} == TOP_LEVEL_KEYS
    effects = {key: effect_of(f"evaluation.{key}") for key in EvaluationSpec.model_fields}
    assert effects.pop("validation_examples") == "training"  # their loss may end the training
    assert effects.pop("ensemble") == "operation"  # it is computed from what the seeds have left
    assert set(effects) == EVALUATION_KEYS
    assert set(effects.values()) == {"evaluation"}
    table = documented_effects()
    assert {f"evaluation.{key}" for key in EVALUATION_KEYS} <= table.keys()
    assert table.keys() - {f"{key}.*" for key in TOP_LEVEL_KEYS} <= {*keys_of(JOB), *OF_FILES}


@pytest.mark.parametrize("section", [key for key, effect in EFFECTS.items() if effect != "training"])
def test_every_exception_is_a_key_of_a_job(section: str) -> None:
    keys = {*keys_of(JOB), *OF_FILES}
    assert section in keys or any(key.startswith(f"{section}.") for key in keys)


def test_the_licence_of_the_data_evaluates_again_and_compares_with_earlier_results(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("a\tb\n")
    before = JobSpec.model_validate(PAIRS)
    assert "licence" not in before.model_dump(mode="json")["problem"]
    assert "problem" not in select(before.model_dump(mode="json"), "evaluation")
    after = JobSpec.model_validate({**PAIRS, "problem": {**PAIRS["problem"], "licence": "CC0"}})
    old, new = (fingerprints_of(job, tmp_path) for job in (before, after))
    assert old.training == new.training
    assert old.evaluation != new.evaluation
    assert documented_effects()["problem.licence"] == effect_of("problem.licence") == "evaluation"
    first, second = (fingerprints.problem_fingerprint(job, tmp_path) for job in (before, after))
    assert first == second


def test_a_plugins_options_are_part_of_the_training() -> None:
    spec = {"name": "a", "problem": {**PLUGIN, "options": {"size": 3}}}
    other = {"name": "a", "problem": {**PLUGIN, "options": {"size": 4}}}
    assert select(spec, "training") != select(other, "training")
    assert select(spec, "evaluation") == select(other, "evaluation") == {}


def test_changed_keys_are_named_with_both_values() -> None:
    before = {"model": {"units": 64, "cell": "lstm"}, "gate": {"min_bleu": None}, "seed": 7, "old": True}
    after = {
        "model": {"units": 128, "cell": "lstm"},
        "gate": {"min_bleu": 0.5},
        "seed": 7,
        "also": [1],
    }
    assert [*map(str, changed_keys(before, after))] == [
        "model.units 64 -> 128",
        "gate.min_bleu null -> 0.5",
        "also absent -> [1]",
        "old true -> absent",
    ]
    assert changed_keys({"a": 1}, {"a": True}) != ()
    (change,) = changed_keys({"a": "x"}, {"a": "y" * 200})
    assert change.after == "y" * 59 + "…"


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
