"""Hard monotonic attention against the sum over all alignments (`oracle`) and against numbers by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle.attention import weights_by_part
from oracle.monotonic import MonotonicDecoder, alignments, likelihood

from job.models import time_loops
from job.models.monotonic import MonotonicOutput, first_alignment, transition
from job.training.objectives import masked_loss

UNITS, SIZE, LENGTHS = 2, 5, (4, 1, 3)
TARGET = np.array([[2, 3, 4, 2], [4, 0, 0, 0], [3, 3, 0, 0]], np.int32)
SYMBOLS = np.array([[1, 2, 3, 4], [1, 4, 0, 0], [1, 3, 3, 0]], np.int32)
"""The inputs of the decoder: the start, then the target without its last symbol."""

MASK = np.arange(4) < np.array(LENGTHS)[:, None]
PATHS = {"unrolled": 32, "while_loop": 0}


@pytest.fixture(params=PATHS)
def layer(request, monkeypatch):
    """A layer with random weights, whose loops are unrolled or not."""
    monkeypatch.setattr(time_loops, "UNROLL_LIMIT", PATHS[request.param])
    return random_layer()


def random_layer():
    layer, random = MonotonicOutput(units=UNITS, size=SIZE), np.random.default_rng(1)
    layer.build((None, None, UNITS), (None, None), (None, None, UNITS))
    layer.set_weights([random.normal(size=w.shape) for w in layer.weights])
    return layer


def given():
    """Return decoder outputs (B, T, H) and a memory (B, S, H), with large numbers in its padding."""
    random = np.random.default_rng(2)
    outputs = random.normal(size=(3, 4, UNITS)).astype(np.float32)
    memory = random.normal(size=(3, 4, UNITS)).astype(np.float32)
    return outputs, np.where(MASK[:, :, None], memory, 50).astype(np.float32)


def loss(layer, outputs, memory):
    """Return the loss of training, computed by a function with the lengths of the arrays."""
    logits = layer(outputs, tf.constant(SYMBOLS), memory, mask=tf.constant(MASK))
    return masked_loss(logits, tf.constant(TARGET))["loss"]


def expected_loss(layer, outputs, memory, parts=None):
    """Return minus the log-likelihood of all targets, each summed over its alignments."""
    paper, total = MonotonicDecoder(parts or weights_by_part(layer)), 0.0
    for row, length in enumerate(LENGTHS):
        symbols = TARGET[row][TARGET[row] > 0]
        values = (x[row].astype(np.float64) for x in (outputs, memory))
        d, m = (x[:n] for x, n in zip(values, (len(symbols), length), strict=True))
        total -= np.log(likelihood(paper.scores(d, m), paper.emissions(d, m), symbols))
    return total


def test_the_alignments_are_those_that_never_go_back():
    assert [*alignments(2, 3)] == [(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 1, 1)]
    assert len([*alignments(4, 3)]) == 20


def test_the_loss_is_minus_the_log_likelihood_summed_over_all_alignments(layer):
    found = float(tf.function(loss)(layer, *map(tf.constant, given())))
    assert found == pytest.approx(expected_loss(layer, *given()), abs=1e-5)


def test_each_output_is_a_distribution_given_the_symbols_before(layer):
    outputs, memory = given()
    logs = layer(outputs, SYMBOLS, memory, mask=tf.constant(MASK)).numpy()
    np.testing.assert_allclose(np.exp(logs).sum(-1), 1, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        paper = MonotonicDecoder(weights_by_part(layer))
        expected, _ = paper.run(outputs[row], SYMBOLS[row], memory[row, :length])
        np.testing.assert_allclose(logs[row], expected, atol=1e-5)


def test_gradients_are_those_of_finite_differences(layer):
    outputs, memory = map(tf.constant, given())
    names = [w.path.split("/")[-2:] for w in layer.weights]
    with tf.GradientTape() as tape:
        tape.watch([outputs, memory])
        total = loss(layer, outputs, memory)
    *ours, d_outputs, d_memory = tape.gradient(total, [*layer.trainable_weights, outputs, memory])
    assert len(ours) == len(names) == 5

    def differences(array, value):
        """Change each number of an array in place; `value` is the loss that depends on it."""
        found = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            before, high_low = array[index], []
            for step in (1e-5, -1e-5):
                array[index] = before + step
                high_low.append(value())
            array[index] = before
            found[index] = (high_low[0] - high_low[1]) / 2e-5
        return found

    parts = weights_by_part(layer)
    arrays = [parts[name][{"kernel": 0, "bias": 1}[kind]] for name, kind in names]
    exact = [x.astype(np.float64) for x in given()]
    for array, gradient in zip([*arrays, *exact], [*ours, d_outputs, d_memory], strict=True):
        expected = differences(array, lambda: expected_loss(layer, *exact, parts))
        np.testing.assert_allclose(gradient, expected, atol=2e-5)


def test_padding_is_never_attended_to_and_gets_no_gradient(layer):
    outputs, memory = given()
    other = np.where(MASK[:, :, None], memory, -7).astype(np.float32)
    assert float(loss(layer, outputs, other)) == float(loss(layer, outputs, memory))
    memory = tf.constant(memory)
    with tf.GradientTape() as tape:
        tape.watch(memory)
        total = loss(layer, outputs, memory)
    gradient = tape.gradient(total, memory).numpy()
    assert not gradient[~MASK].any()
    assert np.all(np.abs(gradient[MASK]).max(axis=-1) > 1e-4)


def test_from_each_position_only_those_after_it_and_itself_can_be_reached():
    scores = np.log([[1.0, 2.0, 3.0]]).astype(np.float32)
    for before, expected in enumerate([[1 / 6, 2 / 6, 3 / 6], [0, 2 / 5, 3 / 5], [0, 0, 1]]):
        at = np.where(np.arange(3) == before, 0.0, -1e9).astype(np.float32)[None]
        found = np.exp(transition(scores, at, None))
        np.testing.assert_allclose(found, [expected], atol=1e-6)
    hidden = np.exp(transition(scores, first_alignment(scores), np.array([[True, True, False]])))
    np.testing.assert_allclose(hidden, [[1 / 3, 2 / 3, 0]], atol=1e-6)


def certain_layer():
    """Return a layer whose position j emits symbol j + 2 for certain, and whose scores are all equal."""
    layer = MonotonicOutput(units=3, size=SIZE)
    layer.build((None, None, 3), (None, None), (None, None, 3))
    layer.set_weights([np.zeros(w.shape) for w in layer.weights])
    layer.emission.kernel.assign(80 * np.eye(3, SIZE, 2))
    return layer, tf.constant(30 * np.eye(3, dtype=np.float32)[None])


def test_what_was_emitted_tells_where_the_decoder_is():
    layer, memory = certain_layer()
    symbols = np.array([[1, 3, 3, 4]], np.int32)
    logs = layer(np.zeros((1, 4, 3), np.float32), symbols, memory)
    expected = [[1 / 3, 1 / 3, 1 / 3], [0, 1 / 2, 1 / 2], [0, 1 / 2, 1 / 2], [0, 0, 1]]
    np.testing.assert_allclose(np.exp(logs)[0, :, 2:], expected, atol=1e-6)


def test_a_step_gives_the_alignment_and_what_it_emits():
    layer, memory = certain_layer()
    d, alignment = np.zeros((1, 3), np.float32), first_alignment(memory[:, :, 0])
    expected = {1: [1 / 3, 1 / 3, 1 / 3], 3: [0, 1 / 2, 1 / 2], 4: [0, 0, 1]}
    for symbol, probabilities in expected.items():
        logs, alignment = layer.step(d, d, np.array([symbol]), alignment, memory)
        np.testing.assert_allclose(np.exp(logs)[:, 2:], [probabilities], atol=1e-6)
        np.testing.assert_allclose(np.exp(alignment), [probabilities], atol=1e-6)


def test_long_sequences_neither_overflow_nor_vanish():
    layer, random = random_layer(), np.random.default_rng(4)
    symbols = tf.constant(random.integers(0, SIZE, (2, 300)), tf.int32)
    outputs, memory = (tf.constant(random.normal(size=(2, n, UNITS), scale=9), tf.float32) for n in (300, 50))
    with tf.GradientTape() as tape:
        tape.watch([outputs, memory])
        total = masked_loss(layer(outputs, symbols, memory), symbols)["loss"]
    gradients = tape.gradient(total, [outputs, memory])
    assert all(np.isfinite(x).all() for x in (total, *gradients))


def test_saved_and_loaded_it_gives_the_same_bits(tmp_path):
    layer = random_layer()
    inputs = [keras.Input((None, UNITS)), keras.Input((None,), dtype="int32"), keras.Input((None, UNITS))]
    model = keras.Model(inputs, layer(*inputs))
    model.save(tmp_path / "model.keras")
    outputs, memory = given()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    arguments = [outputs, SYMBOLS, memory]
    assert np.array_equal(loaded(arguments), model(arguments))
