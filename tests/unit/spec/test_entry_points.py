"""What a fingerprint knows of a problem, and of a model, that another package offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from job.errors import ChangedDataError, DataError
from job.spec import entry_points as plugins
from job.spec.factories import check_package
from job.spec.fingerprints import fingerprints_of, planned_data
from job.spec.schema import JobSpec
from job.spec.spec_file import json_schema
from job.spec.spec_loading import load_spec


def entry_points(folder: Path, distribution: str, version: str, value: str) -> None:
    info = folder / f"{distribution}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    groups = (plugins.PROBLEMS, plugins.MODELS)
    (info / "entry_points.txt").write_text("".join(f"[{group.name}]\nmine = {value}\n" for group in groups))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path / "site")
    package = tmp_path / "site" / "offered_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('nobody imports this')\n")
    (package / "inner" / "problem.py").write_text("SIZE = 3\n")
    entry_points(tmp_path / "site", "offered", "1.2", "offered_package.inner.problem:build")
    return tmp_path / "site"


def job_of(**problem: object) -> JobSpec:
    return JobSpec.model_validate({"name": "a", "problem": {"kind": "plugin", "name": "mine", **problem}})


def with_model(**model: object) -> JobSpec:
    return JobSpec.model_validate(
        {
            "name": "a",
            "problem": {"kind": "addition", "digits": 2},
            "model": {"architecture": "plugin", "name": "mine", **model},
        }
    )


JOBS = pytest.mark.parametrize("job", [job_of, with_model], ids=["problem", "model"])


def new_version(site: Path) -> None:
    (site / "offered-1.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: offered\nVersion: 1.3\n"
    )


def new_code(site: Path) -> None:
    (site / "offered_package" / "inner" / "problem.py").write_text("SIZE = 4\n")


def nothing(site: Path) -> None:
    (site / "offered_package" / "notes.txt").write_text("no Python\n")


@JOBS
@pytest.mark.parametrize(("change", "differs"), [(new_version, True), (new_code, True), (nothing, False)])
def test_a_fingerprint_knows_version_and_code(
    site: Path, job: Callable[..., JobSpec], change: Callable[[Path], None], differs: bool
) -> None:
    before = fingerprints_of(job(), site)
    change(site)
    assert (fingerprints_of(job(), site).training != before.training) == differs


@JOBS
def test_a_fingerprint_knows_the_options(site: Path, job: Callable[..., JobSpec]) -> None:
    one, other = (fingerprints_of(job(options={"size": size}), site) for size in (3, 4))
    assert one.training != other.training


def test_a_package_of_a_model_that_changes_before_its_training_is_refused(site: Path) -> None:
    planned = planned_data(with_model(), site)
    check_package(plugins.MODELS, "mine", planned.model)
    new_code(site)
    with pytest.raises(ChangedDataError, match=r"the package of model 'mine' \(offered 1.2\) has changed"):
        check_package(plugins.MODELS, "mine", planned.model)


def test_other_problems_do_not_look_for_packages(site: Path) -> None:
    sums = JobSpec.model_validate({"name": "a", "problem": {"kind": "addition", "digits": 2}})
    before = fingerprints_of(sums, site)
    new_code(site)
    assert fingerprints_of(sums, site) == before


def test_identity_is_found_without_importing(site: Path) -> None:
    found = plugins.identity(plugins.PROBLEMS, "mine")
    assert found["distribution"] == "offered 1.2"
    assert len(found["sha256"]) == 64


def test_a_module_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    entry_points(tmp_path, "single", "1", "offered_single:build")
    before = plugins.identity(
        plugins.PROBLEMS, "mine"
    )  # the module is not there: what cannot be read decides nothing
    (tmp_path / "offered_single.py").write_text("SIZE = 3\n")
    assert plugins.identity(plugins.PROBLEMS, "mine")["sha256"] != before["sha256"]


@JOBS
def test_what_is_not_installed_has_no_fingerprint(tmp_path: Path, job: Callable[..., JobSpec]) -> None:
    with pytest.raises(DataError, match=r"no installed package offers a (problem|model) 'mine'"):
        fingerprints_of(job(), tmp_path)


# --- in a spec --------------------------------------------------------------------------------------------

SPEC = """\
version: 1
jobs:
- name: a
  problem: {kind: plugin, name: mine, options: {deep: {list: [1, {x: null}]}, size: 3}}
- name: grid
  problem: {kind: plugin, name: mine, options: {size: 3}}
  matrix:
    problem.options.size: [4, 5]
    problem.options.deep.colour: [red]
    include: [{problem.options.other: true}]
- name: model
  problem: {kind: addition, digits: 2}
  model: {architecture: plugin, name: mine}
  matrix: {model.options.size: [4, 5]}
"""


def test_options_may_be_anything_and_a_matrix_may_set_them(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(SPEC)
    first, *others, four, five = load_spec(path).jobs
    assert (four.name, four.model.options, five.model.options) == ("model-size-4", {"size": 4}, {"size": 5})
    assert first.problem.model_dump()["options"] == {"deep": {"list": [1, {"x": None}]}, "size": 3}
    assert [(job.name, job.problem.model_dump()["options"]) for job in others] == [
        ("grid-size-4-colour-red", {"size": 4, "deep": {"colour": "red"}, "other": True}),
        ("grid-size-5-colour-red", {"size": 5, "deep": {"colour": "red"}, "other": True}),
    ]


def test_the_json_schema_allows_the_same(tmp_path: Path) -> None:
    schema = Draft202012Validator(json_schema())
    assert schema.is_valid(yaml.safe_load(SPEC))
    assert not schema.is_valid(
        yaml.safe_load(SPEC.replace("problem.options.size: [4, 5]", "problem.options: [4]"))
    )
    assert not schema.is_valid(yaml.safe_load(SPEC.replace("[4, 5]", "[[4], 5]")))
