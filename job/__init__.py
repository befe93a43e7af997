"""Train and evaluate encoder-decoder models in batches, and use the trained ones: `job.load(DIRECTORY)`.

Importing this package costs nothing: TensorFlow is loaded by the worker processes that train and by `load`,
never by the command that starts them.
"""

import importlib

__version__ = "0.2.0"

_OFFERED = {
    "load": "job.inference.python_loading",
    "Model": "job.inference.python_model",
    "Prediction": "job.inference.prediction",
    "Alternative": "job.inference.prediction",
    "Encoding": "job.inference.prediction",
}
"""What Python code uses -> its module, imported when it is first used. `__init__.pyi` has the types."""

__all__ = ["Alternative", "Encoding", "Model", "Prediction", "__version__", "load"]


def __getattr__(name: str) -> object:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_OFFERED[name]), name)


def __dir__() -> list[str]:
    return [*__all__]
