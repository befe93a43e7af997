"""The rule for near ties: which differences between an export and its model are accepted."""

from __future__ import annotations

import numpy as np
import pytest

from job.errors import ExportError
from job.inference.export.comparison import NEAR_TIE, count_near_ties, partings

EXPECTED = np.array([[5, 6, 2, 0], [7, 2, 0, 0], [4, 4, 4, 2]], np.int32)
LOGS = {4: -0.5, 5: -0.5 - NEAR_TIE / 2, 6: -0.5 - NEAR_TIE * 2, 7: -3.0, 2: -1.0}
"""Log-probability of each symbol, whatever stands before it."""


def score(rows, targets):
    assert len(rows) == len(targets)
    return np.array([sum(LOGS[int(i)] for i in row if i) for row in targets])


def found(**changes):
    ids = EXPECTED.copy()
    for row, symbols in changes.items():
        ids[int(row[1:])] = symbols
    return partings(EXPECTED, ids, score, lambda _, i: i in LOGS)


def token(number):
    return f"t{number}"


def test_equal_ids_do_not_part():
    assert found() == []
    assert count_near_ties([], 3, token) == 0


def test_a_near_tie_is_accepted_and_what_comes_after_it_is_not_compared():
    (parting,) = found(r2=[4, 5, 7, 7])
    assert (parting.example, parting.position, parting.expected, parting.found) == (2, 1, 4, 5)
    assert parting.expected_score == pytest.approx(-0.5)
    assert parting.near_tie
    assert count_near_ties([parting], 3, token) == 1


@pytest.mark.parametrize("symbols", [[4, 6, 4, 2], [4, 7, 4, 2]])
def test_a_larger_difference_fails_with_the_place_both_ids_and_their_scores(symbols):
    wrong = found(r2=symbols)
    with pytest.raises(ExportError) as error:
        count_near_ties(wrong, 3, token)
    other = symbols[1]
    assert "in test example 2 at symbol 2 the model has id 4 ('t4', log-probability -0.500000)" in str(
        error.value
    )
    assert f"the export id {other} ('t{other}', log-probability {LOGS[other]:.6f})" in str(error.value)


def test_the_first_of_several_that_is_no_near_tie_is_named():
    several = found(r0=[4, 7, 7, 7], r1=[2, 0, 0, 0], r2=[7, 7, 7, 7])
    assert [p.near_tie for p in several] == [True, False, False]
    with pytest.raises(ExportError, match=r"in test example 1 at symbol 1 .* \(and 1 more of 3 examples\)"):
        count_near_ties(several, 3, token)


@pytest.mark.parametrize("symbols", [[5, 6, 0, 0], [5, 6, 9, 0], [5, 6, 2, 4]])
def test_no_symbol_one_too_many_and_an_impossible_one_are_never_near_ties(symbols):
    (parting,) = found(r0=symbols)
    assert not parting.near_tie
    with pytest.raises(ExportError):
        count_near_ties([parting], 3, token)
