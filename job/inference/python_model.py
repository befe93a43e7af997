"""The interface of a saved model in Python code; `job.load` returns an implementation."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from job.errors import InputError
from job.inference.prediction import Encoding, Prediction

Source = str | Sequence[str] | Sequence[float] | Sequence[Sequence[float]] | NDArray[Any]
"""A line of text, or a list of tokens, or for a model of numbers its numbers."""

MAX_N_BEST = 100
"""Maximum number of targets of a source."""

SOURCES = "sources"
"""Name of the sources in messages."""


class Model(ABC):
    """A saved model. Its methods can be called by several threads at the same time.

    A source is a line of text, which is read like a line that is given to the command `predict`, or a list of
    the model's own tokens (see `source_tokens`), which are taken as they are. A model of numbers takes lines
    too, or S * F numbers in the order of a line, or an array of S rows and F columns.
    """

    def predict(
        self, sources: Iterable[Source], n_best: int = 1, attention: bool = False
    ) -> Iterator[Prediction]:
        """Yield the prediction for each source, in order: what the command `predict` writes for it.

        Sources are read as predictions are taken: at most 16,384 at a time. A prediction does not depend on
        the other sources.

        Args:
            sources: The sources; any iterable, for example a generator or an open text file.
            n_best: Number of targets of a source. 1 is the search of the job's evaluation, like the command
                without `--n-best`; a larger number is beam search, like `--n-best`.
            attention: Whether predictions have attention weights, which takes a second pass over the
                targets.

        Raises:
            InputError: An argument is invalid, or a source cannot be read; the predictions for the sources
                before it are yielded first.
        """
        if isinstance(n_best, bool) or not isinstance(n_best, int) or not 1 <= n_best <= MAX_N_BEST:
            raise InputError(f"n_best is {n_best!r}; expected a whole number from 1 to {MAX_N_BEST}")
        wanted = n_best if n_best > 1 else None
        return self.predictions(_iterable(sources), SOURCES, wanted, attention=attention)

    def encode(self, sources: Iterable[Source]) -> Iterator[Encoding]:
        """Yield what the encoder computes for each source, in order; its context is that of `encode`.

        Args:
            sources: See `predict`.

        Raises:
            InputError: See `predict`.
        """
        return self.encodings(_iterable(sources))

    def score(self, source: Source, target: Source) -> float:
        """Return the log-probability of a target; see `scores`."""
        return next(iter(self.scores([(source, target)])))

    @abstractmethod
    def scores(self, pairs: Iterable[tuple[Source, Source]]) -> Iterator[float]:
        """Yield the log-probability of each target given its source, in order.

        It is the sum over the target's symbols, each given those before it (teacher forcing), and its end. A
        target that has the maximum length of the search has no end there, so none is counted: the score of a
        prediction by greedy search is its `score`, to within 1e-5.

        Args:
            pairs: Sources and targets, each a line or a list of tokens.

        Raises:
            InputError: A source or target cannot be read, or the model is one of numbers.
        """

    @abstractmethod
    def source_tokens(self, source: Source) -> tuple[str, ...]:
        """Return the tokens that the model reads from a source; empty for an empty line.

        Raises:
            InputError: The source cannot be read.
        """

    @abstractmethod
    def predictions(
        self,
        sources: Iterable[Source],
        name: str,
        n_best: int | None,
        *,
        attention: bool = False,
        first: int = 1,
    ) -> Iterator[Prediction]:
        """Yield predictions as the command does.

        Args:
            sources: See `predict`.
            name: Name of the input, for errors.
            n_best: Number of targets by beam search; None for one by the search of the evaluation.
            attention: See `predict`.
            first: Number of the first source, for errors.
        """

    @abstractmethod
    def encodings(self, sources: Iterable[Source]) -> Iterator[Encoding]:
        """Yield encodings; see `encode`."""


def _iterable(sources: Iterable[Source]) -> Iterable[Source]:
    """Return the argument; raise `InputError` for a single line: its characters would be taken for lines."""
    if isinstance(sources, str | bytes | os.PathLike) or not isinstance(sources, Iterable):
        raise InputError(
            f"{SOURCES} is {type(sources).__name__}; expected an iterable of sources, such as a list of lines"
        )
    return sources
