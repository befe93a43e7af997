"""Examples from recorded predictions give the metrics that the examples of the problem have given."""

from types import SimpleNamespace

import numpy as np
import pytest

from job.evaluation.forecast_evaluation import forecast_predictions, score_forecasts
from job.evaluation.recorded_examples import RecordedProblem, recorded_examples, recorded_windows
from job.evaluation.token_evaluation import score_tokens
from job.problems.base import Examples, Windows
from job.problems.vocabulary import END, Vocabulary, pad
from job.problems.windows import Series

LETTERS = Vocabulary.learn("abc", "")
WORDS = Vocabulary.learn(["one", "two", "three", "four"], " ")


def ids(vocabulary, *texts):
    return pad([[*vocabulary.encode(vocabulary.model_tokens(text)), END] for text in texts])


def test_tokens_with_several_references_and_unknown_tokens_score_the_same():
    targets = ("one two three four", "four five six", "two two")
    test = Examples(
        pad([LETTERS.encode(text) for text in ("ab", "xc", "c")]),
        ids(WORDS, *targets),
        references=((targets[0], "one three"), (targets[1],), (targets[2],)),
        sources=("ab", "xc", "c"),
    )
    decoded = ids(WORDS, "one two three four", "four five one", "two")
    problem = SimpleNamespace(source_vocabulary=LETTERS, target_vocabulary=WORDS)
    before = score_tokens(problem, test, decoded, words=True)
    again = RecordedProblem(LETTERS, WORDS)
    examples = recorded_examples(again, before.predictions)
    assert np.array_equal(examples.source, test.source)
    after = score_tokens(again, examples, decoded, words=True)
    assert after == before


def test_integers_of_fixed_length_score_the_same():
    integers = Vocabulary.integers(9)
    test = Examples(np.array([[1, 2], [3, 4]], np.int32), np.array([[2, 1], [4, 3]], np.int32))
    decoded = np.array([[2, 1], [4, 4]], np.int32)
    problem = RecordedProblem(integers, integers)
    before = score_tokens(problem, test, decoded)
    examples = recorded_examples(problem, before.predictions)
    assert np.array_equal(examples.target, test.target)
    assert score_tokens(problem, examples, decoded).metrics == before.metrics


def test_windows_with_an_unknown_end_score_the_same():
    series = Series(
        columns=("y",), centers=(0.0,), scales=(1.0,), logarithm=False, differencing=0, source_length=2,
        target_length=3, decimals=2, unit="",
    )  # fmt: skip
    history = np.array([[[0.1], [1 / 3]], [[5.0], [6.0]]])
    future = np.array([[1.5, 2.25, 3.0], [7.0, np.nan, np.nan]])
    empty = np.zeros((2, 0), np.float32)
    test = Windows(source=empty, target=empty, history=history, future=future)
    predicted = np.array([[1.0, 2.0, 4.0], [6.5, 0.0, 0.0]])
    windows = recorded_windows(series, forecast_predictions(series, test, predicted))
    assert np.array_equal(windows.history, history)
    assert np.array_equal(windows.future, future, equal_nan=True)
    assert score_forecasts(windows, predicted) == pytest.approx(score_forecasts(test, predicted))
