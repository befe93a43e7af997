"""Load TensorFlow in a process that only uses saved models: as in a worker, and without its messages."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

from job.process.installed_versions import check_versions
from job.process.tensorflow_loading import VARIABLES, check_tensorflow

_LOCK = threading.Lock()


def load_tensorflow_quietly(*, parallel: bool = False) -> None:
    """Import TensorFlow and Keras with the settings of a worker, so that predictions equal the evaluation's.

    In a process that has imported TensorFlow and Keras before, only their versions are checked.

    Args:
        parallel: Whether several operations may run at the same time, as many as there are cores. Results do
            not depend on it.

    Raises:
        DependencyError: TensorFlow or Keras is missing, too old or broken.
    """
    with _LOCK:
        check_versions()
        if {"tensorflow", "keras"} <= sys.modules.keys():
            return
        variables = {**VARIABLES, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if parallel:
            del variables["TF_NUM_INTEROP_THREADS"]
        with _environment(variables), nullcontext() if "tensorflow" in sys.modules else _silent_stderr():
            check_tensorflow()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block, and restore them: they are the caller's."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard what TensorFlow's libraries print while they are loaded; no log level stops it."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
