"""Sampling over tables of random logits: its distribution, its truncation, and what it depends on."""

import numpy as np
import pytest
import tensorflow as tf

from job.decoding.sampling import random_keys, sample, truncated

CLASSES, LENGTH = 4, 3
START, END = 1, 2
LOGITS = np.random.default_rng(5).normal(scale=1.5, size=(LENGTH + 1, CLASSES, CLASSES)).astype(np.float32)


def draw(rows, *, keys=None, end=END, limit=LENGTH, temperature=1.0, top_k=None, top_p=None):
    """Draw a target for each of `rows` equal rows; return symbols (rows, LENGTH) and log-probabilities."""

    @tf.function(autograph=False)
    def run(keys):
        def step(symbols, taken):
            return tf.gather_nd(LOGITS, tf.stack([taken, symbols], axis=1)), taken + 1

        count = tf.shape(keys)[0]
        return sample(
            step, tf.zeros([count], tf.int32), keys=keys, start=START, end=end, max_length=LENGTH,
            limits=tf.fill([count], limit), temperature=temperature, top_k=top_k, top_p=top_p,
        )  # fmt: skip

    keys = random_keys(tf.range(1, rows + 1)[:, None], 0) if keys is None else keys
    symbols, scores = run(keys)
    return symbols.numpy(), scores.numpy()


def log_softmax(x):
    return x - np.log(np.exp(x).sum())


def probability(symbols, temperature=1.0):
    """Return the probability of a target, which ends with END or has LENGTH symbols."""
    total, before = 0.0, START
    for t, symbol in enumerate(symbols):
        total += log_softmax(LOGITS[t, before].astype(np.float64) / temperature)[symbol]
        before = symbol
    return np.exp(total)


def text(row):
    row = row.tolist()
    return tuple(row[: row.index(END) + 1] if END in row else row)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_targets_occur_as_often_as_they_are_probable(temperature):
    rows = 20_000
    symbols, _ = draw(rows, temperature=temperature)
    found = [text(row) for row in symbols]
    assert len(set(found)) > 10
    for target in set(found):
        expected = probability(target, temperature)
        error = np.sqrt(expected * (1 - expected) / rows)
        assert abs(found.count(target) / rows - expected) < 4.5 * error + 1e-4


def test_scores_are_log_probabilities_of_the_model():
    symbols, scores = draw(500, temperature=0.7, top_k=3)
    expected = [np.log(probability(text(row))) for row in symbols]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_the_likeliest_symbol_alone_is_greedy_search():
    for keys in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 0.01}):
        symbols, _ = draw(50, **keys)
        best, before = [], START
        while len(best) < LENGTH and before != END:
            before = int(LOGITS[len(best), before].argmax())
            best.append(before)
        assert {text(row) for row in symbols} == {tuple(best)}


def test_rows_end_with_the_end_symbol_or_at_their_limit():
    symbols, _ = draw(500)
    for row in symbols.tolist():
        if END in row:
            assert set(row[row.index(END) + 1 :]) <= {0}
    assert np.all(draw(100, limit=2)[0][:, 2] == 0)
    assert np.any(draw(100, end=None)[0][:, 2] != 0)


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (None, None, [0, 1, 2, 3]),
        (4, 1.0, [0, 1, 2, 3]),
        (9, None, [0, 1, 2, 3]),
        (1, None, [2]),
        (2, None, [0, 2]),
        (3, None, [0, 2, 3]),
        (None, 0.39, [2]),
        (None, 0.41, [0, 2]),
        (None, 0.69, [0, 2]),
        (None, 0.71, [0, 2, 3]),
        (None, 0.95, [0, 1, 2, 3]),
        (2, 0.56, [2]),  # 0.4 of the 0.7 that the two likeliest have is more than 0.56 of it
        (2, 0.58, [0, 2]),
        (3, 0.7, [0, 2]),
    ],
)
def test_unlikely_symbols_are_left_out(top_k, top_p, kept):
    probabilities = tf.constant([[0.3, 0.1, 0.4, 0.2]])
    left = truncated(probabilities, top_k, top_p).numpy()[0]
    assert np.flatnonzero(left).tolist() == kept
    assert np.array_equal(left[kept], probabilities.numpy()[0, kept])


def test_a_row_does_not_depend_on_the_others():
    keys = random_keys(tf.range(1, 65)[:, None], 3)
    together, scores = draw(0, keys=keys)
    backward, _ = draw(0, keys=keys[::-1])
    assert np.array_equal(backward[::-1], together)
    alone, score = draw(0, keys=keys[10:11])
    assert np.array_equal(alone[0], together[10])
    assert score[0] == scores[10]


def test_keys_depend_on_tokens_their_order_and_the_seed_but_not_on_padding():
    sources = tf.constant([[3, 4, 5], [5, 4, 3], [3, 4, 0], [3, 0, 0], [4, 3, 0]])
    keys = random_keys(sources, 1).numpy()
    assert len(set(keys.tolist())) == 5
    assert np.array_equal(keys, random_keys(tf.pad(sources, [[0, 0], [0, 7]]), 1))
    assert not np.any(keys == random_keys(sources, 2).numpy())
    assert keys.min() >= 0
    assert keys.max() < 1 << 32


def test_keys_of_many_sources_are_spread_evenly():
    sources = np.random.default_rng(1).integers(1, 50, (50_000, 6))
    keys = random_keys(tf.constant(np.unique(sources, axis=0), tf.int32), 7).numpy()
    counts = np.bincount(keys >> 24, minlength=256)
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 360  # chi-squared, 255: p > 1e-5
    assert len(set(keys.tolist())) > len(keys) * 0.9999 - 5
