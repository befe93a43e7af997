"""The Transformer against the papers (`oracle`), itself step by step, and numerical differentiation."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from assembled_models import check_shared_variables
from one_python import on_one_python
from oracle.transformer import Transformer

from job.models.parameter_count import count_parameters
from job.models.seq2seq import Models, build_models, build_training_model
from job.spec.model_section import ModelSpec
from job.training.loss_scaling import computing_in

SIZE = 7
SOURCES = [[3, 4, 5, 6], [2], [6, 1]]
FULL = [[3, 4, 5], [2, 6, 1], [1, 1, 4]]
DECODER_INPUT = tf.constant([[1, 5, 2, 6], [1, 3, 3, 1], [1, 4, 0, 0]])

SPECS = {
    "rotary": {"layers": 2, "heads": 2},
    "sinusoidal": {"positions": "sinusoidal", "heads": 1, "feed_forward": 5},
    "learned": {"positions": "learned", "max_positions": 3, "layers": 2, "heads": 4},
    "tied": {"tied_embeddings": True, "heads": 4, "dropout": 0.4},
}
CASES = [
    *((name, "masked") for name in SPECS),
    ("rotary", "fixed"),
    ("sinusoidal", "numbers"),
    ("learned", "numbers"),
]
"""Architectures, and what they read: sources of many lengths, of one length, or numbers."""


def model_spec(name, **others):
    return ModelSpec(architecture="transformer", units=8, **{**SPECS[name], **others})


def padded(rows, width):
    return tf.constant([row + [0] * (width - len(row)) for row in rows])


def randomise(model):
    """Give every weight a value of its own: zeros and ones would hide a bias or gain in the wrong place."""
    random = np.random.default_rng(3)
    model.set_weights([random.normal(scale=0.6, size=w.shape) for w in model.weights])


def listed(outputs):
    return [tf.identity(x) for x in outputs]


@dataclass(frozen=True)
class Built:
    """One architecture with random weights, and what it says when it is given `source`, `decoder_input`."""

    spec: ModelSpec
    kind: str
    models: Models
    source: Any
    decoder_input: Any

    @cached_property
    def logits(self):
        return self.models.train([self.source, self.decoder_input]).numpy()

    @cached_property
    def oracle(self):
        """The logits and attention weights of each row, from the papers' equations."""
        paper = Transformer(self.spec, self.models.train, numbers=self.kind == "numbers")
        rows = SOURCES if self.kind == "masked" else self.source.numpy()
        return [paper.logits(*row) for row in zip(rows, self.decoder_input.numpy(), strict=True)]

    def step_by_step(self, source=None):
        """Return the logits (B, T, V) and the attention weights (B, T, S) of the two inference models."""
        encoder, decoder = self.models.inference_encoder, self.models.inference_decoder
        source = self.source if source is None else source
        given = dict(zip(encoder.output_names, listed(encoder(source)), strict=True))
        names = [tensor.name for tensor in decoder.inputs]
        states = [tf.zeros([3, i.shape[1], 0, i.shape[3]]) for i in decoder.inputs if "state_" in i.name]
        memory = [source if n == "source" else given[n] for n in names if n == "source" or "memory" in n]
        logits, attention = [], []
        for t in range(self.decoder_input.shape[1]):
            row, *rest = listed(decoder([self.decoder_input[:, t : t + 1], *states, *memory]))
            states = rest[: len(states)]
            assert {tuple(state.shape) for state in states} == {
                (3, self.spec.heads, t + 1, 8 // self.spec.heads)
            }
            logits.append(row)
            attention.append(rest[-1])
        return np.concatenate(logits, axis=1), np.concatenate(attention, axis=1)


def build(spec, kind):
    numbers = kind == "numbers"
    if numbers:
        random = np.random.default_rng(9)
        source, given = (tf.constant(random.normal(size=s), tf.float32) for s in ((3, 5, 2), (3, 4, 1)))
    else:
        source, given = (padded(SOURCES, 4) if kind == "masked" else tf.constant(FULL)), DECODER_INPUT
    sizes = (2, 1) if numbers else (SIZE, SIZE)
    models = build_models(spec, *sizes, masked=kind == "masked", numbers=numbers)
    randomise(models.train)
    return Built(spec, kind, models, source, given)


@pytest.fixture(scope="module")
def built_once():
    """Build an architecture when it is first asked for."""
    return cache(lambda name, kind: build(model_spec(name), kind))


@pytest.fixture(scope="module", params=on_one_python(CASES, *CASES[::3]), ids="-".join)
def built(request, built_once):
    return built_once(*request.param)


@pytest.fixture(scope="module", params=SPECS)
def masked(request, built_once):
    return built_once(request.param, "masked")


# --- every architecture -------------------------------------------------------------------------------------


def test_the_training_model_agrees_with_the_papers_equations(built):
    for ours, (expected, _) in zip(built.logits, built.oracle, strict=True):
        np.testing.assert_allclose(ours, expected, atol=5e-6)


def test_step_by_step_with_cached_keys_and_values_it_says_what_train_says(built):
    logits, attention = built.step_by_step()
    np.testing.assert_allclose(logits, built.logits, atol=5e-6)
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-6)
    for ours, (_, expected) in zip(attention, built.oracle, strict=True):
        np.testing.assert_allclose(ours[:, : expected.shape[1]], expected, atol=2e-6)
        assert np.all(ours[:, expected.shape[1] :] == 0)  # padding


def test_the_context_is_the_mean_of_the_encoder_outputs_without_padding(built):
    paper = Transformer(built.spec, built.models.train, numbers=built.kind == "numbers")
    rows = SOURCES if built.kind == "masked" else built.source.numpy()
    expected = [paper.encode(row).mean(axis=0) for row in rows]
    encoder = built.models.inference_encoder
    found = dict(zip(encoder.output_names, encoder(built.source), strict=True))["context"]
    np.testing.assert_allclose(found, expected, atol=5e-6)


def test_parameters_are_counted_without_building_the_model(built):
    sizes = (2, 1) if built.kind == "numbers" else (SIZE, SIZE)
    counted = count_parameters(built.spec, *sizes, numbers=built.kind == "numbers")
    assert counted == built.models.train.count_params()


def test_the_three_models_hold_the_same_variables(built):
    check_shared_variables(built.models)


def test_inputs_and_outputs_are_named_as_documented(built):
    encoder, decoder = built.models.inference_encoder, built.models.inference_decoder
    pairs = [f"{x}_{i + 1}" for i in range(built.spec.layers) for x in ("keys", "values")]
    assert encoder.output_names == ["context", *(f"memory_{pair}" for pair in pairs)]
    names = ["previous_symbol", *(f"state_{pair}" for pair in pairs), *(f"memory_{pair}" for pair in pairs)]
    assert [i.name for i in decoder.inputs] == names + ["source"] * (built.kind == "masked")
    assert decoder.output_names[-1] == "attention_weights"
    assert len(decoder.outputs) == 2 + len(pairs)


# --- padding and causality ----------------------------------------------------------------------------------


def test_padding_of_the_source_changes_nothing(masked):
    more = padded(SOURCES, 9)
    wide = masked.models.train([more, masked.decoder_input])
    np.testing.assert_allclose(wide, masked.logits, atol=2e-6)
    np.testing.assert_allclose(masked.step_by_step(more)[0], masked.logits, atol=5e-6)
    for row, source in enumerate(SOURCES):
        alone = masked.models.train([tf.constant([source]), masked.decoder_input[row : row + 1]])
        np.testing.assert_allclose(alone[0], masked.logits[row], atol=2e-6)


def test_padding_has_no_gradient(masked):
    source = padded(SOURCES, 6)
    with tf.GradientTape() as tape:
        logits = masked.models.train([source, masked.decoder_input])
        total = tf.reduce_sum(logits * np.random.default_rng(1).normal(size=logits.shape))
    embedding = "embedding" if masked.spec.tied_embeddings else "source_embedding"
    table = masked.models.train.get_layer(embedding).weights[0]
    gradient = tf.convert_to_tensor(tape.gradient(total, table.value)).numpy()
    if not masked.spec.tied_embeddings:  # there the target's padding is an input like any other
        assert np.all(gradient[0] == 0)
    assert np.all(np.abs(gradient[3:]).sum(axis=1) > 0)


def test_a_position_sees_no_later_one(masked):
    for t in range(1, 4):
        changed = tf.concat([DECODER_INPUT[:, :t], (DECODER_INPUT[:, t:] + 1) % SIZE], axis=1)
        logits = masked.models.train([masked.source, changed]).numpy()
        assert np.array_equal(logits[:, :t], masked.logits[:, :t])
        assert np.abs(logits[:, t] - masked.logits[:, t]).max() > 1e-3


@pytest.mark.parametrize("name", ["rotary", "sinusoidal", "learned"])
def test_the_order_of_a_source_matters(name):
    one = build(model_spec(name, layers=1), "fixed")
    turned = one.models.train([tf.constant(FULL)[:, ::-1], DECODER_INPUT])
    assert np.abs(turned - one.logits).max() > 1e-3


def test_learned_positions_after_the_last_share_it():
    one = build(model_spec("learned", layers=1, max_positions=2), "masked")
    one.models.train.get_layer("target_positions").set_weights([np.zeros((2, 8))])
    swapped = one.models.train([tf.constant([[3, 6, 5, 4]]), DECODER_INPUT[:1]])
    inside = one.models.train([tf.constant([[3, 4, 6, 5]]), DECODER_INPUT[:1]])
    np.testing.assert_allclose(
        inside, one.models.train([tf.constant([[3, 4, 5, 6]]), DECODER_INPUT[:1]]), atol=2e-6
    )
    np.testing.assert_allclose(swapped, inside, atol=2e-6)


# --- gradients ----------------------------------------------------------------------------------------------


@pytest.fixture
def double_precision():
    for name in ("float64", "float32"):
        keras.config.set_floatx(name)
        keras.config.set_dtype_policy(name)
        if name == "float64":
            yield


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", on_one_python(SPECS, "rotary"))
def test_gradients_are_those_of_numerical_differentiation(name):
    """Along a random direction of every weight tensor."""
    model = build_training_model(model_spec(name, dropout=0.0), SIZE, SIZE, masked=True, kernel="keras")
    randomise(model)
    random = np.random.default_rng(1)
    given = [padded(SOURCES, 4), DECODER_INPUT]
    pick = random.normal(size=(3, 4, SIZE))

    @tf.function(autograph=False)
    def loss():
        return tf.reduce_sum(tf.nn.log_softmax(model(given)) * pick)

    with tf.GradientTape() as tape:
        value = loss()
    assert value.dtype == tf.float64
    gradients = tape.gradient(value, [w.value for w in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert weight.dtype == "float64"
        before, direction = weight.numpy(), random.normal(size=weight.shape)
        sides = []
        for sign in (1, -1):
            weight.assign(before + sign * 1e-5 * direction)
            sides.append(float(loss()))
        weight.assign(before)
        expected = float(np.sum(tf.convert_to_tensor(gradient).numpy() * direction))
        assert (sides[0] - sides[1]) / 2e-5 == pytest.approx(expected, rel=2e-5, abs=1e-6), weight.path


# --- dropout ------------------------------------------------------------------------------------------------


def test_dropout_is_in_training_alone():
    one = build(model_spec("tied"), "masked")
    found = {layer.name for layer in one.models.train.layers if isinstance(layer, keras.layers.Dropout)}
    sublayers = ("encoder_1_attention", "encoder_1_feed_forward", "decoder_1_attention")
    sublayers += ("decoder_1_cross_attention", "decoder_1_feed_forward", "source", "target")
    assert found == {f"{name}_dropout" for name in sublayers}
    given = [one.source, one.decoder_input]
    assert np.array_equal(one.models.train(given, training=False), one.logits)
    first, second = (one.models.train(given, training=True).numpy() for _ in range(2))
    assert not np.array_equal(first, one.logits)
    assert not np.array_equal(first, second)


# --- precision ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["rotary", "sinusoidal", "learned"])
def test_positions_are_exact_in_every_precision(name, precision):
    """bfloat16 cannot tell position 256 from 257."""
    spec, random = model_spec(name, max_positions=400 if name == "learned" else 512), np.random.default_rng(1)
    whole = build_training_model(spec, SIZE, SIZE, masked=True, kernel="keras")
    with computing_in(precision):
        rounded = build_training_model(spec, SIZE, SIZE, masked=True, kernel="keras")
    weights = [random.normal(scale=0.3, size=w.shape) for w in whole.weights]
    whole.set_weights(weights)
    rounded.set_weights(weights)
    given = [tf.constant(random.integers(1, SIZE, (2, 300)), tf.int32) for _ in range(2)]
    expected, found = whole(given).numpy(), tf.cast(rounded(given), tf.float32).numpy()
    assert rounded.output.dtype == precision
    errors = np.abs(found - expected).mean(axis=(0, 2)) / expected.std()
    assert 0 < errors.max() < 0.05
    assert errors[256:].mean() < 2 * errors[:44].mean()


# --- saved models -------------------------------------------------------------------------------------------


@pytest.mark.once
def test_each_model_saved_and_loaded_alone_gives_the_same_bits(built, tmp_path):
    encoder, decoder = built.models.inference_encoder, built.models.inference_decoder
    encoded = dict(zip(encoder.output_names, listed(encoder(built.source)), strict=True))
    random = np.random.default_rng(2)
    given = {"previous_symbol": built.decoder_input[:, :1], "source": built.source, **encoded}
    for tensor in decoder.inputs:
        shape = (3, built.spec.heads, 2, 8 // built.spec.heads)
        given.setdefault(tensor.name, tf.constant(random.normal(size=shape), tf.float32))
    calls = {
        "train": [built.source, built.decoder_input],
        "inference_encoder": built.source,
        "inference_decoder": [given[tensor.name] for tensor in decoder.inputs],
    }
    for name, arguments in calls.items():
        model = getattr(built.models, name)
        model.save(tmp_path / f"{name}.keras")
        loaded = keras.models.load_model(tmp_path / f"{name}.keras", compile=False)
        assert loaded.output_names == model.output_names
        here, there = (x if isinstance(x, list) else [x] for x in (model(arguments), loaded(arguments)))
        assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
