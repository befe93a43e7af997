"""Write an exported model as a TensorFlow SavedModel."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from job.inference.export.functions import ExportedModel
from job.process.stopping import Stop

VERSION = "1"
"""The directory below that of the model: TensorFlow Serving expects a number there."""


def write_saved_model(exported: ExportedModel, folder: Path, _: Stop) -> None:
    """Write a SavedModel with the signatures `encode`, `step` and `predict`.

    Args:
        exported: the model.
        folder: an existing directory; the SavedModel is in `VERSION` below it.
    """
    module = tf.Module()
    both = (*exported.model.encoder.variables, *exported.model.decoder.variables)
    module.all_variables = [*{id(variable): variable.value for variable in both}.values()]
    signatures = {
        name: getattr(exported, name).compiled().get_concrete_function()
        for name in ("encode", "step", "predict")
    }
    tf.saved_model.save(module, str(folder / VERSION), signatures=signatures)
