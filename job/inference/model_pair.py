"""The two models that a trained model is used by: loading them, stepping through them, what they make of a
source."""

from __future__ import annotations

import json
import math
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
from job.results.checksums import CheckedFiles
from job.storage.artifacts import replacing

T = TypeVar("T")

Contexts = dict[str, NDArray[np.float32]]
"""The encoder's last states by name (`h1`, `c1`, `h2`, ...), each (n, H)."""

Batches = Iterable[tuple[NDArray[Any], int]]
"""Batches of sources, and how many rows of each count: the rest fills it up."""


@dataclass(frozen=True)
class ModelPair:
    """The inference encoder and the inference decoder; see `job.models.seq2seq.Models`."""

    encoder: keras.Model
    decoder: keras.Model

    def begin(self, source: Any, width: int = 1) -> tuple[tuple[Any, ...], list[Any]]:
        """Encode sources; return the decoder's first states, and what it attends to if it does.

        That is the same at every step, so it is no state; it is repeated for `width` rows a source, once.
        """
        encoded = [tf.identity(x) for x in listed(self.encoder(source, training=False))]
        inputs = [i.name for i in self.decoder.inputs]
        memory = [encoded.pop()] if "encoder_outputs" in inputs else []
        memory += [source] if "source" in inputs else []
        count = sum(name.startswith("state_") for name in inputs)
        fed = [tf.zeros_like(encoded[0])] * (count - len(encoded))
        return (*encoded, *fed), repeat_states(memory, width) if width > 1 else memory

    def compile_contexts(self, signature: Any) -> Callable[[Batches], Contexts]:
        """Return a function from batches, at least one, to the context of every source.

        Args:
            signature: shape and dtype of a batch's sources, a `tf.TensorSpec`.
        """
        compiled = tf.function(
            lambda source: listed(self.encoder(source, training=False)), [signature], autograph=False
        )
        names = [i.name.removeprefix("state_") for i in self.decoder.inputs if i.name.startswith("state_")]
        names = [name for name in names if name != "fed"]

        def contexts(batches: Batches) -> Contexts:
            parts = [[x.numpy()[:n] for x in compiled(batch)[: len(names)]] for batch, n in batches]
            return joined([dict(zip(names, part, strict=True)) for part in parts])

        return contexts


def joined(parts: Sequence[Contexts]) -> Contexts:
    """Return the contexts of all sources of some parts; nothing where there are no parts."""
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def in_chunks(items: Iterable[T], most: int, most_tokens: float = math.inf) -> Iterator[list[T]]:
    """Yield at most so many sources at a time, in order, and all that precede an `InputError` before it.

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
    """Return what a Keras model gave as a list, also where it is one tensor."""
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def read_record(directory: Path) -> dict[str, Any]:
    """Return the content of a model's `vocabulary.json`; arguments and errors as of `load_pair`."""
    with _explained(_inner(directory)) as inner, CheckedFiles(inner) as files:
        record = json.loads(files.check("vocabulary.json").read_text("utf-8"))
        if not isinstance(record, dict):
            raise TypeError("vocabulary.json holds no JSON object")
        return record


def load_pair(directory: Path, read: Callable[[dict[str, Any]], Any]) -> tuple[Any, Any, Any]:
    """Load what a job saved: the encoder, the decoder, and what `read` makes of `vocabulary.json`.

    Args:
        directory: the job's, or its `model/` directory.
        read: may raise `ValueError`, `KeyError` or `TypeError`.

    Raises:
        ModelDirectoryError: a file is missing, cannot be read, or is not the one that the result tells of.
    """
    record = read_record(directory)
    with _explained(_inner(directory)) as inner, CheckedFiles(inner) as files:
        facts = read(record)
        encoder, decoder = (
            keras.models.load_model(files.check(f"{name}.keras"), compile=False)
            for name in ("inference_encoder", "inference_decoder")
        )
    return encoder, decoder, facts


def _inner(directory: Path) -> Path:
    return directory / "model" if (directory / "model").is_dir() else directory


@contextmanager
def _explained(directory: Path) -> Iterator[Path]:
    """Say of whatever goes wrong that the directory holds no trained model."""
    try:
        yield directory
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDirectoryError(
            f"{directory}: not a trained model ({type(error).__name__}: {error}); expected the model/ "
            "directory of a finished job, with inference_encoder.keras, inference_decoder.keras and "
            "vocabulary.json"
        ) from error


def write_contexts(output: Path, ids: Sequence[int], contexts: Contexts) -> None:
    """Write a `.npz` file: `ids` (n,) int64, the 0-based line of each source, and each state by its name."""
    with replacing(output) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {"ids": np.array(ids, np.int64), **contexts}
        np.savez(file, **arrays)
