"""The pointer-generator against the equations of the paper (`oracle.pointer`) and numerical gradients."""

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle.pointer import mixed
from oracle.seq2seq import EncoderDecoder
from oracle.transformer import Transformer

from job.models.parameter_count import count_parameters
from job.models.pointer import GATE, NOWHERE, Columns, Copying, Mixture
from job.models.seq2seq import build_models, build_training_model
from job.spec.model_section import ModelSpec

V, SIZE = 7, 9
SOURCES = [[3, 4, 8, 6], [2], [8, 1]]
GIVEN = [[1, 5, 2, 6], [1, 3, 3, 1], [1, 4, 0, 0]]
SPECS = {
    "dot": {"attention": "luong_dot"},
    "general": {
        "attention": "luong_general", "inputs": "embedding", "embedding_size": 4, "bidirectional": True,
        "cell": "gru", "layers": 2,
    },
    "bahdanau": {"attention": "bahdanau", "layers": 2},
    "fed": {"attention": "luong_dot", "input_feeding": True, "inputs": "embedding", "embedding_size": 3},
    "transformer": {"architecture": "transformer", "heads": 2, "layers": 2},
}  # fmt: skip


def padded(rows, width):
    return tf.constant([row + [0] * (width - len(row)) for row in rows])


def randomise(model):
    random = np.random.default_rng(3)
    model.set_weights([random.normal(scale=0.6, size=w.shape) for w in model.weights])


def model_spec(name):
    return ModelSpec(units=4, pointer=True, **SPECS[name])


@pytest.fixture(scope="module")
def built_once():
    """The three models of an architecture, with random weights."""

    @cache
    def build(name):
        models = build_models(model_spec(name), SIZE, V, masked=True)
        randomise(models.train)
        return models

    return build


@pytest.fixture(params=SPECS)
def name(request):
    return request.param


# --- models -------------------------------------------------------------------------------------------------


def test_gate_distribution_and_attention_are_those_of_the_papers_equations(name, built_once):
    models, spec = built_once(name), model_spec(name)
    paper = {"recurrent": EncoderDecoder, "transformer": Transformer}[spec.architecture](spec, models.train)
    logits, gates, weights = (x.numpy() for x in models.train([padded(SOURCES, 4), tf.constant(GIVEN)]))
    for row, (source, given) in enumerate(zip(SOURCES, GIVEN, strict=True)):
        for t, (p_vocab, p_gen, attention) in enumerate(paper.pointer(source, given)):
            np.testing.assert_allclose(tf.nn.softmax(logits[row, t]), p_vocab, atol=5e-6)
            assert float(tf.sigmoid(gates[row, t, 0])) == pytest.approx(p_gen, abs=5e-6)
            np.testing.assert_allclose(weights[row, t, : len(source)], attention, atol=5e-6)
            assert np.all(weights[row, t, len(source) :] == 0)


def test_step_by_step_the_inference_decoder_says_what_train_says(name, built_once):
    models, source = built_once(name), padded(SOURCES, 4)
    decoder = models.inference_decoder
    encoded = models.inference_encoder(source)
    encoded = [tf.identity(x) for x in encoded]
    names = models.inference_encoder.output_names
    known = {**dict(zip(names, encoded, strict=True)), "source": source, "encoder_outputs": encoded[-1]}
    states = [
        tf.zeros([3, i.shape[1], 0, i.shape[3]]) if len(i.shape) == 4 else None
        for i in decoder.inputs
        if i.name.startswith("state_")
    ]
    if states[0] is None:
        states = [*encoded[:-1], *[tf.zeros([3, 4])] * (len(states) - len(encoded) + 1)]
    memory = [known[i.name] for i in decoder.inputs if i.name in known]
    found = []
    for t in range(4):
        logits, *rest = decoder([tf.constant(GIVEN)[:, t : t + 1], *states, *memory])
        states = rest[: len(states)]
        found.append((logits, *rest[len(states) :]))
    assert decoder.output_names[-2:] == ["attention_weights", GATE]
    expected = models.train([source, tf.constant(GIVEN)])
    for ours, theirs in zip(expected, (0, 2, 1), strict=True):
        np.testing.assert_allclose(ours, np.concatenate([step[theirs] for step in found], axis=1), atol=5e-6)


def test_the_fused_kernel_says_the_same(name, built_once):
    fused = build_training_model(model_spec(name), SIZE, V, masked=True, kernel="fused")
    train = built_once(name).train
    fused.set_weights(train.get_weights())
    given = [padded(SOURCES, 4), tf.constant(GIVEN)]
    for ours, theirs in zip(fused(given), train(given), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-6)


def test_parameters_are_counted_without_building_the_model(name, built_once):
    counted = count_parameters(model_spec(name), SIZE, V)
    assert counted == built_once(name).train.count_params()


def test_the_saved_models_give_the_same_bits(name, built_once, tmp_path):
    given = [padded(SOURCES, 4), tf.constant(GIVEN)]
    models = built_once(name)
    models.train.save(tmp_path / "train.keras")
    loaded = keras.models.load_model(tmp_path / "train.keras", compile=False)
    for ours, theirs in zip(loaded(given), models.train(given), strict=True):
        assert np.array_equal(ours, theirs)
    models.inference_decoder.save(tmp_path / "decoder.keras")
    decoder = keras.models.load_model(tmp_path / "decoder.keras", compile=False)
    assert decoder.output_names == models.inference_decoder.output_names


# --- the mixture --------------------------------------------------------------------------------------------

IDS = np.array([[3, 40, 3, 40, NOWHERE], [5, 2, 50, 60, 2], [NOWHERE] * 5], np.int32)
"""Target ids of source positions: tokens of the vocabulary, others, and some that cannot be copied."""


def outputs(dtype=np.float32):
    random = np.random.default_rng(5)
    logits, gate = random.normal(scale=2, size=(3, 4, V)), random.normal(size=(3, 4, 1))
    weights = random.dirichlet(np.ones(5), size=(3, 4))
    return [x.astype(dtype) for x in (logits, gate, weights)]


def by_the_paper():
    """Return the probabilities of each row and step: token -> probability."""
    logits, gate, weights = outputs(np.float64)
    return [
        [
            mixed(
                tf.nn.softmax(logits[n, t]).numpy(),
                float(tf.sigmoid(gate[n, t, 0])),
                weights[n, t],
                [None if i == NOWHERE else int(i) for i in IDS[n]],
            )
            for t in range(4)
        ]
        for n in range(3)
    ]


def test_the_oracle_is_a_distribution():
    for row in by_the_paper():
        for step in row:
            assert sum(step.values()) == pytest.approx(1)


@pytest.mark.parametrize("token", [0, 2, 3, 4, 5, 40, 50, 60])
def test_the_probability_of_a_target_is_equation_9(token):
    mixture = Mixture.of(*outputs(), tf.constant(IDS))
    found = mixture.log_probability(tf.fill([3, 4], token)).numpy()
    for n, row in enumerate(by_the_paper()):
        if token < V or token in IDS[n]:
            np.testing.assert_allclose(found[n], [np.log(step[token]) for step in row], rtol=2e-5)


def test_the_best_token_and_the_mean_are_those_of_equation_9():
    mixture = Mixture.of(*outputs(), tf.constant(IDS))
    paper = by_the_paper()
    assert mixture.best().numpy().tolist() == [[max(step, key=step.get) for step in row] for row in paper]
    assert len({token for row in mixture.best().numpy() for token in row}) > 3
    expected = [[np.mean([np.log(step[v]) for v in range(V)]) for step in row] for row in paper]
    np.testing.assert_allclose(mixture.mean_log_probability(), expected, rtol=2e-5)


def test_columns_are_the_whole_distribution_of_every_source():
    logits, gate, weights = outputs()
    columns = Columns.of(tf.constant(IDS), V)
    for t in range(4):
        step = [x[:, t : t + 1] for x in (logits, gate, weights)]
        found = np.exp(columns.log_probabilities(*step).numpy())
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
        for n, row in enumerate(by_the_paper()):
            named = columns.target_ids(tf.constant([[range(V + 5)]] * 3)).numpy()[n, 0]
            got = {int(token): p for token, p in zip(named, found[n], strict=True) if p > 0}
            assert got == pytest.approx(row[t], rel=2e-5)


def test_without_copies_the_mixture_is_the_vocabulary_distribution():
    logits, gate, weights = outputs()
    mixture = Mixture.of(logits, gate, weights, tf.fill([3, 5], NOWHERE))
    found = tf.stack([mixture.log_probability(tf.fill([3, 4], v)) for v in range(V)], axis=-1)
    np.testing.assert_allclose(found, tf.nn.log_softmax(logits), atol=2e-6)


@pytest.mark.parametrize("gate", [-200.0, 200.0])
def test_a_gate_that_is_shut_gives_finite_losses_and_gradients(gate):
    logits, weights = (tf.Variable(x) for x in outputs()[::2])
    gates = tf.Variable(tf.fill([3, 4, 1], gate))
    with tf.GradientTape() as tape:
        mixture = Mixture.of(logits, gates, weights * tf.constant([1.0, 0, 0, 0, 0]), tf.constant(IDS))
        total = mixture.log_probability(tf.constant([[3, 40, 4, 0], [2, 60, 50, 1], [1, 2, 3, 4]]))
        total += mixture.mean_log_probability()
    assert np.all(np.isfinite(total))
    for gradient in tape.gradient(total, [logits, gates, weights]):
        assert np.all(np.isfinite(gradient))


COPYING = Copying(
    table=np.array([NOWHERE, 5, 60 + V, NOWHERE], np.int32),
    source_size=4, target_size=V, source_unknown=3, target_unknown=3,
)  # fmt: skip


def test_ids_beyond_a_vocabulary_are_unknown_to_the_model_and_equal_on_both_sides():
    source = tf.constant([[1, 2, 3, 4 + 11, 4 + 60, 0]])
    assert COPYING.known_source(source).numpy().tolist() == [[1, 2, 3, 3, 3, 0]]
    assert COPYING.known_target(tf.constant([[6, V, V + 11]])).numpy().tolist() == [[6, 3, 3]]
    assert COPYING.ids(source).numpy().tolist() == [[5, V + 60, NOWHERE, V + 11, V + 60, NOWHERE]]


def test_a_target_that_can_neither_be_generated_nor_copied_is_unknown():
    mixture = Mixture.of(*outputs(), tf.constant(IDS))
    target = tf.constant([[2, 40, 50, 0], [2, 40, 50, 60], [40, 50, 60, 6]])
    assert mixture.reachable(target, 3).numpy().tolist() == [[2, 40, 3, 0], [2, 3, 50, 60], [3, 3, 3, 6]]


# --- gradients ----------------------------------------------------------------------------------------------


@pytest.fixture
def double_precision():
    for dtype in ("float64", "float32"):
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        if dtype == "float64":
            yield


@pytest.mark.usefixtures("double_precision")
def test_gradients_are_those_of_numerical_differentiation(name):
    """Along a random direction of every weight tensor, of the loss with label smoothing."""
    model = build_training_model(model_spec(name), SIZE, V, masked=True, kernel="keras")
    randomise(model)
    random = np.random.default_rng(1)
    ids = tf.constant([[3, 12, 12, 5], [2, -1, -1, -1], [13, 1, -1, -1]])
    target = tf.constant([[5, 12, 6, 2], [3, 2, 1, 2], [13, 2, 4, 4]])

    def loss():
        logits, gate, weights = model([padded(SOURCES, 4), tf.constant(GIVEN)])
        mixture = Mixture.of(logits, gate, weights, ids)
        smooth = mixture.mean_log_probability()
        return -tf.reduce_sum(0.9 * mixture.log_probability(target) + 0.1 * smooth)

    with tf.GradientTape() as tape:
        value = loss()
    assert value.dtype == tf.float64
    gradients = tape.gradient(value, [w.value for w in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        before, direction = weight.numpy(), random.normal(size=weight.shape)
        sides = []
        for sign in (1, -1):
            weight.assign(before + sign * 1e-5 * direction)
            sides.append(float(loss()))
        weight.assign(before)
        expected = float(np.sum(tf.convert_to_tensor(gradient).numpy() * direction))
        assert (sides[0] - sides[1]) / 2e-5 == pytest.approx(expected, rel=1e-4, abs=1e-5), weight.path
