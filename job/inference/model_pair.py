"""The two models that a trained model is used by: loading them, stepping through them, what they make of a
source."""

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

    def check(self) -> None:
        """Try out one step, so that models and vocabularies of different jobs are noticed as they are loaded.

        Raises:
            Exception: they do not fit together.
        """
        raise NotImplementedError

    def check_step(self, source: Any, symbol: Any, width: int) -> None:
        """Encode a source, (1, S, ...), and take one step, whose output must have that width."""
        states, memory = self.begin(source)
        output, *rest = listed(self.decoder([symbol, *states, *memory], training=False))
        shapes = [state.shape for state in states], [state.shape for state in rest[: len(states)]]
        if output.shape != (1, 1, width) or shapes[0] != shapes[1]:
            raise ValueError("the encoder, the decoder and the vocabulary are not of one model")

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
        record = read_json(files.check("vocabulary.json"))
        if not isinstance(record, dict):
            raise TypeError("vocabulary.json holds no JSON object")
        return record


def load_pair(directory: Path, read: Callable[[dict[str, Any]], Any], build: Callable[..., Usable]) -> Usable:
    """Load what a job saved: what `build` makes of the encoder, the decoder and what `vocabulary.json` says.

    Args:
        directory: the job's, or its `model/` directory.
        read: of the content of `vocabulary.json`; may raise any exception.
        build: of encoder, decoder and what was read; what it returns is tried out by its method `check`.

    Raises:
        ModelDirectoryError: a file is missing, cannot be read, or is not the one that the result tells of.
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
            warnings.simplefilter("ignore")  # Keras's on a source of one token
            model.check()
    return model


def _inner(directory: Path) -> Path:
    return directory / "model" if (directory / "model").is_dir() else directory


@contextmanager
def _explained(directory: Path) -> Iterator[Path]:
    """Say of whatever goes wrong that the directory holds no trained model."""
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
