"""The plain Keras way of a Transformer: `keras.layers.MultiHeadAttention`, trained by `fit`.

It decodes as Keras's own examples do: each step is a `predict` over all symbols so far, without a cache.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs import lesson as told
from benchmarks.programs.lesson import Figures, Ids, Lesson
from benchmarks.programs.plain_keras import figures_of, set_up

SOURCES = 256
"""How many sources are decoded, at most: all 2,048, four times, take five minutes, at 26 a second."""

EXAMPLES = 2560
"""How many examples it trains on, at most: all 6,400 take more than a minute, at 110 a second."""


class Transformer:
    """A pre-norm encoder-decoder with sinusoidal positions, as the project's; `train` is a Keras model."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self._positions = _Positions(max(lesson.source.shape[1], lesson.columns) + 1, lesson.units)
        source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
        seen = ops.expand_dims(ops.not_equal(source, 0), 1)  # (B, 1, S)
        x = self._enter(source, lesson.source_size)
        for _ in range(lesson.layers):
            x = self._feed_forward(self._attend(x, None, attention_mask=seen))
        memory, y = _norm(x), self._enter(target, lesson.target_size)
        for _ in range(lesson.layers):
            y = self._attend(y, None, use_causal_mask=True)
            y = self._feed_forward(self._attend(y, memory, attention_mask=seen))
        self.train = keras.Model([source, target], layers.Dense(lesson.target_size)(_norm(y)))

    def _enter(self, ids: Any, size: int) -> Any:
        units = self._lesson.units
        initializer = keras.initializers.RandomNormal(stddev=units**-0.5)
        return self._positions(layers.Embedding(size, units, initializer)(ids) * math.sqrt(units))

    def _attend(self, x: Any, memory: Any, **options: Any) -> Any:
        """Attend from x to itself, or to the encoder's output; add x."""
        lesson, query = self._lesson, _norm(x)
        attention = layers.MultiHeadAttention(lesson.heads, lesson.units // lesson.heads, use_bias=False)
        return x + attention(query, query if memory is None else memory, **options)

    def _feed_forward(self, x: Any) -> Any:
        hidden = layers.Dense(self._lesson.feed_forward, "relu")(_norm(x))
        return x + layers.Dense(self._lesson.units)(hidden)


def _norm(x: Any) -> Any:
    return layers.LayerNormalization(epsilon=1e-5)(x)


class _Positions(keras.layers.Layer):  # type: ignore[misc]
    """Adds sinusoidal positions, sines first: Vaswani et al. 2017, section 3.5."""

    def __init__(self, positions: int, units: int) -> None:
        super().__init__()
        waves = np.exp(np.arange(0, units, 2) * (-math.log(10_000.0) / units))
        angles = np.arange(positions)[:, None] * waves
        self._added = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)

    def call(self, x: Any) -> Any:
        """Return x, (B, T, U), with the first T positions added."""
        return x + ops.convert_to_tensor(self._added)[: ops.shape(x)[1]]

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the shape of x."""
        return shape


def greedy(model: keras.Model, lesson: Lesson, sources: Ids) -> Ids:
    """Decode all sources together, with one `predict` over all symbols so far a step."""
    symbols = np.full((len(sources), 1), lesson.start, np.int32)
    for _ in range(lesson.columns):
        logits = model.predict([sources, symbols], batch_size=told.ROWS, verbose=0)
        symbols = np.concatenate([symbols, logits[:, -1:].argmax(-1).astype(np.int32)], axis=1)
    return told.after_end(symbols[:, 1:], lesson.end)


def program(lesson: Lesson, threads: int, decoding: bool) -> Figures:
    """Train on a part of the examples, and decode a part of the test sources if asked to."""
    set_up(lesson, threads)
    lesson = replace(
        lesson,
        source=lesson.source[:EXAMPLES],
        target=lesson.target[:EXAMPLES],
        test_source=lesson.test_source[:SOURCES],
        test_target=lesson.test_target[:SOURCES],
    )
    model = Transformer(lesson).train
    return figures_of(model, lesson, partial(greedy, model, lesson) if decoding else None)


if __name__ == "__main__":
    told.run(program)
