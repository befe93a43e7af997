"""The inference encoder and decoder of a trained model: loading, initial states, and contexts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import job.models.seq2seq  # noqa: F401 - Keras must know our layers to load saved ones
from job.decoding.step import repeat_states
from job.errors import InputError, ModelDirectoryError
from job.inference.model_files import load_model_file
from job.results.checksums import CheckedFiles
from job.storage.artifacts import replacing
from job.storage.documents import read_json, why

Usable = TypeVar("Usable", bound="ModelPair")

T = TypeVar("T")

Contexts = dict[str, NDArray[np.float32]]
"""The encoder's last states by name (`h1`, `c1`, `h2`, ...), each (n, H)."""

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


def joined(parts: Sequence[Contexts]) -> Contexts:
    """Concatenate the contexts of several parts; without parts return an empty dict."""
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def in_chunks(items: Iterable[T], most: int, most_tokens: float = math.inf) -> Iterator[list[T]]:
    """Yield chunks of sources, in order; the sources before an `InputError` are yielded before it is raised.

    Args:
        items: sources, as lists of tokens where `most_tokens` is given.
        most: sources of a chunk.
        most_tokens: of a chunk, about: it ends with the source that reaches them.
    """
    chunk: list[T] = []
    tokens = 0
    try:
        for item in items:
            chunk.append(item)
            tokens += len(item) if isinstance(item, list) else 0
            if len(chunk) >= most or tokens >= most_tokens:
                yield chunk
                chunk, tokens = [], 0
    except InputError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def listed(outputs: Any) -> list[Any]:
    """Return the outputs of a Keras model as a list, even if it has only one."""
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def read_record(directory: Path) -> dict[str, Any]:
    """Return the content of a model's `vocabulary.json`; arguments and errors: see `load_pair`."""
    with _explained(_inner(directory)) as inner, CheckedFiles(inner) as files:
        record = read_json(files.check("vocabulary.json"))
        if not isinstance(record, dict):
            raise TypeError("vocabulary.json holds no JSON object")
        return record


def load_pair(directory: Path, read: Callable[[dict[str, Any]], Any], build: Callable[..., Usable]) -> Usable:
    """Load a saved model from its encoder, its decoder and `vocabulary.json`.

    Args:
        directory: Model directory, or the job directory that contains it.
        read: Function that parses the content of `vocabulary.json`; may raise any exception.
        build: Function that makes the model from the encoder, the decoder and the result of `read`.

    Raises:
        ModelDirectoryError: A file is missing, cannot be read, or does not match its recorded checksum.
    """
    record = read_record(directory)
    with _explained(_inner(directory)) as inner, CheckedFiles(inner) as files:
        facts = read(record)
        encoder, decoder = (
            load_model_file(files.check(f"{name}.keras"))
            for name in ("inference_encoder", "inference_decoder")
        )
        model = build(encoder, decoder, facts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns about sources of one token
            model.check()
    return model


def _inner(directory: Path) -> Path:
    return directory / "model" if (directory / "model").is_dir() else directory


@contextmanager
def _explained(directory: Path) -> Iterator[Path]:
    """Convert any exception in the block to a `ModelDirectoryError` that names the directory."""
    try:
        yield directory
    except ModelDirectoryError:
        raise
    except Exception as error:  # of a damaged file Keras, HDF5 and TensorFlow raise almost anything
        reason = f"{type(error).__name__}: {why(error)[:300]}"
        raise ModelDirectoryError(
            f"{directory}: not a trained model ({reason}); expected the model/ "
            "directory of a finished job, with inference_encoder.keras, inference_decoder.keras and "
            "vocabulary.json"
        ) from error


def write_contexts(output: Path, ids: Sequence[int], contexts: Contexts) -> None:
    """Write a `.npz` file: `ids` (n,) int64, the 0-based line of each source, and each state by its name."""
    with replacing(output) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {"ids": np.array(ids, np.int64), **contexts}
        np.savez(file, **arrays)
