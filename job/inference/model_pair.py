"""The inference encoder and decoder of a trained model: initial states, one step, and contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.decoding.step import repeat_states
from job.inference.contexts import Contexts, joined
from job.models.pointer import GATE

Batches = Iterable[tuple[NDArray[Any], int]]
"""Batches of sources, each with its number of real rows; further rows only fill up the batch."""


_ATTENTION_STATES = ("state_fed", "state_alignment", "state_output")
"""States of the decoder that belong to its attention: they are not part of the context of a source."""


@dataclass(frozen=True)
class ModelPair:
    """The inference encoder and the inference decoder; see `job.models.seq2seq.Models`."""

    encoder: keras.Model
    decoder: keras.Model

    @property
    def copies(self) -> bool:
        """Whether the model copies tokens of its source: its decoder has the output of a gate."""
        return GATE in self.decoder.output_names

    def begin(
        self, source: Any, width: int = 1, *, growing: bool = True
    ) -> tuple[tuple[Any, ...], list[Any]]:
        """Encode sources; return the initial states of the decoder and its further inputs.

        The further inputs are the same at every step: the memory of attention, and the sources if lengths
        vary. The initial states of a Transformer, the keys and values of earlier symbols, are empty. Those
        of a plugin are the encoder's outputs of the same names.

        Args:
            source: Sources, (n, S, ...).
            width: Number of hypotheses for each source; further inputs have n * width rows.
            growing: Whether the static shapes of states leave free what a step may change, for a loop. What
                does that cannot be converted to ONNX.
        """
        encoded = [tf.identity(x) for x in listed(self.encoder(source, training=False))]
        named = {**dict(zip(self.encoder.output_names, encoded, strict=True)), "source": source}
        inputs = {i.name: i for i in self.decoder.inputs}
        if "encoder_outputs" in inputs:
            named["encoder_outputs"] = encoded.pop()
        states = [i for name, i in inputs.items() if name.startswith("state_")]
        memory = [named[name] for name in inputs if name in named and not name.startswith("state_")]
        if all(is_cache(state) or state.name in named for state in states):
            begun = tuple(_begun(i, named.get(i.name), source, growing=growing) for i in states)
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
        """Encode a source, decode one step, and check the shapes of the output and the states.

        Args:
            source: One source, (1, S, ...).
            symbol: The first input of the decoder, (1, 1, ...).
            width: Expected width of the output.

        Raises:
            ValueError: A shape is wrong.
        """
        states, memory = self.begin(source)
        output, *rest = listed(self.decoder([symbol, *states, *memory], training=False))
        shapes = [_shapes(before) for before in (states, rest[: len(states)])]
        if output.shape != (1, 1, width) or shapes[0] != shapes[1]:
            raise ValueError("the encoder, the decoder and the vocabulary do not belong to the same model")

    def compile_contexts(self, signature: Any) -> Callable[[Batches], Contexts]:
        """Return a function from one or more batches to the context of every source.

        Args:
            signature: Shape and dtype of the sources of a batch, a `tf.TensorSpec`.
        """
        names = self._context_names()
        compiled = tf.function(
            lambda source: listed(self.encoder(source, training=False))[: len(names)],
            [signature],
            autograph=False,
        ).get_concrete_function()  # traced at once, so that threads can share it

        def contexts(batches: Batches) -> Contexts:
            parts = [[x.numpy()[:n] for x in compiled(tf.constant(batch))] for batch, n in batches]
            return joined([dict(zip(names, part, strict=True)) for part in parts])

        return contexts

    def compile_encoder(self, signature: Any) -> Callable[[Any], tuple[Contexts, NDArray[np.float32] | None]]:
        """Return a function from a batch of sources to their contexts and the outputs that attention reads.

        The outputs, (n, S, H), are None for models whose decoder does not read them. Argument: see
        `compile_contexts`.
        """
        names = self._context_names()
        reads = "encoder_outputs" in {i.name for i in self.decoder.inputs}
        function = tf.function(
            lambda source: listed(self.encoder(source, training=False)), [signature], autograph=False
        )
        compiled = function.get_concrete_function()  # traced at once, so that threads can share it

        def encode(source: Any) -> tuple[Contexts, NDArray[np.float32] | None]:
            found = compiled(tf.constant(source))
            states = {name: state.numpy() for name, state in zip(names, found, strict=False)}
            return states, found[-1].numpy() if reads else None

        return encode

    def _context_names(self) -> list[str]:
        """Return the names of the encoder's first outputs, which are the context."""
        if "context" in self.encoder.output_names:
            return ["context"]
        states = [i.name for i in self.decoder.inputs if i.name.startswith("state_")]
        return [name.removeprefix("state_") for name in states if name not in _ATTENTION_STATES]


def is_cache(state: Any) -> bool:
    """Return whether a state is a Transformer's keys or values, (n, heads, T, D), which grow at each step."""
    return len(state.shape) == 4


def _begun(state: Any, value: Any, source: Any, *, growing: bool) -> Any:
    """Return an initial state.

    Args:
        state: Input of the decoder for the state.
        value: The encoder's output; None for an empty cache of keys or values, (n, heads, 0, D).
        source: Sources, (n, S, ...).
        growing: Whether free lengths of the decoder's input are free in the static shape too.
    """
    if value is None:
        _, heads, _, width = state.shape
        value = tf.zeros([tf.shape(source)[0], heads, 0, width])
    shape = [source.shape[0], *state.shape[1:]]
    return (
        tf.raw_ops.PlaceholderWithDefault(input=value, shape=shape)
        if growing
        else tf.ensure_shape(value, shape)
    )


def _shapes(states: Sequence[Any]) -> list[list[int]]:
    """Return the shapes of states, without the lengths of caches, which grow."""
    return [[*x.shape[:2], x.shape[3]] if is_cache(x) else [*x.shape] for x in states]


def listed(outputs: Any) -> list[Any]:
    """Return the outputs of a Keras model as a list, even if it has only one."""
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
