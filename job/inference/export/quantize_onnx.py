"""A program that writes ONNX files whose weights of matrix products have 8 bits, by onnxruntime alone.

Weights are quantized by channel before, and activations in each call (dynamic quantization). Its arguments:
the directory of the files, and an existing directory, which gets files of the same names.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    for blocked in ("job", "tensorflow", "keras"):
        sys.modules[blocked] = None  # type: ignore[assignment]


def main(given: str, output: str) -> None:
    """Quantize each file of a directory."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for file in sorted(Path(given).glob("*.onnx")):
        quantize_dynamic(file, Path(output) / file.name, per_channel=True, weight_type=QuantType.QInt8)


if __name__ == "__main__":
    main(*sys.argv[1:])
