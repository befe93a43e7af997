"""Test examples from the predictions that a job has recorded, to decode and score them with other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from job.problems.base import Examples, Windows
from job.problems.vocabulary import Vocabulary, pad
from job.problems.windows import Series, Values
from job.results.predictions import Prediction


@dataclass
class RecordedProblem:
    """What scoring needs of a problem of tokens; see `job.problems.base.TextSides`.

    Args:
        source_vocabulary, target_vocabulary: the vocabularies of the job's model.
    """

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary


def recorded_examples(problem: RecordedProblem, predictions: Sequence[Prediction]) -> Examples:
    """Return the examples of recorded predictions of tokens.

    Args:
        problem: the vocabularies.
        predictions: of n > 0 examples, by a vocabulary that splits texts by no code of its own.

    Raises:
        KeyError: a token is not in a vocabulary that has no unknown token.
    """
    source, target = problem.source_vocabulary, problem.target_vocabulary
    end = [] if target.end is None else [target.end]
    return Examples(
        source=pad([source.encode(source.model_tokens(p.source)) for p in predictions]),
        target=pad([[*target.encode(target.model_tokens(p.target)), *end] for p in predictions]),
        references=tuple(p.targets for p in predictions),
        sources=tuple(p.source for p in predictions),
    )


def recorded_windows(series: Series, predictions: Sequence[Prediction]) -> Windows:
    """Return the windows of recorded forecasts; sources and targets as a model reads them are left out.

    Args:
        series: of the job's model.
        predictions: of n > 0 windows.
    """
    histories = [np.array(p.source.split(), np.float64) for p in predictions]
    shape = (len(predictions), series.source_length, len(series.columns))
    future: Values = np.full((len(predictions), series.target_length), np.nan)
    for row, prediction in zip(future, predictions, strict=True):
        values = np.array(prediction.target.split(), np.float64)
        row[: len(values)] = values
    empty = np.zeros((len(predictions), 0), np.float32)
    return Windows(source=empty, target=empty, history=np.stack(histories).reshape(shape), future=future)
