import random
from functools import cache

import numpy as np
import pytest

from job.evaluation import scores

random_words = random.Random(6)


def ids(*rows):
    width = max(map(len, rows))
    return np.array([[*row, *[0] * (width - len(row))] for row in rows], np.int32)


@pytest.mark.parametrize(
    ("correct", "expected"), [([True], 1.0), ([False], 0.0), ([True, False, True, True], 0.75)]
)
def test_sequence_accuracy(correct, expected):
    assert scores.sequence_accuracy(np.array(correct)) == expected


@pytest.mark.parametrize(
    ("predicted", "target", "expected"),
    [
        (ids([4, 5, 2]), ids([4, 5, 2]), 1.0),
        (ids([4, 6, 2]), ids([4, 5, 2]), 2 / 3),
        (ids([5, 4, 2]), ids([4, 5, 2]), 1 / 3),
        (ids([4, 2]), ids([4, 5, 2]), 1 / 3),  # ended early: what is missing is wrong
        (ids([4, 5, 6, 7, 2]), ids([4, 5, 2]), 2 / 3),  # what is too much is no target position
        (ids([4, 5, 2], [4, 2]), ids([4, 5, 2], [4, 2]), 1.0),  # padding is neither right nor wrong
        (ids([4, 2], [4, 2]), ids([4, 2], [4, 5, 2]), 3 / 5),
        (ids([1], [3]), ids([1, 2, 3], [3, 2, 1]), 2 / 6),  # no third column was decoded at all
    ],
)
def test_token_accuracy(predicted, target, expected):
    assert scores.token_accuracy(predicted, target) == pytest.approx(expected)


def distance_by_the_definition(a, b):
    """Levenshtein's distance as the recursion that defines it."""

    @cache
    def between(i, j):
        if not i or not j:
            return i + j
        return min(
            between(i - 1, j) + 1, between(i, j - 1) + 1, between(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        )

    return between(len(a), len(b))


@pytest.mark.parametrize(
    ("predicted", "references", "expected"),
    [
        ("kitten", ["sitting"], (3, 7)),
        ("", ["abc"], (3, 3)),
        ("abc", ["abc"], (0, 3)),
        ("abcabc", ["abc"], (3, 3)),
        ("ab", ["xx", "abc", "ab"], (0, 2)),  # the nearest reference counts
        ("ab", ["ax", "abc"], (1, 3)),  # of two as near, the longest
        ("ab", ["abc", "ax"], (1, 3)),  # whatever their order
    ],
)
def test_edit_distances_by_hand(predicted, references, expected):
    found = scores.edit_distances([list(predicted)], [[list(reference) for reference in references]])
    assert found == expected


def test_edit_distances_are_those_of_the_definition():
    def word():
        return [random_words.choice("abc") for _ in range(random_words.randint(1, 7))]

    rows = [(word(), [word() for _ in range(random_words.randint(1, 3))]) for _ in range(200)]
    nearest = [
        min((distance_by_the_definition(predicted, option), -len(option)) for option in options)
        for predicted, options in rows
    ]
    found = scores.edit_distances([p for p, _ in rows], [o for _, o in rows])
    assert found == (sum(d for d, _ in nearest), -sum(n for _, n in nearest))


def test_tokens_are_compared_whole():
    assert scores.edit_distances([["AH0", "B"]], [[["AH1", "B"]]]) == (1, 2)


def test_edit_rate_is_distance_over_reference_tokens_of_all_rows_and_can_exceed_1():
    assert scores.edit_rate([list("ab"), list("abcd")], [[list("ab")], [list("xy")]]) == 4 / 4
    assert scores.edit_rate([list("abcd")], [[list("x")]]) == 4.0


def test_rows_must_have_their_references():
    with pytest.raises(ValueError, match="zip"):
        scores.edit_distances([list("a"), list("b")], [[list("a")]])


# --- numbers ------------------------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")


def test_errors_of_numbers_are_over_what_the_series_still_has():
    predicted, target = np.array([[1.0, 2.0], [3.0, NAN]]), np.array([[2.0, 4.0], [3.0, NAN]])
    assert scores.rmse(predicted, target) == pytest.approx(np.sqrt(5 / 3))
    assert scores.mae(predicted, target) == pytest.approx(1.0)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_forecast_that_is_not_finite_counts(value):
    predicted, target = np.array([[1.0, value]]), np.array([[1.0, 1.0]])
    assert not np.isfinite(scores.rmse(predicted, target))
    assert not np.isfinite(scores.mae(predicted, target))


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_errors_whose_squares_overflow_or_underflow_are_kept(unit):
    predicted, target = np.array([[3 * unit, 0.0]]), np.array([[0.0, 4 * unit]])
    assert scores.rmse(predicted, target) == pytest.approx(np.sqrt(12.5) * unit)
    assert scores.rmse(target, target) == 0.0
