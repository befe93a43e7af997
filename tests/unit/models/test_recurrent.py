"""The fused layers against Keras's, against the papers (`oracle`) and against numbers worked out by hand."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle.recurrent import STATES, run

from job.models import time_loops
from job.models.recurrent import FusedGRU, FusedLSTM, gru_steps, lstm_steps

ROWS, STEPS, FEATURES, UNITS = 3, 5, 4, 2
LENGTHS = [5, 1, 3]
FUSED = {"lstm": FusedLSTM, "gru": FusedGRU}
KERAS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
GATES = {"lstm": 4, "gru": 3}

cells = pytest.mark.parametrize("cell", ["lstm", "gru"])
PATHS = {"unrolled": 32, "while_loop": 0}
paths = pytest.mark.parametrize("unroll_limit", PATHS.values(), ids=PATHS)
inputs = pytest.mark.parametrize("given", ["ids", "vectors"])


@pytest.fixture
def random():
    return np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _limit(request, monkeypatch):
    if "unroll_limit" in request.fixturenames:
        monkeypatch.setattr(time_loops, "UNROLL_LIMIT", request.getfixturevalue("unroll_limit"))


def sequences(given, random):
    """Return what a fused layer reads, and the same as vectors."""
    if given == "ids":
        ids = random.integers(0, FEATURES, (ROWS, STEPS)).astype(np.int32)
        return tf.constant(ids), tf.one_hot(ids, FEATURES)
    vectors = tf.constant(random.normal(size=(ROWS, STEPS, FEATURES)), tf.float32)
    return vectors, vectors


def layers(cell, given, random):
    """Return a fused layer and Keras's with the same weights, all of them (biases too) random."""
    fused = FUSED[cell](UNITS, input_size=FEATURES if given == "ids" else None)
    plain = KERAS[cell](UNITS, return_sequences=True, return_state=True)
    fused.build((None, None) if given == "ids" else (None, None, FEATURES))
    plain.build((None, None, FEATURES))
    weights = [random.normal(size=w.shape) for w in fused.weights]
    fused.set_weights(weights)
    plain.set_weights(weights)
    return fused, plain


def states_of(cell, random):
    return [tf.constant(random.normal(size=(ROWS, UNITS)), tf.float32) for _ in range(STATES[cell])]


def right_padded(lengths=LENGTHS):
    return tf.sequence_mask(lengths, STEPS)


@dataclass(frozen=True)
class Ran:
    """What a fused layer and Keras's gave for the same inputs, states and mask.

    Results are outputs and the last states; gradients are those of `weighted_sum` by the weights, the first
    states, and by vectors that were read.
    """

    cell: str
    weights: Any
    vectors: Any
    begin: Any
    lengths: Any
    results: Any
    gradients: Any
    results_of_keras: Any
    gradients_of_keras: Any


def weighted_sum(results, weights, valid):
    """A scalar that every valid output and every last state enters with a weight of its own."""
    outputs, *last = results
    total = tf.reduce_sum(tf.where(valid[:, :, None], outputs * weights[0], 0.0))
    return total + sum(tf.reduce_sum(s * w) for s, w in zip(last, weights[1:], strict=True))


# Loops are run in a graph, where they are loops. What a mask does has nothing to do with the loop.
CASES = list(
    product(FUSED, ("ids", "vectors"), [("unrolled",), ("unrolled", "masked"), ("while_loop", "masked")])
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join([*case[:2], *case[2]]))
def ran(request):
    cell, given, (path, *masked) = request.param
    random = np.random.default_rng(5)
    fused, plain = layers(cell, given, random)
    read, vectors = sequences(given, random)
    mask = right_padded() if masked else None
    lengths = LENGTHS if masked else [STEPS] * ROWS
    begin = states_of(cell, random)
    shapes = [(ROWS, STEPS, UNITS), *[(ROWS, UNITS)] * len(begin)]
    weights = [tf.constant(random.normal(size=shape), tf.float32) for shape in shapes]

    def results_and_gradients(layer, sequence, *states):
        watched = [*states, *([sequence] if given == "vectors" else [])]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            results = layer(sequence, initial_state=list(states), mask=mask)
            total = weighted_sum(results, weights, right_padded(lengths))
        return results, tape.gradient(total, [*(w.value for w in layer.trainable_weights), *watched])

    function = tf.function(results_and_gradients) if path == "while_loop" else results_and_gradients
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_loops, "UNROLL_LIMIT", PATHS[path])
        found = function(fused, read, *begin)
    expected = results_and_gradients(plain, vectors, *begin)
    arrays = ([tf.convert_to_tensor(x).numpy() for x in part] for part in (*found, *expected))
    return Ran(cell, fused.get_weights(), vectors.numpy(), [s.numpy() for s in begin], lengths, *arrays)


def test_outputs_and_states_are_the_papers(ran):
    outputs, *last = ran.results
    for row, length in enumerate(ran.lengths):
        xs, state = ran.vectors[row, :length], [s[row] for s in ran.begin]
        expected, after = run(ran.cell, xs.astype(float), state, ran.weights)
        np.testing.assert_allclose(outputs[row, :length], expected, atol=1e-6)
        np.testing.assert_allclose([s[row] for s in last], after, atol=1e-6)


def test_outputs_and_states_are_those_of_keras(ran):
    valid = right_padded(ran.lengths).numpy()
    outputs, expected = ran.results[0], ran.results_of_keras[0]
    np.testing.assert_allclose(outputs[valid], expected[valid], atol=1e-6)
    for ours, theirs in zip(ran.results[1:], ran.results_of_keras[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_gradients_are_those_of_keras(ran):
    assert len(ran.gradients) >= 4
    for ours, expected in zip(ran.gradients, ran.gradients_of_keras, strict=True):
        scale = np.abs(expected).max()
        assert scale > 0
        np.testing.assert_allclose(ours, expected, atol=2e-6 * max(1, scale))


@inputs
@cells
def test_without_states_given_it_starts_from_zeros_as_keras_does(cell, given, random):
    fused, plain = layers(cell, given, random)
    read, vectors = sequences(given, random)
    for ours, expected in zip(fused(read), plain(vectors), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)


@cells
def test_a_length_known_only_at_run_time_gives_the_same(cell, random):
    fused, _ = layers(cell, "ids", random)
    late = tf.function(fused, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    for length in (1, 4, 40):
        ids = tf.constant(random.integers(0, FEATURES, (ROWS, length)), tf.int32)
        for ours, expected in zip(late(ids), fused(ids), strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-6)


@cells
def test_short_static_lengths_are_unrolled_and_others_are_not(cell, random, monkeypatch):
    monkeypatch.setattr(time_loops, "UNROLL_LIMIT", 4)  # quicker to unroll than as many as there are
    fused, _ = layers(cell, "ids", random)

    def loops(length):
        signature = [tf.TensorSpec([ROWS, length], tf.int32)]
        graph = tf.function(lambda ids: fused(ids)[0], input_signature=signature)
        operations = graph.get_concrete_function().graph.get_operations()
        return sum(operation.type in ("While", "StatelessWhile") for operation in operations)

    assert loops(time_loops.UNROLL_LIMIT) == 0
    assert loops(time_loops.UNROLL_LIMIT + 1) == 1
    assert loops(None) == 1


@cells
def test_weights_have_the_names_and_shapes_of_keras(cell, random):
    fused, plain = layers(cell, "ids", random)
    assert [(w.name, w.shape) for w in fused.weights] == [(w.name, w.shape) for w in plain.weights]


# --- numbers worked out by hand -----------------------------------------------------------------------------

ATANH_HALF = np.log(3) / 2  # tanh of it is 1/2
THREE_QUARTERS, QUARTER, HALF = np.log(3), -np.log(3), 0.0  # the sigmoid of these


@paths
def test_lstm_by_hand(unroll_limit):
    """Gates that do not depend on the input: i 3/4, f 1/4, candidate 1/2, o 1/2; from c = 1."""
    layer = FusedLSTM(1, input_size=2)
    layer.build((None, None))
    bias = [THREE_QUARTERS, QUARTER, ATANH_HALF, HALF]
    layer.set_weights([np.zeros((2, 4)), np.zeros((1, 4)), np.array(bias)])
    begin = [tf.zeros([1, 1]), tf.ones([1, 1])]
    outputs, h, c = layer(tf.constant([[0, 1]]), initial_state=begin)
    first = 1 / 4 + 3 / 8
    second = first / 4 + 3 / 8
    np.testing.assert_allclose(outputs[0, :, 0], [np.tanh(first) / 2, np.tanh(second) / 2], atol=1e-7)
    np.testing.assert_allclose([h[0, 0], c[0, 0]], [np.tanh(second) / 2, second], atol=1e-7)


@paths
def test_lstm_reads_the_row_of_an_id_and_its_own_state(unroll_limit):
    """Id 1 opens the input gate (3/4), id 0 shuts it; the state alone makes the candidate."""
    layer = FusedLSTM(1, input_size=2)
    layer.build((None, None))
    shut = -200.0
    kernel = np.array([[shut, 0, 0, 0], [THREE_QUARTERS, 0, 0, 0]])
    recurrent_kernel = np.array([[0, 0, ATANH_HALF, 0]])
    layer.set_weights([kernel, recurrent_kernel, np.array([0, shut, 0, 200.0])])  # f = 0, o = 1
    begin = [tf.ones([2, 1]), tf.ones([2, 1])]
    _, h, c = layer(tf.constant([[0], [1]]), initial_state=begin)
    np.testing.assert_allclose(c[:, 0], [0, 3 / 8], atol=1e-7)
    np.testing.assert_allclose(h[:, 0], [0, np.tanh(3 / 8)], atol=1e-7)


@paths
def test_gru_by_hand(unroll_limit):
    """z 3/4, r 1/4; the candidate is tanh(r * 4 atanh(1/2)) = 1/2: r is applied after the product."""
    layer = FusedGRU(1, input_size=2)
    layer.build((None, None))
    bias = np.array([[THREE_QUARTERS, QUARTER, 0], [0, 0, 4 * ATANH_HALF]])
    layer.set_weights([np.zeros((2, 3)), np.zeros((1, 3)), bias])
    outputs, h = layer(tf.constant([[0, 1]]), initial_state=[tf.zeros([1, 1])])
    np.testing.assert_allclose(outputs[0, :, 0], [1 / 8, 7 / 32], atol=1e-7)
    np.testing.assert_allclose(h, [[7 / 32]], atol=1e-7)


# --- precision ----------------------------------------------------------------------------------------------


@paths
def test_the_state_of_an_lstm_of_16_bits_grows_beyond_what_16_bits_can_count(unroll_limit):
    """Open gates add 1 at each step: a bfloat16 state would stay at 256, since 257 is rounded to it."""
    z = tf.fill([400, 1, 4], tf.constant(100, tf.bfloat16))
    _, cs = lstm_steps(z, tf.zeros([1, 4], tf.bfloat16))
    assert cs.dtype == tf.bfloat16
    assert [float(cs[step, 0, 0]) for step in (0, 255, 299, 399)] == [1, 256, 300, 400]


@paths
def test_the_state_of_a_gru_of_16_bits_changes_by_less_than_16_bits_can_tell(unroll_limit):
    """The update gate keeps 4095/4096 of the state at each step; rounded to bfloat16 that is all of it."""
    keep = tf.math.log(4095.0)
    z = tf.tile(tf.stack([keep, 0.0, 0.0])[None, None], [400, 1, 1])
    arguments = (z, tf.ones([1, 1]), tf.zeros([1, 3]), tf.zeros([3]))
    hs = gru_steps(*(tf.cast(x, tf.bfloat16) for x in arguments))
    assert hs.dtype == tf.bfloat16
    rounded = float(tf.cast(keep, tf.bfloat16))
    expected = (1 / (1 + np.exp(-rounded))) ** 400
    assert 0.88 < expected < 0.95
    assert float(hs[-1, 0, 0]) == pytest.approx(expected, rel=2**-8)


@cells
def test_gradients_of_16_bits_are_near_those_of_32(cell, random):
    """Each is rounded once, and so are the factors of each product: 2^-8 of the largest entry."""
    width, rows, units = GATES[cell] * 8, 4, 8
    shapes = {
        "lstm": [(20, rows, width), (units, width), (rows, units), (rows, units)],
        "gru": [(20, rows, width), (rows, units), (units, width), (width,)],
    }
    steps = {"lstm": lstm_steps, "gru": gru_steps}[cell]
    rounded = [tf.cast(tf.constant(random.normal(size=s) / 2), tf.bfloat16) for s in shapes[cell]]
    found = {}
    for dtype in (tf.bfloat16, tf.float32):
        arguments = [tf.cast(x, dtype) for x in rounded]
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            total = tf.reduce_sum(tf.cast(tf.convert_to_tensor(steps(*arguments)), tf.float32))
        found[dtype] = tape.gradient(total, arguments)
    for low, full in zip(found[tf.bfloat16], found[tf.float32], strict=True):
        assert low.dtype == tf.bfloat16
        error = tf.reduce_max(tf.abs(tf.cast(low, tf.float32) - full)) / tf.reduce_max(tf.abs(full))
        assert 0 < float(error) < 0.02


# --- gradients ----------------------------------------------------------------------------------------------


@paths
@cells
def test_gradients_are_those_of_finite_differences(cell, unroll_limit, random):
    """In float64, where finite differences are good to many digits; for every argument of the kernel."""
    width = GATES[cell] * UNITS
    shapes = {
        "lstm": [(3, 2, width), (UNITS, width), (2, UNITS), (2, UNITS)],
        "gru": [(3, 2, width), (2, UNITS), (UNITS, width), (width,)],
    }
    steps = {"lstm": lstm_steps, "gru": gru_steps}[cell]
    arguments = [tf.constant(random.normal(size=shape)) for shape in shapes[cell]]
    weight = tf.constant(random.normal(size=(3, 2, UNITS * STATES[cell])))

    def total(*given):
        results = steps(*given)
        joined = tf.concat(results, axis=-1) if cell == "lstm" else results
        return tf.reduce_sum(joined * weight)

    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = total(*arguments)
    for i, gradient in enumerate(tape.gradient(value, arguments)):
        direction = tf.constant(random.normal(size=arguments[i].shape))  # moves every entry
        above, below = (
            total(*arguments[:i], arguments[i] + by * direction, *arguments[i + 1 :]) for by in (1e-5, -1e-5)
        )
        slope = float(above - below) / 2e-5
        assert abs(slope) > 0.01
        assert float(tf.reduce_sum(gradient * direction)) == pytest.approx(slope, abs=1e-8)


@paths
def test_gradients_without_states_are_those_with_zeros(unroll_limit, random):
    """Where there is nothing to multiply with, an unrolled loop leaves products out."""
    z, weight = (tf.constant(random.normal(size=(3, 2, n * UNITS))) for n in (4, 2))
    kernel, zeros = tf.constant(random.normal(size=(UNITS, 4 * UNITS))), tf.zeros([2, UNITS], tf.float64)
    found = []
    for state in ((), (zeros, zeros)):
        with tf.GradientTape() as tape:
            tape.watch([z, kernel])
            total = tf.reduce_sum(tf.concat(lstm_steps(z, kernel, *state), axis=-1) * weight)
        found.append([total, *tape.gradient(total, [z, kernel])])
    for without, given in zip(*found, strict=True):
        np.testing.assert_allclose(without, given, rtol=1e-12, atol=1e-12)


@paths
@cells
def test_steps_in_the_padding_get_no_gradient(cell, unroll_limit, random):
    fused, _ = layers(cell, "vectors", random)
    vectors, _ = sequences("vectors", random)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        _, *last = fused(vectors, mask=right_padded())
        total = sum(map(tf.reduce_sum, last))
    gradient = tape.gradient(total, vectors).numpy()
    touched = np.abs(gradient).max(axis=-1) > 0
    assert np.array_equal(touched, right_padded().numpy())
