"""What all architectures have in common: padding, the source mask, Keras inputs, and named outputs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PAD = 0
"""Id of the padding on the right of each row; where lengths vary, the encoder ignores it."""


def sequence_input(shape: tuple[int | None, ...], size: int, name: str, *, numbers: bool) -> Any:
    """Return an input of token ids, or of numbers with `size` values at each position.

    Args:
        shape: Shape of one row of ids, (T,).
        size: Number of values at each position, for numbers.
        name: Name of the input.
        numbers: Whether the sequence is of numbers.
    """
    if numbers:
        return keras.Input((*shape, size), dtype="float32", name=name)
    return keras.Input(shape, dtype="int32", name=name)


def source_mask(source: Any, masked: bool) -> Any:
    """Return the mask of a source, (B, S) bool, False for padding; None where lengths are fixed."""
    return ops.not_equal(source, PAD) if masked else None


def named(name: str, x: Any) -> Any:
    """Return an output with a name."""
    return keras.layers.Identity(name=name)(x)
