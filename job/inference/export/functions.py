"""The functions of an exported model: encode sources, decode one step, and predict by greedy search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf

from job.inference.model_pair import is_cache
from job.inference.token_search import greedy_search, symbol_scores
from job.inference.tokens import TrainedModel
from job.models.pointer import Columns

POSITION = "state_position"
"""State of a model with caches: how many symbols its caches have, (n,) int32, the same for all rows."""

NEXT = "next_"
"""Prefix of a state in the outputs of a step."""


@dataclass(frozen=True)
class Function:
    """A function of an exported model.

    Args:
        inputs: Name, shape and dtype of each argument.
        call: Takes the arguments in their order; returns tensors by name.
    """

    inputs: tuple[tf.TensorSpec, ...]
    call: Callable[..., dict[str, Any]]

    def compiled(self) -> Any:
        """Return the TensorFlow function of these inputs."""
        return tf.function(self.call, [*self.inputs], autograph=False)


@dataclass(frozen=True)
class ExportedModel:
    """A trained model as functions of tensors only, whose names are those of the files' inputs and outputs.

    Arrays between the functions: the states change at each step, and the memory stays the same. The caches of
    keys and values of a Transformer have a fixed length, and come with the state `POSITION`.

    Args:
        model: The trained model; its search options limit the number of symbols.
    """

    model: TrainedModel

    @property
    def encode(self) -> Function:
        """Sources (n, S) int32 -> the states before the first symbol, and the memory."""
        return Function((_SOURCE,), self._encode)

    @property
    def step(self) -> Function:
        """The previous symbol (n,) int32, the states, the memory -> `logits` (n, V), the next states.

        `source`, (n, S) int32, is the last argument of models that read it. Symbols that cannot follow have
        logits of -1e30. With a pointer V also counts the columns of `Columns`, which the first output
        `copied_ids` of `encode` translates to target ids, and symbols are columns.
        """
        symbol = tf.TensorSpec([None], tf.int32, "symbol")
        source = (_SOURCE,) if self._reads_source else ()
        return Function((symbol, *self.states, *self.memory, *source), self._step)

    @property
    def predict(self) -> Function:
        """Sources (n, S) int32 -> `ids` (n, T) int32, 0 after the end, and `log_probability` (n,) float32."""
        return Function((_SOURCE,), self._predict)

    @cached_property
    def position(self) -> str:
        """The name of the state `POSITION`, which a plugin's own state may have."""
        taken = {i.name for i in self._model_states}
        return POSITION if POSITION not in taken else f"{POSITION}_in_caches"

    @cached_property
    def states(self) -> tuple[tf.TensorSpec, ...]:
        """Name, shape and dtype of each state."""
        found = [tf.TensorSpec(self._shape(i), i.dtype, i.name) for i in self._model_states]
        return (*found, tf.TensorSpec([None], tf.int32, self.position)) if self.caches else tuple(found)

    @cached_property
    def memory(self) -> tuple[tf.TensorSpec, ...]:
        """Name, shape and dtype of each array that stays the same at every step."""
        return tuple(
            tf.TensorSpec(i.shape, i.dtype, i.name)
            for i in self._inputs
            if not _is_state(i.name) and i.name not in ("source", "previous_symbol")
        )

    @property
    def _inputs(self) -> Sequence[Any]:
        return list(self.model.decoder.inputs)

    @property
    def _model_states(self) -> Sequence[Any]:
        return [i for i in self._inputs if _is_state(i.name)]

    @property
    def caches(self) -> bool:
        """Whether some states are keys and values of earlier symbols."""
        return any(map(is_cache, self._model_states))

    @property
    def _reads_source(self) -> bool:
        return self.model.copies or any(i.name == "source" for i in self._inputs)

    def _shape(self, state: Any) -> list[int | None]:
        """Return the shape of a state; caches have room for all symbols."""
        shape = [*state.shape]
        return [None, shape[1], self.model.facts.columns, shape[3]] if is_cache(state) else shape

    def _known_source(self, source: Any) -> Any:
        return self.model.facts.copying.known_source(source) if self.model.copies else source

    def _encode(self, source: Any) -> dict[str, Any]:
        states, memory = self.model.begin(self._known_source(source), growing=False)
        rows = tf.shape(source)[0]
        begun = [
            tf.zeros([rows, *spec.shape[1:]], spec.dtype) if is_cache(spec) else state
            for spec, state in zip(self.states, states, strict=False)  # they have no position
        ]
        if self.caches:
            begun.append(tf.zeros([rows], tf.int32))
        named = [(spec.name, x) for spec, x in zip(self.states, begun, strict=True)]
        named += [(spec.name, x) for spec, x in zip(self.memory, memory, strict=False)]
        if self.model.copies:
            named.append(("copied_ids", self._columns(source).others))
        return {name: tf.identity(x) for name, x in named}

    def _step(self, symbol: Any, *inputs: Any) -> dict[str, Any]:
        model, count = self.model, len(self.states)
        states, memory = [*inputs[:count]], [*inputs[count : count + len(self.memory)]]
        source = inputs[-1] if self._reads_source else None
        if self.caches:
            *states, position = states
            length = tf.reduce_max(position)
            states = [x[:, :, :length] if is_cache(x) else x for x in states]
        if any(i.name == "source" for i in self._inputs):
            memory.append(self._known_source(source))
        known = model.facts.copying.known_target(symbol) if model.copies else symbol
        logits, *rest = model.decoder([known[:, None], *states, *memory], training=False)
        after = rest[: len(states)]
        if self.caches:
            columns = self.model.facts.columns
            after = [_padded(x, columns) if is_cache(x) else x for x in after] + [position + 1]
        copied = self._columns(source) if model.copies else None
        scores = symbol_scores(model.facts.target, logits, rest[len(states) :], copied)
        named = {f"{NEXT}{spec.name}": tf.identity(x) for spec, x in zip(self.states, after, strict=True)}
        return {"logits": scores, **named}

    def _columns(self, source: Any) -> Columns:
        facts = self.model.facts
        return Columns.of(facts.copying.ids(source), len(facts.target))

    def _predict(self, source: Any) -> dict[str, Any]:
        ids, scores = greedy_search(self.model, self.model.facts, source)
        return {"ids": tf.identity(ids), "log_probability": tf.identity(scores)}


_SOURCE = tf.TensorSpec([None, None], tf.int32, "source")


def _is_state(name: str) -> bool:
    return name.startswith("state_")


def _padded(cache: Any, length: int) -> Any:
    """Return a cache with zeros behind its positions, (n, heads, T, D) -> (n, heads, length, D)."""
    missing = length - tf.shape(cache)[2]
    padded = tf.pad(cache, [[0, 0], [0, 0], [0, missing], [0, 0]])
    return tf.ensure_shape(padded, [None, cache.shape[1], length, cache.shape[3]])


@contextmanager
def portable_kernels(model: TrainedModel) -> Iterator[None]:
    """Let recurrent layers use operations that every runtime has, also if a GPU is there."""
    layers = [x for x in (*model.encoder.layers, *model.decoder.layers) if hasattr(x, "use_cudnn")]
    before = [layer.use_cudnn for layer in layers]
    try:
        for layer in layers:
            layer.use_cudnn = False
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.use_cudnn = value
