"""What pyproject.toml, the lock files, tox.ini and the Makefile say of each other must agree."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import job
from job.process.installed_versions import REQUIRED

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
CONTENT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = CONTENT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
ADDRESS = re.compile(r"://|^\s*-(i|-index-url|-extra-index-url|f|-find-links)\b|^#.*/", re.MULTILINE)
GROUPS: dict[str, list[str]] = CONTENT["dependency-groups"]
STORES = [*EXTRAS["s3"], *EXTRAS["gcs"]]
RUNTIME = [*PROJECT["dependencies"], *EXTRAS["data"]]
LOCKS = {
    "runtime": RUNTIME,
    "dev": [*RUNTIME, *EXTRAS["store"], *EXTRAS["dev"]],
    "image-cpu": [
        *(d for d in RUNTIME if Requirement(d).name != "tensorflow"),
        *GROUPS["image-cpu"],
        *STORES,
    ],
    "image-gpu": [*RUNTIME, *EXTRAS["gpu"], *STORES],
    "integrations": [
        *PROJECT["dependencies"],
        *(text for extra in ("export", "s3", "mlflow") for text in EXTRAS[extra]),
        *GROUPS["integrations"],
    ],
    "bootstrap": GROUPS["bootstrap"],
    "image-tools": GROUPS["image-tools"],
    "image-gpu-check": GROUPS["image-gpu-check"],
    "image-tensorboard": GROUPS["image-tensorboard"],
}
DECLARED = sorted({*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)})
PYTHONS = [
    name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: \d+\.\d+$", name)
]


def pins(lock: str) -> list[tuple[Requirement, int]]:
    """Every requirement of a lock file with the number of its hashes."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not re.match(r"\s*#", line)]
    return [(Requirement(line.partition(" --hash")[0]), line.count("--hash=sha256:")) for line in lines]


def wanted(requirement: Requirement, python: str) -> bool:
    """Whether a requirement holds on one Python, on Linux."""
    where = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    return requirement.marker is None or requirement.marker.evaluate(where)


def pinned(lock: str, package: str, python: str) -> list[str]:
    """The versions at which a lock has a package on one Python."""
    return [
        next(iter(requirement.specifier)).version
        for requirement, _ in pins(lock)
        if canonicalize_name(requirement.name) == canonicalize_name(package) and wanted(requirement, python)
    ]


def lower_bound(text: str) -> str:
    (bound,) = (part.version for part in Requirement(text).specifier if part.operator == ">=")
    return bound


def makefile_targets() -> set[str]:
    return set(
        re.findall(r"^([a-z-]+):.*## \w", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )


@pytest.mark.parametrize("text", DECLARED)
def test_every_dependency_has_a_lower_bound(text: str) -> None:
    assert re.fullmatch(r"\d+(\.\d+)+", lower_bound(text))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("lock", "text"), [(lock, text) for lock, texts in LOCKS.items() for text in texts])
def test_the_lock_satisfies_every_dependency(lock: str, text: str, python: str) -> None:
    requirement = Requirement(text)
    versions = pinned(lock, requirement.name, python)
    advice = f"run `make lock`: {requirement.name} on Python {python}: {versions}"
    assert len(versions) == wanted(requirement, python), advice
    assert all(requirement.specifier.contains(version) for version in versions)


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_tested_and_the_images_have_the_same_versions(python: str) -> None:
    names = {requirement.name for requirement, _ in pins("runtime")}
    assert len(names) > 20
    for name in names:
        runtime = pinned("runtime", name, python)
        assert not runtime or pinned("dev", name, python) == runtime
        for lock in ("image-cpu", "image-gpu"):  # which leave out what the job never imports
            assert pinned(lock, name, python) in ([], runtime)
    assert pinned("image-cpu", "tensorflow-cpu", python) == pinned("runtime", "tensorflow", python)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_pins_and_hashes_everything_and_names_no_address(lock: str) -> None:
    for requirement, hashes in pins(lock):
        assert [part.operator for part in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert hashes >= 1, requirement
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    assert not re.search(
        r"://|^\s*-(i|-index-url|-extra-index-url|f|-find-links)\b|^#.*/", text, re.MULTILINE
    )


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_can_build_the_package_without_isolation(python: str) -> None:
    for text in CONTENT["build-system"]["requires"]:
        requirement = Requirement(text)
        for lock in ("dev", "image-tools"):
            (version,) = pinned(lock, requirement.name, python)
            assert requirement.specifier.contains(version)


def test_the_version_check_asks_for_what_the_project_asks_for() -> None:
    bounds = {Requirement(text).name: lower_bound(text) for text in PROJECT["dependencies"]}
    asked = {package: tuple(map(int, bounds[package].split("."))) for package in ("tensorflow", "keras")}
    assert asked == REQUIRED


def test_the_installed_version_is_the_package_s() -> None:
    assert metadata.version("seq2seq-job") == job.__version__


def test_the_extras_are_there() -> None:
    assert set(EXTRAS) == {"gpu", "data", "subwords", "export", "store", "s3", "gcs", "mlflow", "dev"}


def test_the_command_is_installed() -> None:
    (script,) = (
        entry for entry in metadata.entry_points(group="console_scripts") if entry.name == "seq2seq-job"
    )
    assert script.value == "seq2seq_job:main"


def test_tox_tests_every_python_of_the_classifiers() -> None:
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    environments = tox["tox"]["env_list"].replace(",", " ").split()
    others = ["once", "lint", "types", "integrations", "slurm", "browser", "docker"]
    assert environments == [*(f"py{python.replace('.', '')}" for python in PYTHONS), *others]
    assert PYTHONS == ["3.10", "3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_the_makefile_has_and_lists_its_targets() -> None:
    assert makefile_targets() >= {
        *("help", "install", "run-jobs", "test", "lint", "bench", "clean"),
        *("image", "image-gpu", "run-image"),
        *("gpu-check", "image-gpu-check"),
    }


def test_what_the_makefile_lists_is_phony() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == makefile_targets()
