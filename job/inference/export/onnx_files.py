"""Write an exported model as ONNX files: the encoder, and one step of the decoder; with float32 or 8 bits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from job.errors import ExportError
from job.inference.export.functions import ExportedModel, Function
from job.inference.export.runtimes import run_program
from job.process.stopping import Stop
from job.storage.documents import why

OPSET = 18
"""Version of the ONNX operators, of ONNX 1.13 and onnxruntime 1.14."""

FILES = {"encode": "encoder.onnx", "step": "decoder_step.onnx"}
"""Name of a function -> its file."""


def write_onnx(exported: ExportedModel, folder: Path, _: Stop) -> None:
    """Write `FILES` to an existing directory.

    Raises:
        ExportError: an operation cannot be converted.
    """
    import onnx

    for name, file in FILES.items():
        model = _converted(getattr(exported, name), name)
        onnx.save(model, folder / file)


def write_quantized_onnx(_: ExportedModel, folder: Path, stop: Stop) -> None:
    """Write 8-bit versions of the files in the sibling directory `onnx` to a directory.

    Raises:
        ExportError: they cannot be quantized.
        Stopped: the job was asked to stop.
    """
    scratch = folder / "scratch"
    scratch.mkdir()
    run_program("quantize_onnx", [str((folder.parent / "onnx").absolute()), ".."], scratch, stop)
    shutil.rmtree(scratch)


def _converted(function: Function, name: str) -> Any:
    """Return a function as an ONNX model."""
    import onnx
    import tf2onnx

    try:
        compiled = function.compiled()
        model, _ = tf2onnx.convert.from_function(compiled, [*function.inputs], opset=OPSET)
        _name_sizes(model, compiled.get_concrete_function().structured_outputs)
        onnx.checker.check_model(model)
    except Exception as error:  # of what they cannot convert, tf2onnx and protobuf raise almost anything
        raise ExportError(f"its function `{name}` cannot be converted ({why(error)})") from error
    return model


def _name_sizes(model: Any, outputs: Mapping[str, Any]) -> None:
    """Name the sizes that vary: `n` rows, `S` source positions, `classes` with the columns of a pointer.

    Args:
        model: the ONNX model.
        outputs: tensors by name, whose sizes tf2onnx may have lost.
    """
    for value in (*model.graph.input, *model.graph.output):
        known = outputs[value.name].shape if value.name in outputs else ()
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if axis and axis < len(known) and known[axis] is not None:
                size.dim_value = known[axis]
            elif not size.dim_value:
                size.dim_param = "n" if axis == 0 else "classes" if value.name == "logits" else "S"
