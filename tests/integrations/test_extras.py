"""The environment of this suite has what the extras ask for."""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONTENT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = CONTENT["project"]["optional-dependencies"]
MODULES = {"mlflow-skinny": "mlflow"}


@pytest.mark.parametrize("extra", ["export", "store", "s3", "mlflow"])
def test_an_extra_is_installed_as_it_asks(extra: str) -> None:
    for text in EXTRAS[extra]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(metadata.version(requirement.name))
        import_module(MODULES.get(requirement.name, requirement.name))
