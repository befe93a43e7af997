"""How a Transformer knows positions: rotary, sinusoidal or learned, from Keras's own operations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from job.errors import no_implementation
from job.spec.model_section import ModelSpec

_BASE = 10_000.0
"""Base of the wave lengths, in Vaswani et al. 2017 and in Su et al. 2021."""


@dataclass(frozen=True)
class Rotation:
    """The rotation of queries and keys by their positions; cosine and sine, each (1, 1, T, D / 2)."""

    cosine: Any
    sine: Any

    def turn(self, x: Any) -> Any:
        """Rotate vectors, (B, heads, T, D) -> (B, heads, T, D): Su et al. 2021, equation 34.

        The paper rotates components 2i and 2i + 1 together; here it is i and i + D / 2. The projections of
        queries and keys are learned, so the order of the components does not matter.
        """
        first, second = ops.split(x, 2, axis=-1)
        turned = [first * self.cosine - second * self.sine, second * self.cosine + first * self.sine]
        return ops.concatenate(turned, axis=-1)


class Positions:
    """The positions of one side: what is added to the embeddings, and the rotation of queries and keys.

    Args:
        spec: The architecture.
        side: `source` or `target`, for the name of the layer.
    """

    def __init__(self, spec: ModelSpec, side: str) -> None:
        self._spec = spec
        self._table = None
        if spec.positions == "learned":
            initializer = keras.initializers.RandomNormal(stddev=spec.units**-0.5)
            self._table = keras.layers.Embedding(
                spec.max_positions, spec.units, initializer, name=f"{side}_positions"
            )

    def enter(self, x: Any, at: Any) -> tuple[Any, Rotation | None]:
        """Add positions to embedded tokens; return them with the rotation, or with None if there is none.

        Args:
            x: (B, T, U) float32.
            at: The position of each step, (1, T, 1) float32; see `counted`.
        """
        spec = self._spec
        match spec.positions:
            case "rotary":
                angles = ops.expand_dims(_angles(x, at, spec.units // spec.heads), 1)
                return x, Rotation(ops.cast(ops.cos(angles), x.dtype), ops.cast(ops.sin(angles), x.dtype))
            case "sinusoidal":
                angles = _angles(x, at, spec.units)
                waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
                return x + ops.cast(waves, x.dtype), None
            case "learned":
                assert self._table is not None
                last = float(spec.max_positions - 1)
                ids = ops.cast(ops.minimum(ops.squeeze(at, -1), last), "int32")
                return x + math.sqrt(spec.units) * self._table(ids), None
            case unknown:
                no_implementation("model.positions", unknown)


def counted(x: Any) -> Any:
    """Return the positions 0, 1, ... of the steps of x: (B, T, ...) -> (1, T, 1) float32, whatever x is."""
    return ops.cumsum(ops.ones_like(x[:1, :, :1], dtype="float32"), axis=1) - 1.0


def after(keys: Any) -> Any:
    """Return the position after the last of some cached keys: (B, heads, T, D) -> (1, 1, 1) float32."""
    return ops.sum(ops.ones_like(keys[:1, :1, :, :1], dtype="float32"), axis=2)


def _angles(x: Any, at: Any, width: int) -> Any:
    """Return the angle of each step and frequency, (1, T, width / 2): position / 10000^(2i / width).

    Vaswani et al. 2017, section 3.5; Su et al. 2021, equation 15. The frequencies are computed from the shape
    of x, (B, T, U), because a saved model cannot hold a constant array.
    """
    i = ops.cumsum(ops.ones_like(x[:1, :1, : width // 2], dtype="float32"), axis=-1) - 1.0
    return at * ops.exp(i * (-2.0 * math.log(_BASE) / width))
