"""What every program is told, and how each says what it took: needs nothing but numpy."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]

ROWS = 1024
"""Sources decoded at once, by every program."""

BEAM_WIDTH = 4
PARTS = 20
"""How many times in an epoch the clock is looked at."""

WARM_FRACTION = 0.1
"""Of the epoch's examples, the first, that do not count as steady: compiling and first allocations."""

_DECODINGS = 3
"""How many times the test sources are decoded, once compiled; the rate is the median."""

_ENOUGH_SECONDS = 5.0
"""After this time no further decoding begins."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One model and what it learns.

    Attributes:
        directory: where it is written.
        source, target: (n, S) and (n, T), the training examples in the order of training; 0 is padding.
        test_source, test_target: sequences that training does not draw on.
        source_size, target_size: classes of each side.
        units, layers: of the encoder, and of the decoder.
        heads, feed_forward: of a Transformer; 0 for LSTMs.
        embedding_size: 0 for one-hot inputs.
        attention: Luong's, with the score he calls general.
        masked: lengths vary.
        batch_size: examples a step.
        learning_rate, warmup_fraction, clip_norm: Adam's peak rate, reached after this part of the steps and
            brought down to 0 along a cosine; the global norm that gradients are held to.
        start: the id that the decoder is given first.
        end: the id that ends a target; None where lengths are fixed.
        columns: the most symbols of a target.
        seed: for the weights.
    """

    directory: Path
    source: Ids
    target: Ids
    test_source: Ids
    test_target: Ids
    source_size: int
    target_size: int
    units: int
    layers: int
    embedding_size: int
    attention: bool
    masked: bool
    batch_size: int
    learning_rate: float
    warmup_fraction: float
    clip_norm: float
    start: int
    end: int | None
    columns: int
    seed: int
    heads: int = 0
    feed_forward: int = 0

    @property
    def steps(self) -> int:
        return math.ceil(len(self.source) / self.batch_size)

    def decoder_input(self, target: Ids) -> Ids:
        """Return targets moved right by one, the start id first."""
        first = np.full((len(target), 1), self.start, np.int32)
        return np.concatenate([first, target[:, :-1]], axis=1)

    def batches(self) -> Iterator[tuple[Ids, Ids]]:
        """Yield source and target of each step, cut to their longest row."""
        for first in range(0, len(self.source), self.batch_size):
            rows = slice(first, first + self.batch_size)
            yield trimmed(self.source[rows]), trimmed(self.target[rows])

    def rate(self, step: int) -> float:
        """Return the learning rate of a 0-based step."""
        warmup = math.ceil(self.warmup_fraction * self.steps)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        return (
            self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(self.steps - warmup, 1)))
        )

    def write(self) -> None:
        """Write it where `read` finds it."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "directory"}
        arrays = {name: values.pop(name) for name in _ARRAYS}
        np.savez(self.directory / "examples.npz", **arrays)
        (self.directory / "lesson.json").write_text(json.dumps(values), encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> Lesson:
        """Read what `write` wrote."""
        values = json.loads((directory / "lesson.json").read_text(encoding="utf-8"))
        with np.load(directory / "examples.npz") as arrays:
            return cls(directory=directory, **values, **{name: arrays[name] for name in _ARRAYS})


_ARRAYS = ("source", "target", "test_source", "test_target")


def trimmed(ids: Ids) -> Ids:
    """Return rows without the columns that hold padding alone."""
    return ids[:, : max(1, int((ids != 0).sum(axis=1).max()))]


class Clock:
    """Notes how far training is, and when: `marks` are examples seen, and seconds since training began."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self._every = max(1, lesson.steps // PARTS)
        self._began = time.perf_counter()
        self.marks: list[tuple[int, float]] = []

    def due(self, steps: int) -> bool:
        """Whether it is time for a mark after so many steps."""
        return steps % self._every == 0 or steps == self._lesson.steps

    def mark(self, steps: int) -> None:
        """Note that so many steps are done."""
        examples = min(steps * self._lesson.batch_size, len(self._lesson.source))
        self.marks.append((examples, time.perf_counter() - self._began))


def steady_rate(marks: list[tuple[int, float]]) -> float:
    """Return examples a second once `WARM_FRACTION` of them are seen."""
    last, ended = marks[-1]
    first, began = next(mark for mark in marks if mark[0] >= WARM_FRACTION * last)
    if first == last:
        raise ValueError(f"training is over after {len(marks)} marks, before it is steady")
    return (last - first) / (ended - began)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a program prints.

    Attributes:
        parameters: trained numbers in the model.
        examples: it was trained on.
        fit_seconds: from the first step's start to the last step's end, compiling included.
        examples_per_second: see `steady_rate`.
        greedy_per_second, beam_per_second: test sequences decoded, once compiled; the beam has `BEAM_WIDTH`
            hypotheses. None where it was not done.
        sequence_accuracy: of greedy decoding, in 0..1; None where it was not done.
        device: `cpu` or `gpu`, which computed.
        versions: of the packages that computed.
    """

    parameters: int
    examples: int
    fit_seconds: float
    examples_per_second: float
    greedy_per_second: float | None = None
    beam_per_second: float | None = None
    sequence_accuracy: float | None = None
    device: str = "cpu"
    versions: dict[str, str]


Decode = Callable[[Ids], Ids]
"""Sources (n, S) -> targets (n, columns), 0 after the end."""


def decoded(lesson: Lesson, greedy: Decode, beam: Decode | None) -> dict[str, float | None]:
    """Decode the test sequences; return the figures of that by name."""
    greedy_rate, predicted = _timed(lesson, greedy)
    wanted = np.zeros_like(predicted)
    wanted[:, : lesson.test_target.shape[1]] = lesson.test_target
    return {
        "greedy_per_second": greedy_rate,
        "beam_per_second": _timed(lesson, beam)[0] if beam else None,
        "sequence_accuracy": float((predicted == wanted).all(axis=1).mean()),
    }


def _timed(lesson: Lesson, decode: Decode) -> tuple[float, Ids]:
    predicted = decode(lesson.test_source)  # compiles, where there is something to compile
    seconds: list[float] = []
    while len(seconds) < _DECODINGS and sum(seconds) < _ENOUGH_SECONDS:
        began = time.perf_counter()
        predicted = decode(lesson.test_source)
        seconds.append(time.perf_counter() - began)
    return len(predicted) / median(seconds), predicted


def in_chunks(decode: Decode, sources: Ids) -> Ids:
    """Decode `ROWS` sources at a time; the last chunk is filled up, so that all have one shape."""
    parts = []
    for first in range(0, len(sources), ROWS):
        chunk = sources[first : first + ROWS]
        fill = np.repeat(chunk[:1], ROWS - len(chunk), axis=0)
        parts.append(decode(np.concatenate([chunk, fill]))[: len(chunk)])
    return np.concatenate(parts)


def after_end(ids: Ids, end: int | None) -> Ids:
    """Return rows with 0 after their first `end`."""
    if end is None:
        return ids
    ended = np.cumsum(ids == end, axis=1) - (ids == end)
    return np.where(ended > 0, 0, ids).astype(np.int32)


def run(program: Callable[[Lesson, int, bool], Figures]) -> None:
    """Read the command line and the lesson, run the program, and print its figures.

    Args:
        program: takes the lesson, how many threads to use, and whether to decode.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fit-only", action="store_true")
    arguments = parser.parse_args()
    lesson = Lesson.read(arguments.directory)
    figures: dict[str, Any] = asdict(program(lesson, arguments.threads, not arguments.fit_only))
    print(json.dumps(figures))
