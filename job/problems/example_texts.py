"""The texts of evaluation examples: sources and reference targets as predictions record them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np

from job.problems.base import Examples, Problem, TokenProblem, Windows
from job.problems.vocabulary import Vocabulary
from job.problems.windows import Values


def splits_at_separator(vocabulary: Vocabulary) -> bool:
    """Return whether the separator alone determines how a text is split into tokens."""
    return type(vocabulary).split is Vocabulary.split and vocabulary.features is None


def target_separator(problem: Problem) -> str | None:
    """Return the text between two target tokens; None if it does not determine them, and for numbers."""
    if problem.target_kind == "numbers" or not splits_at_separator(problem.target_vocabulary):
        return None
    return problem.target_vocabulary.separator


def example_texts(problem: Problem, examples: Examples | Windows) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the source and the reference targets of each example.

    Args:
        problem: the source of the examples.
        examples: n examples of one of its splits.
    """
    if isinstance(examples, Windows):
        for i in range(len(examples)):
            yield window_texts(examples, i)
        return
    tokens = cast(TokenProblem, problem)
    for i in range(len(examples)):
        yield (
            source_text(tokens.source_vocabulary, examples, i),
            reference_texts(tokens.target_vocabulary, examples, i),
        )


def source_text(vocabulary: Vocabulary, examples: Examples, i: int) -> str:
    """Return the source of example `i`."""
    return examples.sources[i] if examples.sources else vocabulary.decode_readable(examples.source[i])


def reference_texts(vocabulary: Vocabulary, examples: Examples, i: int) -> tuple[str, ...]:
    """Return the reference targets of example `i`, at least one."""
    return (
        examples.references[i] if examples.references else (vocabulary.decode_readable(examples.target[i]),)
    )


def window_texts(windows: Windows, i: int) -> tuple[str, tuple[str]]:
    """Return the history of window `i` and the future values that the series has."""
    future = windows.future[i]
    return _exactly(windows.history[i]), (_exactly(future[~np.isnan(future)]),)


def _exactly(values: Values) -> str:
    """Write an array row by row; reading the numbers returns the exact values."""
    return " ".join(map(repr, values.ravel().tolist()))
