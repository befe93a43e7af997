"""Counts of examples give the metrics of the evaluation, however the examples are resampled."""

import math

import numpy as np
import pytest
from recording import a_forecast

from job.evaluation.scores import edit_rate
from job.evaluation.text_scores import text_scores
from job.gating.example_counts import example_counts
from job.results.predictions import Prediction

ROWS = [
    Prediction("0", "a", "the cat sat on the mat", "the cat sat on a mat", False),
    Prediction("1", "b", "one two three four", "one two three four", True),
    Prediction("2", "c", "yes sir", "no", False, references=("yes sir", "no ma'am", "no no no")),
    Prediction("3", "d", "a b c d e", "a b <unk> d e f", False, unknown=((4, 9),)),
]
DRAWN = [0, 0, 3, 1, 2, 3]


def of_rows(metric, rows):
    predicted, references = [row.scored for row in rows], [row.targets for row in rows]
    match metric:
        case "sequence_accuracy":
            return np.mean([row.correct for row in rows])
        case "edit_rate":
            split = [text.split() for text in predicted]
            return edit_rate(split, [[text.split() for text in texts] for texts in references])
        case _:
            return text_scores(predicted, references, words=True).scores[metric]


@pytest.mark.parametrize("metric", ["sequence_accuracy", "edit_rate", "bleu", "chrf"])
def test_sums_of_counts_give_the_metric_of_the_examples_and_of_resamples(metric):
    counts = example_counts(metric, ROWS, str.split, of_rows(metric, ROWS))
    assert counts.value == pytest.approx(of_rows(metric, ROWS))
    resampled = counts.score(counts.counts[DRAWN].sum(axis=0))
    assert float(resampled) == pytest.approx(of_rows(metric, [ROWS[i] for i in DRAWN]))


@pytest.mark.parametrize("counts", [[13, 17], [15, 21]], ids=["fixed_lengths", "with_ends"])
def test_token_accuracy_counts_the_end_of_a_target_where_the_evaluation_did(counts):
    """Right are 5, 4, 0 and 4 of 6, 4, 2 and 5 tokens, and the ends of the first two."""
    right, tokens = counts
    found = example_counts("token_accuracy", ROWS, str.split, right / tokens)
    assert found.counts.sum(axis=0).tolist() == counts


def test_token_accuracy_of_other_predictions_is_not_made_up():
    assert example_counts("token_accuracy", ROWS, str.split, 0.5) is None
    assert example_counts("token_accuracy", ROWS, None, 13 / 17) is None


def test_edits_counted_by_the_problem_are_read_from_the_record():
    rows = [Prediction(str(i), "a", "b", "c", False, edits=edits) for i, edits in enumerate([(1, 2), (0, 3)])]
    assert example_counts("edit_rate", rows, None, 1 / 5).value == 1 / 5
    assert example_counts("edit_rate", [*rows, ROWS[0]], None, 1 / 5) is None


@pytest.mark.parametrize("unit", [1.0, 1e200])
def test_errors_of_numbers_are_summed_without_overflow(unit):
    rows = [a_forecast(i, 0.0, error * unit) for i, error in enumerate((1.0, -3.0, 2.0))]
    assert example_counts("rmse", rows, None, 0).value == pytest.approx(math.sqrt(14 / 3) * unit)
    assert example_counts("mae", rows, None, 0).value == pytest.approx(2.0 * unit)


def test_what_is_not_of_the_metric_gives_no_counts():
    assert example_counts("rmse", ROWS, str.split, 1.0) is None
    assert example_counts("persistence_rmse", [a_forecast(0, 1.0, 2.0)], None, 1.0) is None
    assert example_counts("bleu", [Prediction("0", "a", "b", "b", True)], str.split, 100.0) is None
    assert example_counts("sequence_accuracy", ROWS, str.split, 0.9) is None
