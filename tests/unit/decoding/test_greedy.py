"""Greedy search over fake models: small tables that say which character follows which."""

import numpy as np
import pytest
import tensorflow as tf
from oracle import seq2seq as oracle

from job.decoding.greedy import greedy

CHARACTERS = " ^$acehlnostu"  # padding, start, end, then letters
PAD, START, END = 0, 1, 2


def ids(text):
    return [CHARACTERS.index(c) for c in text]


def text(row):
    return "".join(CHARACTERS[i] for i in row).rstrip(" ")


def table(*words):
    """Return for each word which character follows which, (words, characters); each is in a word once."""
    after = np.full((len(words), len(CHARACTERS)), PAD)
    for row, word in enumerate(words):
        path = ids(f"^{word}$")
        after[row, path[:-1]] = path[1:]
        after[row, END] = START  # a model that babbles on after the end
    return tf.constant(after, tf.int32)


class Counted:
    """A step function over a table, and how often it was called; its states are which row is whose."""

    def __init__(self, after):
        self._after = after
        self.calls = tf.Variable(0)

    def __call__(self, symbols, states):
        self.calls.assign_add(1)
        following = tf.gather_nd(self._after, tf.stack([states["row"], symbols], axis=1))
        logits = tf.one_hot(following, len(CHARACTERS), on_value=-1.0, off_value=-2.0)
        return logits, {"row": states["row"], "seen": states["seen"] + 1}


def decode(*words, max_length=10, end=END):
    step = Counted(table(*words))
    states = {"row": tf.range(len(words)), "seen": tf.zeros([len(words), 1])}

    @tf.function
    def search():
        return greedy(step, states, rows=len(words), start=START, end=end, max_length=max_length)[0]

    return search().numpy(), int(step.calls)


def test_finds_the_exact_string_of_every_row():
    found, _ = decode("chat", "no", "house")
    assert [text(row) for row in found] == ["chat$", "no$", "house$"]


def test_stops_as_soon_as_every_row_has_ended():
    _, calls = decode("chat", "no", max_length=100)
    assert calls == len("chat$")


def test_a_finished_row_stays_padding_while_others_continue():
    found, _ = decode("no", "house", max_length=8)
    assert found[0].tolist() == [*ids("no$"), 0, 0, 0, 0, 0]
    assert found.shape == (2, 8)
    assert found.dtype == np.int32


def test_an_empty_word_is_its_end_alone():
    found, calls = decode("", max_length=4)
    assert found.tolist() == [[END, 0, 0, 0]]
    assert calls == 1


def test_stops_at_the_greatest_length_without_an_end():
    found, calls = decode("house", "no", max_length=3)
    assert [text(row) for row in found] == ["hou", "no$"]
    assert calls == 3


def test_without_an_end_symbol_every_row_has_the_full_length():
    found, calls = decode("no", "house", end=None, max_length=5)
    assert [text(row) for row in found] == ["no$^n", "house"]
    assert calls == 5


def test_an_end_symbol_means_nothing_where_there_is_none():
    found, calls = decode("", "a", end=None, max_length=4)
    assert [text(row) for row in found] == ["$^$^", "a$^a"]
    assert calls == 4


def test_the_start_symbol_is_fed_first():
    step = Counted(table("chat"))
    states = {"row": tf.zeros([1], tf.int32), "seen": tf.zeros([1, 1])}
    start = CHARACTERS.index("h")
    found, _ = greedy(step, states, rows=1, start=start, end=END, max_length=5)
    assert text(found.numpy()[0]) == "at$"


def test_the_number_of_rows_may_be_known_only_at_run_time():
    step = Counted(table("chat", "no"))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def search(row):
        states = {"row": row, "seen": tf.zeros([tf.shape(row)[0], 1])}
        return greedy(step, states, rows=tf.shape(row)[0], start=START, end=END, max_length=6)[0]

    assert [text(row) for row in search(tf.constant([1, 0, 1])).numpy()] == ["no$", "chat$", "no$"]


@pytest.mark.parametrize("end", [END, None])
def test_finds_what_a_search_row_by_row_finds(end):
    """Random logits that depend on the row, on how many steps were taken and on the symbol before."""
    rows, length, classes = 40, 7, 5
    logits = np.random.default_rng(2).normal(size=(rows, length, classes, classes)).astype(np.float32)

    def step(symbols, states):
        row, taken = states
        picked = tf.gather_nd(logits, tf.stack([row, taken, symbols], axis=1))
        return picked, (row, taken + 1)

    states = (tf.range(rows), tf.zeros([rows], tf.int32))
    found, scores = greedy(step, states, rows=rows, start=START, end=end, max_length=length, scored=True)
    found = found.numpy()
    logs = logits - np.log(np.exp(logits.astype(np.float64)).sum(axis=-1, keepdims=True))
    lengths = set()
    for row in range(rows):
        expected = oracle.greedy(
            lambda symbol, taken, row=row: (logits[row, taken, symbol], taken + 1), 0, START, end, length
        )
        lengths.add(len(expected))
        assert found[row].tolist() == expected + [0] * (length - len(expected))
        pairs = zip([START, *expected], expected, strict=False)
        total = sum(logs[row, taken, before, symbol] for taken, (before, symbol) in enumerate(pairs))
        assert scores[row].numpy() == pytest.approx(total, rel=1e-5)
    assert len(lengths) == (1 if end is None else length)


def test_scores_cost_nothing_where_nobody_asks_for_them():
    step = Counted(table("chat"))
    states = {"row": tf.zeros([1], tf.int32), "seen": tf.zeros([1, 1])}
    _, scores = greedy(step, states, rows=1, start=START, end=END, max_length=5)
    assert np.isnan(scores.numpy()).all()
