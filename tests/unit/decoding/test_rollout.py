"""Free-running forecasts over small step functions."""

import numpy as np
import pytest
import tensorflow as tf

from job.decoding.rollout import rollout


def doubling(values, states):
    """Doubles the value and adds how often it was called for the row."""
    (calls,) = states
    return 2 * values + calls, (calls + 1,)


def run(step, states, first, length):
    first = tf.constant(first, tf.float32)
    return tf.function(lambda: rollout(step, states, first=first, length=length))().numpy()


def test_each_number_is_predicted_from_the_last_one_and_the_states():
    found = run(doubling, (tf.constant([0.0, 10.0]),), [1.0, -1.0], 4)
    expected = [[2, 5, 12, 27], [8, 27, 66, 145]]
    assert found.tolist() == expected
    assert found.dtype == np.float32


@pytest.mark.parametrize("length", [1, 100])
def test_so_many_numbers_as_asked_for(length):
    found = run(lambda values, states: (values + 1, states), (), [0.0, 5.0, 7.0], length)
    assert np.array_equal(found, np.array([[0], [5], [7]]) + np.arange(1, length + 1))


def test_states_are_any_nest():
    states = {"h": (tf.constant([[1.0, 2.0]]), tf.constant([3.0]))}

    def step(values, states):
        h, c = states["h"]
        return values + tf.reduce_sum(h, axis=1) + c, {"h": (h * 2, c)}

    assert run(step, states, [0.0], 3).tolist() == [[6, 15, 30]]


def test_rows_may_be_counted_when_it_runs():
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def decode(first):
        return rollout(lambda values, states: (values / 2, states), (), first=first, length=2)

    assert decode(tf.constant([8.0])).numpy().tolist() == [[4, 2]]
    assert decode(tf.constant([8.0, 4.0])).numpy().tolist() == [[4, 2], [2, 1]]
