"""The inference encoder and decoder of a trained model: initial states, one step, and contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from job.decoding.step import repeat_states
from job.inference.contexts import Contexts, joined

Batches = Iterable[tuple[NDArray[Any], int]]
"""Batches of sources, each with its number of real rows; the other rows fill up the batch."""


@dataclass(frozen=True)
class ModelPair:
    """The inference encoder and the inference decoder; see `job.models.seq2seq.Models`."""

    encoder: keras.Model
    decoder: keras.Model

    def begin(self, source: Any, width: int = 1) -> tuple[tuple[Any, ...], list[Any]]:
        """Encode sources; return the initial states of the decoder and its further inputs.

        The further inputs are the same at every step: what attention reads, and the source where lengths
        vary. They are repeated once, for `width` rows of each source. A Transformer's states, the keys and
        values of the symbols before, are empty.
        """
        encoded = [tf.identity(x) for x in listed(self.encoder(source, training=False))]
        named = {**dict(zip(self.encoder.output_names, encoded, strict=True)), "source": source}
        inputs = {i.name: i for i in self.decoder.inputs}
        if "encoder_outputs" in inputs:
            named["encoder_outputs"] = encoded.pop()
        memory = [named[name] for name in inputs if name in named]
        states = [i for name, i in inputs.items() if name.startswith("state_")]
        if is_cache(states[0]):
            begun = tuple(_empty(state, source) for state in states)
        else:
            begun = (*encoded, *[tf.zeros_like(encoded[0])] * (len(states) - len(encoded)))  # input feeding
        return begun, repeat_states(memory, width) if width > 1 else memory

    def check(self) -> None:
        """Decode one step, to detect models and vocabularies of different jobs when they are loaded.

        Raises:
            Exception: The models and vocabularies do not fit together.
        """
        raise NotImplementedError

    def check_step(self, source: Any, symbol: Any, width: int) -> None:
        """Encode a source, (1, S, ...), decode one step, and check that the output has the given width."""
        states, memory = self.begin(source)
        output, *rest = listed(self.decoder([symbol, *states, *memory], training=False))
        shapes = [_shapes(before) for before in (states, rest[: len(states)])]
        if output.shape != (1, 1, width) or shapes[0] != shapes[1]:
            raise ValueError("the encoder, the decoder and the vocabulary are not of one model")

    def compile_contexts(self, signature: Any) -> Callable[[Batches], Contexts]:
        """Return a function from batches, at least one, to the context of every source.

        Args:
            signature: shape and dtype of a batch's sources, a `tf.TensorSpec`.
        """
        if "context" in self.encoder.output_names:
            names = ["context"]
        else:
            names = [
                i.name.removeprefix("state_") for i in self.decoder.inputs if i.name.startswith("state_")
            ]
            names = [name for name in names if name != "fed"]
        compiled = tf.function(
            lambda source: listed(self.encoder(source, training=False))[: len(names)],
            [signature],
            autograph=False,
        )

        def contexts(batches: Batches) -> Contexts:
            parts = [[x.numpy()[:n] for x in compiled(batch)] for batch, n in batches]
            return joined([dict(zip(names, part, strict=True)) for part in parts])

        return contexts


def is_cache(state: Any) -> bool:
    """Return whether a state is a Transformer's keys or values, (B, heads, T, D), which grow at each step."""
    return len(state.shape) == 4


def _empty(state: Any, source: Any) -> Any:
    """Return an empty cache of keys or values, (B, heads, 0, D), whose static length is unknown.

    Args:
        state: The decoder's input.
        source: (B, S, ...).
    """
    _, heads, _, width = state.shape
    empty = tf.zeros([tf.shape(source)[0], heads, 0, width])
    return tf.raw_ops.PlaceholderWithDefault(input=empty, shape=[source.shape[0], heads, None, width])


def _shapes(states: Sequence[Any]) -> list[list[int]]:
    """Return the shapes of states, without the lengths of caches."""
    return [[*x.shape[:2], x.shape[3]] if is_cache(x) else [*x.shape] for x in states]


def listed(outputs: Any) -> list[Any]:
    """Return the outputs of a Keras model as a list, even if it has only one."""
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
