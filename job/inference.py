"""A trained model at work: ids in, ids out, one compiled function. Also what `predict` and `encode` load."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import job.models.seq2seq  # noqa: F401 - Keras must know its layer `Reverse` to load a saved one
from job.artifacts import replacing
from job.decoding.greedy import greedy
from job.errors import InputError, ModelDirectoryError
from job.problems.base import Ids
from job.problems.vocabulary import PAD, Vocabulary, pad

ROWS = 1024
"""Rows decoded at once; a smaller batch is filled up. One shape means one trace, and the same arithmetic for
a row whatever its neighbours are, so that `predict` gives the very predictions of the evaluation."""


@dataclass(frozen=True)
class ModelFacts:
    """What one must know besides the weights to use a model: the content of `vocabulary.json`.

    Args:
        source, target: the vocabularies.
        fixed_length: every source has `source_length` tokens and every target `max_target_length`.
        source_length: tokens of a source where lengths are fixed, else None.
        max_target_length: decoding stops there, the end id included.
    """

    source: Vocabulary
    target: Vocabulary
    fixed_length: bool
    source_length: int | None
    max_target_length: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**vars(self), "source": self.source.to_json(), "target": self.target.to_json()}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> ModelFacts:
        """Read what `to_json` gave."""
        sides = {side: Vocabulary.from_json(record[side]) for side in ("source", "target")}
        return cls(**{**record, **sides})


@dataclass(frozen=True)
class TrainedModel:
    """The two inference models and what one must know to use them."""

    encoder: keras.Model
    decoder: keras.Model
    facts: ModelFacts

    def compile_greedy(self) -> Callable[[Ids], Ids]:
        """Return a function from sources (n, S) int32 to predicted targets (n, max_target_length) int32."""
        compiled = tf.function(self._greedy, input_signature=[tf.TensorSpec([ROWS, None], tf.int32)])

        def decode(sources: Ids) -> Ids:
            parts = [compiled(part).numpy()[:n] for part, n in _batches(sources)]
            return np.concatenate(parts) if parts else np.zeros((0, self.facts.max_target_length), np.int32)

        return decode

    def _greedy(self, source: Any) -> Any:
        step, states = self._step_function(source)
        return greedy(
            step,
            states,
            rows=ROWS,
            start=self.facts.target.start,
            end=self.facts.target.end,
            max_length=self.facts.max_target_length,
        )

    def _step_function(self, source: Any) -> tuple[Callable[[Any, Any], tuple[Any, Any]], Any]:
        """Encode sources; return a step (see `decoding.greedy.Step`) and its first states."""
        encoded = [tf.identity(x) for x in _listed(self.encoder(source, training=False))]
        attends = len(self.decoder.inputs) > 1 + len(encoded)
        memory = [encoded.pop(), source] if attends else []
        count = len(encoded)

        def step(symbols: Any, states: Any) -> tuple[Any, Any]:
            logits, *rest = self.decoder([symbols[:, None], *states, *memory], training=False)
            return logits[:, 0], tuple(rest[:count])

        return step, tuple(encoded)

    def states(self, sources: Ids) -> dict[str, NDArray[np.float32]]:
        """Return the context of each source: the encoder's last states by name (`h1`, `c1`, ...), (n, H)."""
        compiled = tf.function(
            lambda source: _listed(self.encoder(source, training=False)),
            input_signature=[tf.TensorSpec([ROWS, None], tf.int32)],
        )
        names = [i.name.removeprefix("state_") for i in self.decoder.inputs if i.name.startswith("state_")]
        parts = [[x.numpy()[:n] for x in compiled(part)[: len(names)]] for part, n in _batches(sources)]
        return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _batches(sources: Ids) -> Iterator[tuple[Ids, int]]:
    """Yield `ROWS` sources at a time, and how many of them are real: the last batch repeats its first row."""
    for first in range(0, len(sources), ROWS):
        part = sources[first : first + ROWS]
        longest = max(1, int((part != PAD).sum(axis=1).max()))
        fill = np.repeat(part[:1], ROWS - len(part), axis=0)
        yield np.concatenate([part, fill])[:, :longest], len(part)


def load_model(directory: Path) -> TrainedModel:
    """Load what a job saved in its `model/` directory (or the job's directory itself).

    Raises:
        ModelDirectoryError: a file is missing or cannot be read.
    """
    inner = directory / "model"
    directory = inner if inner.is_dir() else directory
    try:
        facts = ModelFacts.from_json(json.loads((directory / "vocabulary.json").read_text("utf-8")))
        encoder, decoder = (
            keras.models.load_model(directory / f"{name}.keras", compile=False)
            for name in ("inference_encoder", "inference_decoder")
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDirectoryError(
            f"{directory}: not a trained model ({type(error).__name__}: {error}); expected the model/ "
            "directory of a finished job, with inference_encoder.keras, inference_decoder.keras and "
            "vocabulary.json"
        ) from error
    return TrainedModel(encoder, decoder, facts)


def read_sources(lines: Iterable[str], facts: ModelFacts, name: str) -> Iterator[list[int]]:
    """Yield the ids of one source a line; an empty line gives an empty source.

    Args:
        lines: text, with or without line ends.
        facts: the model's.
        name: of the input, for errors.

    Raises:
        InputError: a token that the vocabulary does not have, or a length that the model was not made for.
    """
    for number, line in enumerate(lines, 1):
        tokens = facts.source.split(line.rstrip("\r\n"))
        try:
            ids = facts.source.encode(tokens)
        except KeyError as error:
            raise InputError(
                f"{name}:{number}: token {error.args[0]!r} is not one the model knows; "
                f"known are {_shown(facts.source)}"
            ) from error
        if ids and facts.fixed_length and len(ids) != facts.source_length:
            raise InputError(
                f"{name}:{number}: {len(ids)} tokens, but this model reads exactly {facts.source_length}"
            )
        yield ids


def _shown(vocabulary: Vocabulary) -> str:
    tokens = [t for i, t in enumerate(vocabulary.tokens) if i not in (PAD, vocabulary.start, vocabulary.end)]
    return ", ".join(tokens) if len(tokens) <= 12 else f"{tokens[0]}, {tokens[1]}, ..., {tokens[-1]}"


def predict(model: TrainedModel, sources: Iterable[list[int]]) -> Iterator[str]:
    """Yield one target a source, in order, reading `ROWS` sources at a time; an empty source gives ''."""
    decode = model.compile_greedy()
    for chunk in _chunks(sources):
        full = [ids for ids in chunk if ids]
        targets = iter(decode(pad(full))) if full else iter(())
        for ids in chunk:
            yield model.facts.target.decode(next(targets)) if ids else ""


def encode(model: TrainedModel, sources: Iterable[list[int]], output: Path) -> int:
    """Write the context of every source to a `.npz` file; return how many there were.

    The file holds `ids` (n,) int64, the 0-based line of each source that is not empty, and one array
    (n, H) float32 for each state of each layer, by name: `h1`, `c1`, `h2`, ... .
    """
    numbered = [(i, ids) for i, ids in enumerate(sources) if ids]
    states = model.states(pad([ids for _, ids in numbered])) if numbered else {}
    with replacing(output) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {"ids": np.array([i for i, _ in numbered], np.int64), **states}
        np.savez(file, **arrays)
    return len(numbered)


def _chunks(sources: Iterable[list[int]]) -> Iterator[list[list[int]]]:
    chunk: list[list[int]] = []
    for ids in sources:
        chunk.append(ids)
        if len(chunk) == ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
