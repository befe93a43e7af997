"""Keras's settings file `keras.json`, which can prevent Keras from being imported."""

from __future__ import annotations

import json
import os
from pathlib import Path

from job.errors import DependencyError

_CHOICES = {
    "floatx": ("float32", "float16", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}
"""Values with which Keras can be imported, by setting; the default comes first."""


def check_settings_file() -> None:
    """Check that Keras can be imported with its settings file.

    The settings do not affect results (see `tensorflow_loading.load_tensorflow`). Keras ignores a file that
    is not JSON.

    Raises:
        DependencyError: Keras cannot be imported with the file; the message names it.
    """
    path = _settings_file()
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
    for key, allowed in _CHOICES.items():
        value = settings.get(key, allowed[0])
        if value not in allowed:
            raise DependencyError(f"{path}: {key} is {value!r}; expected {' or '.join(allowed)}; {remedy}")
    if not isinstance(settings.get("epsilon", 1e-7), float):
        value = settings["epsilon"]
        raise DependencyError(f"{path}: epsilon is {value!r}; expected a number such as 1e-7; {remedy}")


def _settings_file() -> Path:
    """Return the path from which Keras reads its settings when it is imported."""
    home = os.environ.get("KERAS_HOME")
    if home is None:
        base = os.path.expanduser("~")
        home = os.path.join(base if os.access(base, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.path.join(home, "keras.json")))
