"""The plain Keras way: `keras.layers.LSTM`, `fit`, one `predict` a step for all sequences; else defaults."""

from __future__ import annotations

import math
import os
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import lesson as told
from benchmarks.programs.lesson import Figures, Ids, Lesson


class Models:
    """The training model, and the encoder and decoder that predict, over the same layers."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
        enter_source, enter_target = (
            _entrance(lesson, lesson.source_size),
            _entrance(lesson, lesson.target_size),
        )
        x, states = enter_source(source), []
        for _ in range(lesson.layers):
            x, *last = layers.LSTM(lesson.units, return_sequences=True, return_state=True)(x)
            states += last
        mask = layers.Lambda(lambda ids: ops.not_equal(ids, 0))(source) if lesson.masked else None
        self._decoders = [
            layers.LSTM(lesson.units, return_sequences=True, return_state=True) for _ in range(lesson.layers)
        ]
        if lesson.attention:
            self._query = layers.Dense(lesson.units, use_bias=False)
            self._attend = layers.Attention()
            self._combine = layers.Dense(lesson.units, activation="tanh", use_bias=False)
        self._output = layers.Dense(lesson.target_size)
        y = enter_target(target)
        self.train = keras.Model([source, target], self._decoded(y, states, x, mask)[0])
        self.encoder = keras.Model(source, [*states, x] if lesson.attention else states)
        given = [keras.Input((lesson.units,)) for _ in states]
        memory = keras.Input((None, lesson.units))
        logits, after = self._decoded(y, given, memory, mask)
        inputs = [target, *given, *([memory, source] if lesson.attention else [])]
        self.decoder = keras.Model(inputs, [logits, *after])

    def _decoded(self, y: Any, states: list[Any], memory: Any, mask: Any) -> tuple[Any, list[Any]]:
        after: list[Any] = []
        for i, layer in enumerate(self._decoders):
            y, *last = layer(y, initial_state=states[2 * i : 2 * i + 2])
            after += last
        if self._lesson.attention:
            context = self._attend([self._query(y), memory], mask=[None, mask])
            y = self._combine(ops.concatenate([context, y], axis=-1))
        return self._output(y), after


def _entrance(lesson: Lesson, size: int) -> Any:
    if lesson.embedding_size:
        return layers.Embedding(size, lesson.embedding_size, mask_zero=lesson.masked)
    return lambda ids: ops.one_hot(ids, size)


class _Marks(keras.callbacks.Callback):  # type: ignore[misc]
    """Marks the clock."""

    def __init__(self, clock: told.Clock) -> None:
        super().__init__()
        self._clock = clock

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._clock.due(batch + 1):
            self._clock.mark(batch + 1)


def fit(model: keras.Model, lesson: Lesson) -> list[tuple[int, float]]:
    """Train for one epoch by `Model.fit`; return the clock's marks."""
    warmup = math.ceil(lesson.warmup_fraction * lesson.steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(lesson.steps - warmup, 1), warmup_target=lesson.learning_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.Adam(schedule, global_clipnorm=lesson.clip_norm),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=0 if lesson.masked else None
        ),
    )
    clock = told.Clock(lesson)
    model.fit(
        [lesson.source, lesson.decoder_input(lesson.target)],
        lesson.target,
        batch_size=lesson.batch_size,
        shuffle=False,
        verbose=0,
        callbacks=[_Marks(clock)],
    )
    return clock.marks


def greedy(models: Models, lesson: Lesson, sources: Ids) -> Ids:
    """Decode all sources together, with one `predict` a step."""
    options: dict[str, Any] = {"batch_size": told.ROWS, "verbose": 0}
    encoded = models.encoder.predict(sources, **options)
    states, memory = (encoded[:-1], [encoded[-1], sources]) if lesson.attention else (encoded, [])
    symbols = np.full((len(sources), 1), lesson.start, np.int32)
    found = []
    for _ in range(lesson.columns):
        logits, *states = models.decoder.predict([symbols, *states, *memory], **options)
        symbols = logits.argmax(-1).astype(np.int32)
        found.append(symbols)
    return told.after_end(np.concatenate(found, axis=1), lesson.end)


def set_up(lesson: Lesson, threads: int) -> None:
    """Give TensorFlow its threads, and Keras the seed of the weights."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(lesson.seed)


def figures_of(model: keras.Model, lesson: Lesson, greedy: told.Decode | None) -> Figures:
    """Train a model, and decode if told how; of beam search Keras has none for such models."""
    marks = fit(model, lesson)
    figures: dict[str, Any] = told.decoded(lesson, greedy, None) if greedy else {}
    return Figures(
        parameters=model.count_params(),
        examples=len(lesson.source),
        fit_seconds=marks[-1][1],
        examples_per_second=told.steady_rate(marks),
        versions={"keras": keras.__version__, "tensorflow": tf.__version__},
        **figures,
    )


def program(lesson: Lesson, threads: int, decoding: bool) -> Figures:
    """Train, and decode if asked to."""
    set_up(lesson, threads)
    models = Models(lesson)
    return figures_of(models.train, lesson, partial(greedy, models, lesson) if decoding else None)


if __name__ == "__main__":
    told.run(program)
