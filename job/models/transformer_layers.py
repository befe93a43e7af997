"""The sublayers of a Transformer: self-attention, cross-attention, and the position-wise feed-forward layer.

Each one normalizes its input, applies dropout to its output, and adds its input.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from job.models.positions import Rotation
from job.spec.model_section import ModelSpec


class Layers:
    """A factory of Keras layers with the options of one model.

    Args:
        spec: The architecture.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def dense(self, name: str, units: int, *, bias: bool, activation: str | None = None) -> Any:
        """Return a dense layer."""
        initializer = self.spec.kernel_initializer
        return keras.layers.Dense(units, activation, use_bias=bias, kernel_initializer=initializer, name=name)

    def embedding(self, name: str, size: int) -> Any:
        """Return an embedding of `size` classes; its vectors have about length 1."""
        initializer = keras.initializers.RandomNormal(stddev=self.spec.units**-0.5)
        return keras.layers.Embedding(size, self.spec.units, initializer, name=name)

    def norm(self, name: str) -> Any:
        """Return a layer normalization (Ba et al. 2016)."""
        return keras.layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")

    def dropout(self, name: str) -> Any:
        """Return a dropout layer, or an identity if the model has no dropout."""
        rate = self.spec.dropout
        return keras.layers.Dropout(rate, name=f"{name}_dropout") if rate else lambda x: x


class SelfAttention:
    """Multi-head attention of each position over the positions of its own side."""

    def __init__(self, layers: Layers, name: str) -> None:
        units, self._heads = layers.spec.units, layers.spec.heads
        self._norm = layers.norm(f"{name}_attention")
        self._project = layers.dense(f"{name}_attention", 3 * units, bias=False)
        self._output = layers.dense(f"{name}_attention_output", units, bias=False)
        self._dropout = layers.dropout(f"{name}_attention")

    def all_steps(self, x: Any, rotation: Rotation | None, bias: Any) -> Any:
        """Attend from all positions: (B, T, U) -> (B, T, U).

        Args:
            x: (B, T, U).
            rotation: The rotation of queries and keys, if any.
            bias: Added to the scores, broadcastable to (B, heads, T, T); None for nothing.
        """
        query, keys, values = self._queries_keys_values(x, rotation)
        found, _ = attend(query, keys, values, bias)
        return x + self._dropout(self._output(merge_heads(found)))

    def one_step(self, x: Any, rotation: Rotation | None, cache: list[Any]) -> tuple[Any, list[Any]]:
        """Attend from one position to itself and all before: (B, 1, U) -> (B, 1, U), and the new cache.

        Args:
            x: (B, 1, U).
            rotation: The rotation of queries and keys, if any.
            cache: Keys and values of the positions before, each (B, heads, T, D).
        """
        query, *new = self._queries_keys_values(x, rotation)
        keys, values = (ops.concatenate([old, one], axis=2) for old, one in zip(cache, new, strict=True))
        found, _ = attend(query, keys, values, None)
        return x + self._output(merge_heads(found)), [keys, values]

    def _queries_keys_values(self, x: Any, rotation: Rotation | None) -> list[Any]:
        """Return scaled queries, keys and values, each (B, heads, T, D)."""
        width = x.shape[-1] // self._heads
        joint = split_heads(self._project(self._norm(x)), 3 * self._heads)
        if rotation is None:
            query, keys, values = ops.split(joint, 3, axis=1)
        else:  # `split`, because the gradient of slices is slow
            turned, values = ops.split(joint, [2 * self._heads], axis=1)
            query, keys = ops.split(rotation.turn(turned), 2, axis=1)
        return [query * width**-0.5, keys, values]


class CrossAttention:
    """Multi-head attention of each target position over the encoder's output."""

    def __init__(self, layers: Layers, name: str) -> None:
        units, self._heads = layers.spec.units, layers.spec.heads
        self._norm = layers.norm(f"{name}_cross_attention")
        self._query = layers.dense(f"{name}_query", units, bias=False)
        self._memory = layers.dense(f"{name}_memory", 2 * units, bias=False)
        self._output = layers.dense(f"{name}_cross_attention_output", units, bias=False)
        self._dropout = layers.dropout(f"{name}_cross_attention")

    def remember(self, memory: Any) -> tuple[Any, Any]:
        """Return keys and values of the encoder's output, (B, S, U) -> (B, heads, S, D) each."""
        keys, values = ops.split(split_heads(self._memory(memory), 2 * self._heads), 2, axis=1)
        return keys, values

    def __call__(self, x: Any, keys: Any, values: Any, bias: Any) -> tuple[Any, Any, Any]:
        """Attend to the encoder's output: (B, T, U) -> (B, T, U).

        Args:
            x: (B, T, U).
            keys, values: See `remember`.
            bias: Added to the scores, (B, 1, 1, S); None for nothing.

        Returns:
            The output (B, T, U), the weights (B, heads, T, S), and the contexts of all heads, (B, T, U).
        """
        width = x.shape[-1] // self._heads
        query = split_heads(self._query(self._norm(x)), self._heads) * width**-0.5
        found, weights = attend(query, keys, values, bias)
        context = merge_heads(found)
        return x + self._dropout(self._output(context)), weights, context


class FeedForward:
    """The position-wise layer max(0, x W1 + b1) W2 + b2: Vaswani et al. 2017, equation 2."""

    def __init__(self, layers: Layers, name: str) -> None:
        self._norm = layers.norm(f"{name}_feed_forward")
        width = layers.spec.feed_forward_units
        self._hidden = layers.dense(f"{name}_feed_forward", width, bias=True, activation="relu")
        self._output = layers.dense(f"{name}_feed_forward_output", layers.spec.units, bias=True)
        self._dropout = layers.dropout(f"{name}_feed_forward")

    def __call__(self, x: Any) -> Any:
        """Return x plus the layer of the normalized x: (B, T, U) -> (B, T, U)."""
        return x + self._dropout(self._output(self._hidden(self._norm(x))))


def attend(query: Any, keys: Any, values: Any, bias: Any) -> tuple[Any, Any]:
    """Return softmax(Q K^T + bias) V and the softmax: Vaswani et al. 2017, equation 1.

    Args:
        query: Queries times D^-0.5, (B, heads, T, D).
        keys, values: (B, heads, S, D) each.
        bias: Broadcastable to (B, heads, T, S); None for nothing.
    """
    scores = ops.einsum("bhtd,bhsd->bhts", query, keys)
    if bias is not None:
        scores = scores + bias
    weights = ops.softmax(scores)
    return ops.matmul(weights, values), weights


def split_heads(x: Any, heads: int) -> Any:
    """Return vectors of the heads: (B, T, heads * D) -> (B, heads, T, D)."""
    split = keras.layers.Reshape((-1, heads, x.shape[-1] // heads))(x)
    return ops.transpose(split, (0, 2, 1, 3))


def merge_heads(x: Any) -> Any:
    """Return the vectors of all heads side by side: (B, heads, T, D) -> (B, T, heads * D)."""
    width = x.shape[1] * x.shape[3]
    return keras.layers.Reshape((-1, width))(ops.transpose(x, (0, 2, 1, 3)))
