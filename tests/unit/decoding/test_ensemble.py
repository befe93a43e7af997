"""The step function of an ensemble, with tables instead of models."""

import numpy as np
import tensorflow as tf

from job.decoding.beam import beam_search
from job.decoding.ensemble import ensemble_step
from job.decoding.greedy import greedy

START, END, SIZE, LENGTH = 1, 2, 5, 3


def table_step(table):
    """A model whose logits depend on the last symbol and on the number of steps, which is its state."""

    def step(symbols, states):
        (steps,) = states
        return tf.gather_nd(table, tf.stack([steps, symbols], axis=1)), (steps + 1,)

    return step


def tables(count):
    random = np.random.default_rng(5)
    return random.normal(scale=2.0, size=(count, LENGTH, SIZE, SIZE)).astype(np.float32)


def softmax(logits):
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def mean_log_probabilities(models, t, symbol):
    return np.log(np.mean([softmax(model[t, symbol].astype(np.float64)) for model in models], axis=0))


def every_target(models):
    """Yield each possible target with its log-probability, by enumeration."""
    unfinished = [(0.0, [])]
    for t in range(LENGTH):
        grown = [
            (total + log, [*symbols, symbol])
            for total, symbols in unfinished
            for symbol, log in enumerate(mean_log_probabilities(models, t, (symbols or [START])[-1]))
        ]
        ended = [one for one in grown if one[1][-1] == END or t == LENGTH - 1]
        yield from ended
        unfinished = [one for one in grown if one[1][-1] != END]


def states(models, rows=1):
    return tuple((tf.zeros([rows], tf.int32),) for _ in models)


def test_greedy_search_follows_the_mean_of_probabilities():
    models = tables(3)
    step = ensemble_step([table_step(tf.constant(model)) for model in models])
    found, _ = greedy(step, states(models), rows=1, start=START, end=None, max_length=LENGTH)
    expected, last = [], START
    for t in range(LENGTH):
        last = int(np.argmax(mean_log_probabilities(models, t, last)))
        expected.append(last)
    assert found.numpy().tolist() == [expected]


def test_a_wide_beam_finds_the_most_probable_targets_of_all():
    models = tables(2)
    ranked = sorted(every_target(models), key=lambda one: -one[0])[:6]
    step = ensemble_step([table_step(tf.constant(model)) for model in models])
    width = SIZE**LENGTH
    ids, scores = beam_search(
        step,
        states(models),
        limits=tf.constant([LENGTH]),
        start=START,
        end=END,
        max_length=LENGTH,
        width=width,
        length_penalty=0.0,
    )
    found = [[i for i in row if i] if 0 in row else row for row in ids[0, :6].numpy().tolist()]
    assert found == [[i for i in symbols if i] if 0 in symbols else symbols for _, symbols in ranked]
    np.testing.assert_allclose(scores[0, :6], [total for total, _ in ranked], atol=1e-5)


def test_the_mean_is_not_that_of_the_logits():
    """Two models that disagree: one is sure of symbol 3, the other hardly prefers symbol 4."""
    sure, unsure = np.zeros((2, 1, SIZE, SIZE), np.float32)
    sure[..., 3], unsure[..., 4] = 4.0, 5.0
    unsure[..., 3] = -9.0
    step = ensemble_step([table_step(tf.constant(model)) for model in (sure, unsure)])
    logs, _ = step(tf.constant([START]), states((sure, unsure)))
    expected = np.log((softmax(sure[0, START]) + softmax(unsure[0, START])) / 2)
    np.testing.assert_allclose(logs[0], expected, atol=1e-6)
    assert np.isclose(np.exp(logs[0]).sum(), 1.0)


def test_an_ensemble_of_one_model_with_itself_decodes_as_the_model():
    (model,) = tables(1)
    one = table_step(tf.constant(model))
    options = {"rows": 1, "start": START, "end": END, "max_length": LENGTH}
    alone, _ = greedy(one, states((model,))[0], **options)
    twice, _ = greedy(ensemble_step([one, one]), states((model, model)), **options)
    assert alone.numpy().tolist() == twice.numpy().tolist()
