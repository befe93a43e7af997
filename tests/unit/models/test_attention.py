"""The decoder that attends in its recurrence, against the papers (`oracle`) and against numbers by hand."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle.attention import AttentiveDecoder, weights_by_part

from job.models import time_loops
from job.models.attention import AttentionDecoder, masked_softmax

ROWS, STEPS, FEATURES, UNITS, POSITIONS = 3, 3, 2, 2, 4
MASK = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 0, 1, 0]], bool)
PATHS = {"unrolled": 32, "while_loop": 0}
STATES_PER_CELL = {"lstm": 2, "gru": 1}
SCORES = ["luong_dot", "luong_general", "bahdanau"]


class Options(NamedTuple):
    """Which decoder it is."""

    cell: str
    layers: int
    score: str
    residual: bool = False
    cell_options: Any = None

    def __str__(self):
        return "-".join(map(str, self[:3])) + "-residual" * self.residual


DECODERS = [
    Options(cell, layers, score, residual=(cell, layers) == ("gru", 2))
    for cell, layers, score in product(("lstm", "gru"), (1, 2), SCORES)
]
LOOPED = [  # tracing a loop takes long
    Options("lstm", 1, "luong_dot"),
    Options("lstm", 2, "bahdanau"),
    Options("gru", 1, "bahdanau"),
    Options("gru", 2, "luong_general", residual=True),
]
CASES = [*((options, "unrolled") for options in DECODERS), *((options, "while_loop") for options in LOOPED)]

scores = pytest.mark.parametrize("score", SCORES)


@dataclass(frozen=True)
class Given:
    """What a decoder is called with, float32 arrays, row by row."""

    inputs: Any
    states: tuple[Any, ...]
    memory: Any

    @classmethod
    def random(cls, decoder, steps=STEPS):
        random = np.random.default_rng(6)
        width = UNITS if decoder.feeds else 3  # of what Bahdanau's attention sees, which may be any

        def array(*shape):
            return random.normal(size=shape).astype(np.float32)

        count = len(decoder.cells) * decoder.states_per_cell + decoder.feeds
        states = tuple(array(ROWS, UNITS) for _ in range(count))
        return cls(array(ROWS, steps, FEATURES), states, array(ROWS, POSITIONS, width))


def build(options, **others):
    """Return a decoder whose weights are all random, biases too, and what it may be called with."""
    decoder = AttentionDecoder(units=UNITS, **options._asdict(), **others)
    given = Given.random(decoder)
    decoder(given.inputs, given.states, given.memory)
    random = np.random.default_rng(3)
    decoder.set_weights([random.normal(scale=0.8, size=w.shape) for w in decoder.get_weights()])
    return decoder, given


@dataclass(frozen=True)
class Decoded:
    """One decoder, what it was given and what it gave.

    `results` are outputs, weights and the last states; `gradients` those of `total` by every weight, then by
    every array of what was given.
    """

    options: Options
    decoder: AttentionDecoder
    given: Given
    factors: Any
    results: Any
    gradients: Any

    @property
    def oracle_weights(self):
        return weights_by_part(self.decoder)

    def oracle(self, given, weights):
        """Return outputs, weights and last states as the papers have them, in `results`' shapes."""
        options = self.options
        paper = AttentiveDecoder(options.cell, options.score, options.residual, weights)
        outputs, attention = np.zeros((ROWS, STEPS, UNITS)), np.zeros((ROWS, STEPS, POSITIONS))
        last = np.zeros((len(given.states), ROWS, UNITS))
        n = STATES_PER_CELL[options.cell]
        for row, seen in enumerate(MASK):
            before = [state[row] for state in given.states]
            cells = [before[i : i + n] for i in range(0, options.layers * n, n)]
            found = paper.run(given.inputs[row], cells, before[-1], given.memory[row][seen])
            outputs[row], attention[row, :, seen], states = found[0], found[1].T, found[2]
            flat = [state for cell in states for state in cell]
            last[:, row] = flat if options.score == "bahdanau" else [*flat, outputs[row, -1]]
        return outputs, attention, *last


def total(results, factors):
    """A scalar that everything a decoder gives enters with a factor of its own."""
    return sum((result * factor).sum() for result, factor in zip(results, factors, strict=True))


def call(decoder, given, factors, path):
    """Call a decoder, in a graph where it loops; return results and gradients, as arrays."""

    def results_and_gradients(inputs, states, memory):
        arrays = [inputs, *states, memory]
        with tf.GradientTape() as tape:
            tape.watch(arrays)
            results = decoder(inputs, list(states), memory, mask=tf.constant(MASK))
            loss = tf.add_n([tf.reduce_sum(r * f) for r, f in zip(results, factors, strict=True)])
        return results, tape.gradient(loss, [*(w.value for w in decoder.trainable_weights), *arrays])

    function = tf.function(results_and_gradients) if path == "while_loop" else results_and_gradients
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_loops, "UNROLL_LIMIT", PATHS[path])
        states = tuple(tf.constant(state) for state in given.states)
        found = function(tf.constant(given.inputs), states, tf.constant(given.memory))
    return [[tf.convert_to_tensor(x).numpy() for x in part] for part in found]


@cache
def decode(options, path):
    decoder, given = build(options)
    random = np.random.default_rng(4)
    shapes = [(ROWS, STEPS, UNITS), (ROWS, STEPS, POSITIONS), *[(ROWS, UNITS)] * len(given.states)]
    factors = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    return Decoded(options, decoder, given, factors, *call(decoder, given, factors, path))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def decoded(request):
    return decode(*request.param)


@pytest.fixture(scope="module", params=LOOPED, ids=str)
def both_ways(request):
    return decode(request.param, "while_loop"), decode(request.param, "unrolled")


# --- every decoder ------------------------------------------------------------------------------------------


def test_outputs_weights_and_states_agree_with_the_papers_equations(decoded):
    expected = decoded.oracle(decoded.given, decoded.oracle_weights)
    for ours, paper in zip(decoded.results, expected, strict=True):
        np.testing.assert_allclose(ours, paper, atol=2e-6)


def test_attention_weights_sum_to_one_and_are_zero_on_padding(decoded):
    weights = decoded.results[1]
    assert weights.shape == (ROWS, STEPS, POSITIONS)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert np.array_equal(weights > 0, np.broadcast_to(MASK[:, None], weights.shape))


def test_gradients_are_those_of_finite_differences(decoded):
    """Of the papers' equations in float64, along random directions: each moves every entry of an array."""
    weights = decoded.oracle_weights
    inputs, *states, memory = (
        np.array(x, np.float64) for x in (decoded.given.inputs, *decoded.given.states, decoded.given.memory)
    )
    given = Given(inputs, tuple(states), memory)
    arrays = [*(array for part in weights.values() for array in part), inputs, *states, memory]
    random, step = np.random.default_rng(7), 1e-5

    def moved(array, by):
        array += by
        value = total(decoded.oracle(given, weights), decoded.factors)
        array -= by
        return value

    for ours, array in zip(decoded.gradients, arrays, strict=True):
        largest = float(np.abs(ours).max())
        assert largest > 1e-3
        for _ in range(2):
            direction = random.normal(size=array.shape)
            slope = (moved(array, step * direction) - moved(array, -step * direction)) / (2 * step)
            assert (ours * direction).sum() == pytest.approx(slope, abs=1e-5 * max(1, largest))


def test_gradients_of_the_loop_are_those_of_the_unrolled_steps(both_ways):
    for loop, unrolled in zip(*(decoded.gradients for decoded in both_ways), strict=True):
        np.testing.assert_allclose(loop, unrolled, atol=2e-6 * max(1, np.abs(unrolled).max()))


def test_padding_gets_no_gradient(decoded):
    touched = np.abs(decoded.gradients[-1]).max(axis=-1) > 0
    assert np.array_equal(touched, MASK)


def test_step_by_step_with_carried_states_equals_the_whole_sequence(decoded):
    given, states = decoded.given, decoded.given.states
    steps = []
    for t in range(STEPS):
        inputs = given.inputs[:, t : t + 1]
        outputs, weights, *states = decoded.decoder(inputs, states, given.memory, mask=tf.constant(MASK))
        steps.append((outputs, weights))
    found = [*(np.concatenate(part, axis=1) for part in zip(*steps, strict=True)), *states]
    for ours, expected in zip(found, decoded.results, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)


# --- each score ---------------------------------------------------------------------------------------------


@scores
def test_no_mask_is_a_mask_that_hides_nothing(score):
    decoder, given = build(Options("gru", 1, score))
    everything = tf.ones([ROWS, POSITIONS], tf.bool)
    masked = decoder(given.inputs, given.states, given.memory, mask=everything)
    for ours, expected in zip(decoder(given.inputs, given.states, given.memory), masked, strict=True):
        assert np.array_equal(ours, expected)


@scores
def test_a_length_known_only_at_run_time_gives_the_same(score):
    decoder, given = build(Options("gru", 1, score))

    @tf.function(input_signature=[tf.TensorSpec([ROWS, None, FEATURES])])
    def late(inputs):
        return decoder(inputs, given.states, given.memory)

    for length in (1, time_loops.UNROLL_LIMIT + 1):
        inputs = Given.random(decoder, steps=length).inputs
        expected = decoder(inputs, given.states, given.memory)
        for ours, known in zip(late(inputs), expected, strict=True):
            assert ours.shape == known.shape
            np.testing.assert_allclose(ours, known, atol=1e-6)


SAVED = [
    Options("lstm", 2, "bahdanau", residual=True),
    Options("gru", 1, "luong_general", cell_options={"recurrent_dropout": 0.5}),
    Options("lstm", 1, "luong_dot"),
]


@pytest.mark.parametrize("options", SAVED, ids=str)
def test_saved_and_loaded_alone_it_gives_the_same_bits(options, tmp_path):
    decoder, given = build(options, name="alone")
    shapes = [(None, FEATURES), *[(UNITS,)] * len(given.states), (None, given.memory.shape[-1])]
    sequence, *states, memory = (keras.Input(shape) for shape in shapes)
    mask = keras.Input((None,), dtype="bool")
    outputs = decoder(sequence, states, memory, mask=mask)
    model = keras.Model([sequence, *states, memory, mask], list(outputs))
    model.save(tmp_path / "decoder.keras")
    loaded = keras.models.load_model(tmp_path / "decoder.keras", compile=False)
    arguments = [given.inputs, *given.states, given.memory, MASK]
    for ours, expected in zip(loaded(arguments), model(arguments), strict=True):
        assert np.array_equal(ours, expected)
    assert loaded.get_layer("alone").get_config() == decoder.get_config()


# --- numbers worked out by hand -----------------------------------------------------------------------------

ATANH_HALF = np.log(3) / 2  # tanh of it is 1/2
SHUT = -200.0  # the sigmoid of it is 0


@scores
def test_scores_weights_and_context_by_hand(score):
    """A GRU whose state is 1/2 after every step, and two positions of memory, whose scores are log 3 and 0.

    So the weights are 3/4 and 1/4. The output is 1/2 where the context is 3/4 of the first position.
    Bahdanau's first query is the state before the first step, -1.
    """
    memory = {"luong_dot": 2 * np.log(3), "luong_general": 5.0, "bahdanau": 5.0}[score]
    parts = {
        "luong_dot": [],
        "luong_general": [2 * np.log(3) / memory],
        # the first position has tanh(W s + U m) = tanh(atanh 1/2), the other tanh(W s) = -1/2
        "bahdanau": [ATANH_HALF, 2 * ATANH_HALF / memory, np.log(3)],
    }
    decoder = AttentionDecoder(cell="gru", units=1, layers=1, score=score)
    states = [tf.constant([[-1.0]])] * (1 + decoder.feeds)
    given = tf.zeros([1, 2, 1]), states, tf.constant([[[memory], [0.0]]], tf.float32)
    decoder(*given)
    cell = [np.zeros((2, 3)), np.zeros((1, 3)), np.array([[SHUT, 0, ATANH_HALF], [0, 0, 0]])]
    combine = np.array([[ATANH_HALF / (3 / 4 * memory)], [0.0]])
    decoder.set_weights([*cell, combine, *(np.array([[part]]) for part in parts[score])])
    outputs, weights, h, *_ = decoder(*given)
    np.testing.assert_allclose(weights[0, 0], [3 / 4, 1 / 4], atol=1e-6)
    np.testing.assert_allclose(outputs[0, 0], [1 / 2], atol=1e-6)
    np.testing.assert_allclose(h, [[1 / 2]], atol=1e-6)
    second = 3 / 4
    if (
        score == "bahdanau"
    ):  # whose second query is 1/2: log 3 times tanh(5/2 atanh 1/2) - tanh(1/2 atanh 1/2)
        apart = (3**2.5 - 1) / (3**2.5 + 1) - (3**0.5 - 1) / (3**0.5 + 1)
        second = 3**apart / (3**apart + 1)
    np.testing.assert_allclose(weights[0, 1], [second, 1 - second], atol=1e-6)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (None, [1 / 8, 3 / 8, 1 / 2]),
        ([True, True, True], [1 / 8, 3 / 8, 1 / 2]),
        ([True, True, False], [1 / 4, 3 / 4, 0]),
        ([False, True, False], [0, 1, 0]),
    ],
)
def test_masked_softmax_by_hand(mask, expected):
    values = tf.math.log([[1.0, 3.0, 4.0]])
    weights = masked_softmax(values, None if mask is None else tf.constant([mask]))
    np.testing.assert_allclose(weights, [expected], atol=1e-7)
    assert np.array_equal(weights[0] > 0, np.array(expected) > 0)


# --- dropout ------------------------------------------------------------------------------------------------


def dropping(cell):
    """Return a decoder that says tanh of its state, where a state that was dropped stays 0, and its call.

    Gates are wide open or shut, so that a state is a function of the state before alone, place by place.
    """
    units = 50
    decoder = AttentionDecoder(
        cell=cell, units=units, layers=1, score="luong_dot", cell_options={"recurrent_dropout": 0.5}
    )
    states = [tf.ones([2, units])] * (STATES_PER_CELL[cell] + 1)
    given = tf.zeros([2, 4, 1]), states, tf.zeros([2, 1, units])
    decoder(*given)
    none, same = np.zeros((units, units)), 2 * np.eye(units)
    gates = {"lstm": [-SHUT, SHUT, 0, -SHUT], "gru": [SHUT, -SHUT, 0]}[cell]  # candidates have no bias
    bias = np.repeat(gates, units)
    kernel = np.zeros((1 + units, len(bias)))
    recurrent_kernel = np.concatenate([none if gate else same for gate in gates], axis=1)
    biases = bias if cell == "lstm" else np.stack([bias, 0 * bias])
    decoder.set_weights([kernel, recurrent_kernel, biases, np.concatenate([none, np.eye(units)])])
    return lambda training: decoder(*given, training=training)[0]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_recurrent_dropout_is_in_training_only_and_the_same_at_every_step(cell, path, monkeypatch):
    monkeypatch.setattr(time_loops, "UNROLL_LIMIT", PATHS[path])
    call = dropping(cell)
    in_training = (
        tf.function(lambda: call(training=True)) if path == "while_loop" else lambda: call(training=True)
    )
    dropped = in_training().numpy() == 0
    assert np.array_equal(dropped, np.broadcast_to(dropped[:, :1], dropped.shape))
    assert 0.25 < dropped.mean() < 0.75
    assert not np.array_equal(dropped[0], dropped[1])
    assert not np.array_equal(dropped, in_training().numpy() == 0)
    assert (call(training=False).numpy() > 0).all()


@pytest.mark.parametrize("path", PATHS)
def test_dropout_of_inputs_of_upper_cells_is_in_training_only_and_new_at_every_step(path, monkeypatch):
    """Two GRUs whose state is a function of the input alone: above 0 unless the upper's was dropped."""
    monkeypatch.setattr(time_loops, "UNROLL_LIMIT", PATHS[path])
    units, same = 50, np.eye(50)
    decoder = AttentionDecoder(cell="gru", units=units, layers=2, score="luong_dot", dropout=0.5)
    given = tf.ones([2, 4, 1]), [tf.zeros([2, units])] * 3, tf.zeros([2, 1, units])
    decoder(*given)
    bias = np.stack([np.repeat([SHUT, 0, 0], units), np.zeros(3 * units)])
    kernels = np.ones((1 + units, units)), same
    cells = [[np.concatenate([0 * k, 0 * k, k], 1), np.zeros((units, 3 * units)), bias] for k in kernels]
    decoder.set_weights([*cells[0], *cells[1], np.concatenate([0 * same, same])])

    def in_training():
        return decoder(*given, training=True)[0]

    outputs = (tf.function(in_training) if path == "while_loop" else in_training)().numpy()
    assert not np.array_equal(outputs[:, 0] == 0, outputs[:, 1] == 0)
    assert 0.25 < (outputs == 0).mean() < 0.75
    whole = decoder(*given)[0].numpy()
    assert (whole > 0).all()
    assert (outputs[outputs > 0].min() > whole).all()  # what is kept is made greater, so that the mean stays
