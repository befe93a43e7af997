"""What a result was made with, and whether it can be made at all: package versions, platform, commit."""

from __future__ import annotations

import gc
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import job
from job.errors import DependencyError

REQUIRED = {"tensorflow": (2, 20), "keras": (3, 10)}
"""Oldest versions that work; `pyproject.toml` asks for the same."""

_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly")
_RECORDED = ("keras", "numpy", "pydantic", "h5py", "ml-dtypes")
_COMMIT_VARIABLES = ("SEQ2SEQ_JOB_GIT_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")


def installed(package: str) -> str | None:
    """Return a package's version without importing it, None when it is not installed."""
    names = _TENSORFLOW if package == "tensorflow" else (package,)
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def check_versions() -> None:
    """Check that TensorFlow and Keras are there and new enough, without importing them.

    Raises:
        DependencyError: one is missing or too old.
    """
    for package, oldest in REQUIRED.items():
        wanted = ".".join(map(str, oldest))
        remedy = f'run: pip install --upgrade "{package}>={wanted}"'
        version = installed(package)
        if version is None:
            raise DependencyError(f"{package} is not installed; {remedy}")
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < oldest:
            raise DependencyError(
                f"{package} {version} is too old, {wanted} is the oldest that works; {remedy}"
            )
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise DependencyError(f"KERAS_BACKEND is {backend!r}; unset it or set it to tensorflow")


def check_works(threads: int | None = None) -> None:
    """Import TensorFlow and Keras, and run one small layer with states, to tell a broken install early.

    Args:
        threads: how many operations may run at once, if that is to be set: before anything has run. Results
            do not depend on it.

    Raises:
        DependencyError: they do not import, or Keras does not do what this package builds on.
    """
    try:
        load()
        import keras
        import tensorflow as tf

        if threads is not None:
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        output, *states = keras.layers.LSTM(1, return_state=True)(tf.zeros([1, 1, 1]))
        works = output.shape == (1, 1) and len(states) == 2
    except Exception as error:  # a broken install can raise anything
        message = next(iter(str(error).strip().splitlines()), "no message")
        raise DependencyError(
            f"TensorFlow {installed('tensorflow')} with Keras {installed('keras')} does not work here "
            f"({type(error).__name__}: {message}); "
            "reinstall them: pip install --force-reinstall tensorflow keras"
        ) from error
    if not works:
        raise DependencyError(
            f"Keras {installed('keras')} gives LSTM states in a form that is not understood"
        )


def load() -> None:
    """Import TensorFlow and Keras in two thirds of the time: without collecting garbage, of which there is
    none, and without what they load if it is there, to draw images and to read tables.

    Raises:
        Exception: whatever a broken install raises.
    """
    if "keras" in sys.modules:
        return
    hidden: dict[str, Any] = {name: None for name in ("matplotlib", "pandas") if name not in sys.modules}
    sys.modules.update(hidden)
    gc.disable()
    try:
        import keras  # noqa: F401 - it imports TensorFlow
    finally:
        gc.freeze()  # what was loaded stays: nothing to look through again and again
        gc.enable()
        for name in hidden:
            del sys.modules[name]


def describe(devices: list[str], commit: str | None) -> dict[str, Any]:
    """Return a result's `environment`.

    Args:
        devices: names of the devices that TensorFlow sees.
        commit: see `git_commit`.
    """
    return {
        "versions": {
            "seq2seq-job": job.__version__,
            "python": platform.python_version(),
            "tensorflow": installed("tensorflow"),
            **{name: installed(name) for name in _RECORDED},
        },
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "devices": devices,
        "git_commit": commit,
    }


def _processor() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match.group(1) if match else platform.processor() or platform.machine()


def git_commit(directory: Path) -> str | None:
    """Return the commit that `directory` is at: from CI's variables, else from git, else None."""
    for variable in _COMMIT_VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    command = ["git", "-C", str(directory), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
