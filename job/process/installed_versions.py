"""The installed versions of TensorFlow, Keras and other packages, read without importing them."""

from __future__ import annotations

import os
import re
from importlib import metadata

from job.errors import DependencyError
from job.process.keras_settings import check_settings_file

REQUIRED = {"tensorflow": (2, 20), "keras": (3, 12, 4)}
"""Oldest versions that work; `pyproject.toml` requires the same."""

UNSAFE = {"keras": ((3, 13), (3, 15, 1))}
"""Ranges of later versions that are refused, by package: the first version, and the version with the fix.

They lack security fixes of 3.12.4, so a malicious model file could run code.
"""

_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly")


def installed(package: str) -> str | None:
    """Return a package's version without importing it; None if it is not installed."""
    names = _TENSORFLOW if package == "tensorflow" else (package,)
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def check_versions() -> None:
    """Check the versions and the settings of TensorFlow and Keras, without importing them.

    Raises:
        DependencyError: A package is missing, too old or unsafe, or Keras is set to another backend or has a
            settings file that it cannot load.
    """
    for package, oldest in REQUIRED.items():
        _check_version(package, oldest)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise DependencyError(f"KERAS_BACKEND is {backend!r}; unset it or set it to tensorflow")
    check_settings_file()


def _check_version(package: str, oldest: tuple[int, ...]) -> None:
    required = _text(oldest)
    remedy = f'run: pip install --upgrade "{package}>={required}"'
    version = installed(package)
    if version is None:
        raise DependencyError(f"{package} is not installed; {remedy}")
    found = _numbers(version)
    if found < oldest:
        raise DependencyError(
            f"{package} {version} is too old, {required} is the oldest that works; {remedy}"
        )
    first, fixed = UNSAFE.get(package, ((0,), (0,)))
    if first <= found < fixed:
        raise DependencyError(
            f"{package} {version} may run code of a hostile model file, {_text(fixed)} does not; "
            f'run: pip install --upgrade "{package}>={_text(fixed)}"'
        )


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version: (2, 21, 0) for `2.21.0rc1` and for `2.21`."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    return tuple([*numbers, 0, 0, 0][:3])
