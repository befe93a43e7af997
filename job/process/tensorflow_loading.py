"""Import TensorFlow and Keras with fixed settings, and check that they work.

They are imported inside functions only: the parent process of a batch imports this module, but not them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from job.errors import DependencyError
from job.process.installed_versions import installed

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
"""Environment variables that change the results of TensorFlow and Keras; they are unset before the import."""

VARIABLES = {
    # One thread per operation: more do not speed up small operations, and sums would depend on their number.
    # The number of operations that run at the same time is part of the task.
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "KERAS_BACKEND": "tensorflow",
}
"""Environment variables of a worker, set before it starts: some libraries read them when they are loaded."""


def check_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow and Keras and run one small layer with states, to detect a broken installation early.

    Args:
        threads: Number of operations that may run at the same time; can only be set before any has run. None
            keeps the default. Results do not depend on it.

    Raises:
        DependencyError: TensorFlow or Keras cannot be imported, or the layer does not work.
    """
    try:
        load_tensorflow()
        import keras
        import tensorflow as tf

        if threads is not None:
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        output, *states = keras.layers.LSTM(1, return_state=True)(tf.zeros([1, 1, 1]))
        works = output.shape == (1, 1) and len(states) == 2
    except Exception as error:  # a broken installation can raise anything
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


def load_tensorflow() -> None:
    """Import TensorFlow and Keras, with the settings that results depend on, whatever `keras.json` says.

    Raises:
        Exception: A broken installation can raise anything.
    """
    for name in IGNORED_VARIABLES:
        os.environ.pop(name, None)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # takes precedence over keras.json
    with nullcontext() if "keras" in sys.modules else _faster_import():
        import keras
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


@contextmanager
def _faster_import() -> Iterator[None]:
    """Import within the block in two thirds of the time: without garbage collection and optional packages.

    Imports leave no garbage. TensorFlow and Keras import matplotlib and pandas if they are installed, but
    this package does not need what depends on them.
    """
    hidden: dict[str, Any] = {name: None for name in ("matplotlib", "pandas") if name not in sys.modules}
    sys.modules.update(hidden)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # modules stay loaded: later collections need not traverse them
        gc.enable()
        for name in hidden:
            del sys.modules[name]
