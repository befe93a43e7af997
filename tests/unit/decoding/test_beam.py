"""Beam search against a search of everything, over tables of random log-probabilities."""

import itertools
from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from job.decoding.beam import beam_search
from job.decoding.coverage import Coverage
from job.decoding.greedy import greedy

CLASSES, LENGTH, ROWS = 4, 3, 6
START, END = 1, 2


class Table:
    """A model whose logits depend on the row, the step and the symbol before, (rows, steps, before, V)."""

    def __init__(self, seed, spread=2.0):
        shape = (ROWS, LENGTH + 1, CLASSES, CLASSES)
        self.logits = np.random.default_rng(seed).normal(scale=spread, size=shape).astype(np.float32)

    def log_probability(self, row, symbols):
        total, before = 0.0, START
        for step, symbol in enumerate(symbols):
            logits = self.logits[row, step, before].astype(np.float64)
            total += logits[symbol] - np.log(np.exp(logits).sum())
            before = symbol
        return total

    def everything(self, row, alpha, limit=LENGTH):
        """Return (score, symbols) of all targets, best first: ended by END, or as long as may be."""
        found = []
        for length in range(1, limit + 1):
            for symbols in itertools.product(range(CLASSES), repeat=length):
                whole = length == limit or symbols[-1] == END
                if whole and END not in symbols[:-1]:
                    score = self.log_probability(row, symbols) / ((5 + length) / 6) ** alpha
                    found.append((score, symbols))
        return sorted(found, reverse=True)


STATES = tf.range(ROWS), tf.zeros([ROWS], tf.int32)


def following(logits):
    """Return the step function of a table's logits."""

    def step(symbols, states):
        row, taken = states
        return tf.gather_nd(logits, tf.stack([row, taken, symbols], axis=1)), (row, taken + 1)

    return step


@cache
def compiled(width, end):
    """Return a search that is traced once for all tables."""

    @tf.function
    def run(logits, alpha, limits):
        return beam_search(
            following(logits), STATES, limits=limits, start=START, end=end,
            max_length=LENGTH, width=width, length_penalty=alpha,
        )  # fmt: skip

    return run


def search(table, width, alpha, limits=None, end=END):
    limits = tf.constant([LENGTH] * ROWS if limits is None else limits, tf.int32)
    symbols, scores = compiled(width, end)(tf.constant(table.logits), tf.constant(alpha), limits)
    return symbols.numpy(), scores.numpy()


def padded(symbols):
    return [*symbols, *[0] * (LENGTH - len(symbols))]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_beam_that_holds_every_hypothesis_finds_the_n_best(seed, alpha):
    table = Table(seed)
    symbols, scores = search(table, width=64, alpha=alpha)
    for row in range(ROWS):
        best = table.everything(row, alpha)[:8]
        assert symbols[row, :8].tolist() == [padded(found) for _, found in best]
        np.testing.assert_allclose(scores[row, :8], [score for score, _ in best], rtol=1e-5)


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_every_score_is_that_of_its_symbols_and_the_best_comes_first(width):
    table = Table(7)
    symbols, scores = search(table, width=width, alpha=0.6)
    assert (np.diff(scores, axis=1) <= 0).all()
    for row, k in itertools.product(range(ROWS), range(width)):
        found = symbols[row, k].tolist()
        length = found.index(END) + 1 if END in found else LENGTH
        score = table.log_probability(row, found[:length]) / ((5 + length) / 6) ** 0.6
        assert scores[row, k] == pytest.approx(score, rel=1e-5)
        assert not any(found[length:])


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy_search(seed, alpha):
    table = Table(seed)
    found, totals = greedy(
        following(table.logits), STATES, rows=ROWS, start=START, end=END, max_length=LENGTH, scored=True
    )
    symbols, scores = search(table, width=1, alpha=alpha)
    np.testing.assert_array_equal(symbols[:, 0], found)
    if alpha == 0:
        np.testing.assert_allclose(scores[:, 0], totals, rtol=1e-6)


def test_a_beam_that_holds_everything_scores_at_least_as_high_as_greedy_search():
    table = Table(11)
    narrow, wide = search(table, 1, 0.0)[1][:, 0], search(table, 64, 0.0)[1][:, 0]
    assert (wide >= narrow - 1e-6).all()
    assert (wide > narrow + 1e-3).any()  # else greedy would do


def test_rows_end_at_their_own_limits():
    table = Table(3)
    limits = [1, 2, 3, 1, 2, 3]
    symbols, scores = search(table, width=64, alpha=0.6, limits=limits)
    for row, limit in enumerate(limits):
        score, best = table.everything(row, 0.6, limit)[0]
        assert symbols[row, 0].tolist() == padded(best)
        assert scores[row, 0] == pytest.approx(score, rel=1e-5)


def test_without_an_end_every_row_has_its_full_length():
    table = Table(5)
    symbols, scores = search(table, width=64, alpha=0.0, end=None)
    for row in range(ROWS):
        best = max(
            itertools.product(range(CLASSES), repeat=LENGTH),
            key=lambda found: table.log_probability(row, found),
        )
        assert symbols[row, 0].tolist() == list(best)
        assert scores[row, 0] == pytest.approx(table.log_probability(row, best), rel=1e-5)


def test_stops_when_every_hypothesis_has_ended():
    calls = tf.Variable(0)

    def ends_at_once(symbols, states):
        calls.assign_add(1)
        return tf.one_hot(tf.fill(tf.shape(symbols), END), CLASSES, on_value=50.0), states

    @tf.function
    def run():
        return beam_search(
            ends_at_once, tf.zeros([2, 1]), limits=tf.fill([2], 9), start=START, end=END,
            max_length=9, width=1, length_penalty=0.6,
        )  # fmt: skip

    symbols, _ = run()
    assert symbols.numpy()[:, 0].tolist() == [[END, *[0] * 8]] * 2
    assert int(calls) == 1


# --- the coverage penalty -----------------------------------------------------------------------------------

ATTENTION = np.random.default_rng(8).dirichlet([0.4] * 4, size=(LENGTH + 1, CLASSES)).astype(np.float32)
"""Attention of a step, (steps, symbol before, S)."""
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]] * 2, bool)
BETA = 0.8


def covered(row, symbols):
    """Wu et al. 2016, equation 14: beta times the sum over i of log(min(sum over j of p_ij, 1))."""
    before = [START, *symbols[:-1]]
    seen = sum(ATTENTION[t, symbol].astype(np.float64) for t, symbol in enumerate(before))
    return BETA * sum(
        np.log(max(min(p, 1.0), 1e-10)) for p, valid in zip(seen, MASK[row], strict=True) if valid
    )


def test_the_coverage_penalty_is_that_of_the_paper():
    table, alpha, width = Table(4), 0.6, CLASSES**LENGTH
    following_logits = following(table.logits)

    @tf.function(autograph=False)
    def run():
        def step(symbols, states):
            *states, _ = states
            taken = states[1]
            logits, after = following_logits(symbols, states)
            return logits, (*after, tf.gather_nd(ATTENTION, tf.stack([taken, symbols], axis=1)))

        return beam_search(
            step, (*STATES, tf.zeros([ROWS, 4])), limits=tf.constant([LENGTH] * ROWS), start=START, end=END,
            max_length=LENGTH, width=width, length_penalty=alpha,
            coverage=Coverage(beta=BETA, attended=lambda states: states[-1], mask=tf.constant(MASK)),
        )  # fmt: skip

    symbols, scores = (x.numpy() for x in run())
    for row in range(ROWS):
        expected = sorted(
            ((score + covered(row, found), found) for score, found in table.everything(row, alpha)),
            reverse=True,
        )
        found = [tuple(ids) for ids in symbols[row].tolist()]
        assert found[0] == tuple(padded(expected[0][1]))
        for (score, target), ours, ids in zip(expected[:8], scores[row], found, strict=False):
            assert ids == tuple(padded(target))
            assert ours == pytest.approx(score, abs=1e-4)
    assert any(  # the penalty decides
        table.everything(row, alpha)[0][1] != tuple(s for s in symbols[row, 0].tolist() if s)
        for row in range(ROWS)
    )
