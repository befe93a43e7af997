"""Checks of the installed TensorFlow and Keras, their import, and the environment recorded in results."""

from __future__ import annotations

import gc
import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

import job
from job.errors import DependencyError

REQUIRED = {"tensorflow": (2, 20), "keras": (3, 12, 4)}
"""Oldest versions that work; `pyproject.toml` asks for the same."""

UNSAFE = {"keras": ((3, 13), (3, 15, 1))}
"""Newer versions that are refused all the same, from the first up to the one before the second: they lack
fixes of 3.12.4, so that a hostile model file may run its own code."""

_KERAS_CHOICES = {
    "floatx": ("float32", "float16", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}
"""Values of the settings in `keras.json` without which Keras is not imported, the default first."""

IGNORED_VARIABLES = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "TF_ENABLE_AUTO_MIXED_PRECISION",
    "TF_ENABLE_AUTO_MIXED_PRECISION_GRAPH_REWRITE",
    "TF_ENABLE_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LEVEL",
    "TF_USE_LEGACY_KERAS",
    "NVIDIA_TF32_OVERRIDE",
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "KERAS_NNX_ENABLED",
)
"""Variables that change what TensorFlow and Keras compute: results do not depend on them."""

_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly")
_RECORDED = ("keras", "numpy", "pydantic", "h5py", "ml-dtypes")


def installed(package: str) -> str | None:
    """Return a package's version without importing it, None when it is not installed."""
    names = _TENSORFLOW if package == "tensorflow" else (package,)
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version: (2, 21, 0) of `2.21.0rc1` and of `2.21`."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    return tuple([*numbers, 0, 0, 0][:3])


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
        found = _numbers(version)
        if found < oldest:
            raise DependencyError(
                f"{package} {version} is too old, {wanted} is the oldest that works; {remedy}"
            )
        first, fixed = UNSAFE.get(package, ((0,), (0,)))
        if first <= found < fixed:
            safe = ".".join(map(str, fixed))
            raise DependencyError(
                f"{package} {version} may run code of a hostile model file, {safe} does not; "
                f'run: pip install --upgrade "{package}>={safe}"'
            )
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise DependencyError(f"KERAS_BACKEND is {backend!r}; unset it or set it to tensorflow")
    _check_keras_file(_keras_file())


def _keras_file() -> Path:
    """Return where Keras reads its settings from when it is imported."""
    home = os.environ.get("KERAS_HOME")
    if home is None:
        base = os.path.expanduser("~")
        home = os.path.join(base if os.access(base, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.path.join(home, "keras.json")))


def _check_keras_file(path: Path) -> None:
    """Check that Keras can be imported with a settings file; what it sets makes no difference, see `load`.

    A file that is no JSON is no settings file to Keras.

    Raises:
        DependencyError: it cannot; names the file.
    """
    remedy = "correct it or remove the file"
    try:
        settings = json.loads(path.read_text()) if path.exists() else {}
    except OSError as error:
        raise DependencyError(
            f"{path}: cannot be read ({error.strerror}), which Keras needs; {remedy}"
        ) from None
    except ValueError:
        return
    except RecursionError:
        raise DependencyError(f"{path}: is nested too deeply; {remedy}") from None
    if not isinstance(settings, dict):
        raise DependencyError(
            f"{path}: expected a JSON object, which Keras reads its settings from; {remedy}"
        )
    for key, allowed in _KERAS_CHOICES.items():
        value = settings.get(key, allowed[0])
        if value not in allowed:
            raise DependencyError(f"{path}: {key} is {value!r}; expected {' or '.join(allowed)}; {remedy}")
    if not isinstance(settings.get("epsilon", 1e-7), float):
        value = settings["epsilon"]
        raise DependencyError(f"{path}: epsilon is {value!r}; expected a number such as 1e-7; {remedy}")


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
    """Import TensorFlow and Keras, with the settings that results depend on, whatever `keras.json` says.

    In two thirds of the time: without collecting garbage, of which there is none, and without what they load
    if it is there, to draw images and to read tables.

    Raises:
        Exception: whatever a broken install raises.
    """
    for name in IGNORED_VARIABLES:
        os.environ.pop(name, None)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # it goes before the file's
    with nullcontext() if "keras" in sys.modules else _sparing():
        import keras
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


@contextmanager
def _sparing() -> Iterator[None]:
    """Import without collecting garbage, and without packages that are loaded only if they are there."""
    hidden: dict[str, Any] = {name: None for name in ("matplotlib", "pandas") if name not in sys.modules}
    sys.modules.update(hidden)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what was loaded stays: nothing to look through again and again
        gc.enable()
        for name in hidden:
            del sys.modules[name]


def describe(devices: list[str], commit: str | None, dirty: bool | None = None) -> dict[str, Any]:
    """Return a result's `environment`.

    Args:
        devices: names of the devices that TensorFlow sees.
        commit: see `git.git_commit`.
        dirty: see `git.git_dirty`.
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
        "git_dirty": dirty,
    }


def _processor() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match.group(1) if match else platform.processor() or platform.machine()
