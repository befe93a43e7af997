"""Running a recurrent layer from the last position of each row to its first."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def run_backward(layer: Any, x: Any, mask: Any, order: Any) -> list[Any]:
    """Run a recurrent layer from the last valid position of each row to the first.

    Args:
        layer: A layer that returns its outputs at all steps and its last states.
        x: Inputs, (B, S) or (B, S, F).
        mask: (B, S) bool, False for padding; None without padding.
        order: See `backward_order`; None without padding.

    Returns:
        The outputs (B, S, H), in the order of the source, and the states after the first position.
    """
    outputs, *states = layer(_reordered(x, order), mask=mask)
    return [_reordered(outputs, order), *states]


def backward_order(source: Any, mask: Any) -> Any:
    """Return the position of each step in backward order, (B, S) int32: valid positions first, then padding.

    Args:
        source: (B, S) int32.
        mask: (B, S) bool, False for the padding on the right.
    """
    steps = ops.cumsum(ops.ones_like(source), axis=1) - 1
    lengths = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    return ops.where(ops.less(steps, lengths), lengths - 1 - steps, steps)


def _reordered(x: Any, order: Any) -> Any:
    """Return x, (B, S) or (B, S, F), with its steps in `order`, (B, S) int32; None reverses all steps."""
    if order is None:
        return ops.flip(x, axis=1)
    return ops.take_along_axis(x, order if len(x.shape) == 2 else ops.expand_dims(order, -1), axis=1)


@keras.saving.register_keras_serializable(package="seq2seq_job")
class Reverse(keras.layers.Layer):  # type: ignore[misc]
    """A layer that reverses the steps of each row; models saved by versions up to 0.1 contain it.

    The valid steps are reversed, and padding stays on the right: (B, T, ...) -> (B, T, ...).
    """

    def __init__(self, **kwargs: Any) -> None:  # without `**kwargs` Keras would not save the layer's name
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        """Return `x` with step t of row b moved to length_b - 1 - t."""
        length = ops.shape(x)[1]
        steps = ops.arange(length)[None, :]
        valid = ops.full_like(steps, length) if mask is None else ops.sum(ops.cast(mask, "int32"), 1)[:, None]
        index = ops.where(steps < valid, valid - 1 - steps, steps)
        index = ops.broadcast_to(index, ops.shape(x)[:2])
        if len(x.shape) == 2:
            return ops.take_along_axis(x, index, axis=1)
        return ops.take_along_axis(x, index[:, :, None], axis=1)

    def compute_output_spec(self, x: Any, mask: Any = None) -> keras.KerasTensor:
        """Return the shape and dtype of the output; without this method Keras would trace `call`."""
        return keras.KerasTensor(x.shape, x.dtype)
