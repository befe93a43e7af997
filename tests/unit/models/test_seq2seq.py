"""The assembled models, for every architecture, against the papers (`oracle`) and against each other."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle.seq2seq import EncoderDecoder

from job.models.seq2seq import Models, Reverse, build_models, build_training_model
from job.models.size import count_parameters
from job.spec.schema import ModelSpec

SOURCE_SIZE, TARGET_SIZE = 7, 6
SOURCES = [[3, 4, 5, 6], [2], [6, 1]]
DECODER_INPUT = tf.constant([[1, 5, 2], [1, 3, 3], [1, 4, 0]])
FULL = tf.constant([[3, 4, 5], [2, 6, 1]])

KEYS = ("cell", "layers", "bidirectional", "attention", "inputs")
ARCHITECTURES = [
    dict(zip(KEYS, values, strict=True))
    for values in product(
        ("lstm", "gru"),
        (1, 2),
        (False, True),
        ("none", "luong_dot", "luong_general"),
        ("one_hot", "embedding"),
    )
]
SOME = [
    {"cell": "lstm"},
    {"cell": "gru", "inputs": "embedding"},
    {"cell": "lstm", "attention": "luong_dot"},
    {"cell": "lstm", "layers": 2, "bidirectional": True, "attention": "luong_general", "inputs": "embedding"},
    {"cell": "gru", "layers": 2, "bidirectional": True, "attention": "luong_dot"},
]


def named(architecture):
    return "-".join(f"{value}" for value in architecture.values())


def model_spec(architecture, **others):
    return ModelSpec(units=3, embedding_size=4, **architecture, **others)


def padded(rows, width):
    return tf.constant([row + [0] * (width - len(row)) for row in rows])


def randomise(model):
    """Give every weight a value of its own, biases too: zeros would hide a bias in the wrong place."""
    random = np.random.default_rng(3)
    model.set_weights([random.normal(scale=0.7, size=w.shape) for w in model.weights])


def build(architecture, *, masked):
    models = build_models(model_spec(architecture), SOURCE_SIZE, TARGET_SIZE, masked=masked)
    randomise(models.train)
    return models


def listed(outputs):
    """Return a model's outputs as a list, without the masks that Keras hangs on them."""
    return [tf.identity(x) for x in (outputs if isinstance(outputs, list | tuple) else [outputs])]


@dataclass(frozen=True)
class Built:
    """One architecture with random weights, and what it says of the batch `SOURCES`, `DECODER_INPUT`."""

    spec: ModelSpec
    models: Models
    logits: Any

    @property
    def attends(self):
        return self.spec.attention != "none"


@pytest.fixture(scope="module", params=ARCHITECTURES, ids=named)
def built(request):
    models = build(request.param, masked=True)
    logits = models.train([padded(SOURCES, 4), DECODER_INPUT]).numpy()
    return Built(model_spec(request.param), models, logits)


def teacher_forced_steps(models, attends, sources, decoder_input):
    """Return the logits (B, T, V) and the attention weights (B, T, S) of the two inference models."""
    states = listed(models.inference_encoder(sources))
    memory = [states.pop()] if attends else []
    memory += [sources] if "source" in [i.name for i in models.inference_decoder.inputs] else []
    logits, attention = [], []
    for t in range(decoder_input.shape[1]):
        row, *rest = models.inference_decoder([decoder_input[:, t : t + 1], *states, *memory])
        states = rest[: len(states)]
        logits.append(row)
        attention.append(rest[-1] if attends else None)
    return np.concatenate(logits, axis=1), np.concatenate(attention, axis=1) if attends else None


# --- every architecture -------------------------------------------------------------------------------------


def test_train_computes_what_the_papers_say(built):
    oracle = EncoderDecoder(built.spec, built.models.train)
    for row, source in enumerate(SOURCES):
        expected, _ = oracle.logits(source, DECODER_INPUT.numpy()[row])
        np.testing.assert_allclose(built.logits[row], expected, atol=3e-6)


def test_step_by_step_the_inference_models_say_what_train_says(built):
    logits, attention = teacher_forced_steps(built.models, built.attends, padded(SOURCES, 4), DECODER_INPUT)
    np.testing.assert_allclose(logits, built.logits, atol=2e-6)
    if not built.attends:
        return
    valid = np.broadcast_to(padded(SOURCES, 4).numpy()[:, None] != 0, attention.shape)
    assert np.all(attention[~valid] == 0)
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-6)
    oracle = EncoderDecoder(built.spec, built.models.train)
    for row, source in enumerate(SOURCES):
        _, expected = oracle.logits(source, DECODER_INPUT.numpy()[row])
        np.testing.assert_allclose(attention[row, :, : len(source)], expected, atol=2e-6)


def test_the_fused_training_model_takes_the_weights_and_gives_the_logits(built):
    fused = build_training_model(built.spec, SOURCE_SIZE, TARGET_SIZE, masked=True, kernel="fused")
    plain = built.models.train
    assert [(w.path, w.shape) for w in fused.weights] == [(w.path, w.shape) for w in plain.weights]
    assert [w.path for w in fused.trainable_weights] == [w.path for w in fused.weights]
    fused.set_weights(plain.get_weights())
    logits = fused([padded(SOURCES, 7), DECODER_INPUT])  # more padding on the right changes nothing
    np.testing.assert_allclose(logits, built.logits, atol=2e-6)


def test_parameters_are_counted_without_building_the_model(built):
    assert count_parameters(built.spec, SOURCE_SIZE, TARGET_SIZE) == built.models.train.count_params()


def test_outputs_and_inputs_are_named_and_sized_as_documented(built):
    spec, decoder = built.spec, built.models.inference_decoder
    states = [
        f"{n}{i + 1}" for i in range(spec.layers) for n in ("h", "c")[: 2 if spec.cell == "lstm" else 1]
    ]
    names = ["previous_symbol", *(f"state_{name}" for name in states)]
    names += ["encoder_outputs", "source"] if built.attends else []
    assert [tensor.name for tensor in decoder.inputs] == names
    assert [tensor.shape[-1] for tensor in decoder.inputs[1 : 1 + len(states)]] == [3] * len(states)
    assert len(built.models.inference_encoder.outputs) == len(states) + built.attends
    assert len(decoder.outputs) == 1 + len(states) + built.attends
    assert (decoder.output_names[-1] == "attention_weights") == built.attends
    assert built.logits.shape == (3, 3, TARGET_SIZE)


def test_the_three_models_hold_the_same_variables(built):
    shared = {id(w) for w in built.models.train.weights}
    encoder, decoder = (
        {id(w) for w in m.weights} for m in (built.models.inference_encoder, built.models.inference_decoder)
    )
    assert encoder | decoder == shared
    names = [w.path for w in built.models.train.weights]
    assert len(set(names)) == len(names)


# --- some architectures -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SOME, ids=named)
def some(request):
    models = build(request.param, masked=True)
    logits = models.train([padded(SOURCES, 4), DECODER_INPUT]).numpy()
    return Built(model_spec(request.param), models, logits)


def test_more_padding_on_the_right_changes_nothing(some):
    logits = some.models.train([padded(SOURCES, 7), DECODER_INPUT])
    np.testing.assert_allclose(logits, some.logits, atol=1e-6)


@pytest.mark.parametrize("architecture", SOME, ids=named)
def test_without_a_mask_every_position_counts(architecture):
    models = build(architecture, masked=False)
    spec = model_spec(architecture)
    oracle = EncoderDecoder(spec, models.train)
    decoder_input = DECODER_INPUT[: len(FULL)]
    logits = models.train([FULL, decoder_input])
    for row, source in enumerate(FULL.numpy()):
        np.testing.assert_allclose(
            logits[row], oracle.logits(source, decoder_input.numpy()[row])[0], atol=3e-6
        )
    steps, _ = teacher_forced_steps(models, spec.attention != "none", FULL, decoder_input)
    np.testing.assert_allclose(steps, logits, atol=2e-6)
    fused = build_training_model(spec, SOURCE_SIZE, TARGET_SIZE, masked=False, kernel="fused")
    fused.set_weights(models.train.get_weights())
    np.testing.assert_allclose(fused([FULL, decoder_input]), logits, atol=2e-6)


def test_gradients_of_the_fused_model_are_those_of_the_plain_one(some):
    fused = build_training_model(some.spec, SOURCE_SIZE, TARGET_SIZE, masked=True, kernel="fused")
    fused.set_weights(some.models.train.get_weights())
    weight = np.random.default_rng(1).normal(size=(3, 3, TARGET_SIZE)).astype(np.float32)

    def gradients(model):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model([padded(SOURCES, 4), DECODER_INPUT], training=True) * weight)
        return [tf.convert_to_tensor(g) for g in tape.gradient(total, model.trainable_variables)]

    for ours, expected in zip(gradients(fused), gradients(some.models.train), strict=True):
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(ours, expected, atol=5e-6 * scale)


@pytest.mark.parametrize("layer", ["encoder_1", "decoder_1"])
def test_a_weight_changed_in_one_model_is_changed_in_the_others(some, layer):
    sources, kernel = padded(SOURCES, 4), some.models.train.get_layer(layer).weights[0]
    before = kernel.numpy()
    kernel.assign(kernel + 0.5)
    try:
        logits, _ = teacher_forced_steps(some.models, some.attends, sources, DECODER_INPUT)
        assert np.abs(logits - some.logits).max() > 1e-3
        np.testing.assert_allclose(logits, some.models.train([sources, DECODER_INPUT]), atol=2e-6)
    finally:
        kernel.assign(before)


def test_each_model_saved_and_loaded_alone_gives_the_same_bits(some, tmp_path):
    sources = padded(SOURCES, 4)
    states = listed(some.models.inference_encoder(sources))
    memory = [states.pop(), sources] if some.attends else []
    given = {
        "train": [sources, DECODER_INPUT],
        "inference_encoder": sources,
        "inference_decoder": [DECODER_INPUT[:, :1], *states, *memory],
    }
    for name, arguments in given.items():
        model = getattr(some.models, name)
        model.save(tmp_path / f"{name}.keras")
        loaded = keras.models.load_model(tmp_path / f"{name}.keras", compile=False)
        assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
        for ours, expected in zip(listed(loaded(arguments)), listed(model(arguments)), strict=True):
            assert np.array_equal(ours, expected)


# --- dropout ------------------------------------------------------------------------------------------------

DROPPING = {"layers": 2, "bidirectional": True, "attention": "luong_dot"}


@pytest.mark.parametrize("kernel", ["fused", "keras"])
@pytest.mark.parametrize(
    ("inputs", "dropped"),
    [
        ("one_hot", {"encoder_2", "decoder_2", "output"}),
        ("embedding", {"encoder_1", "encoder_2", "decoder_1", "decoder_2", "output"}),
    ],
)
def test_dropout_is_on_vectors_alone_and_in_training_alone(kernel, inputs, dropped):
    spec = model_spec({**DROPPING, "inputs": inputs}, dropout=0.5)
    model = build_training_model(spec, SOURCE_SIZE, TARGET_SIZE, masked=True, kernel=kernel)
    found = {layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert found == {f"{name}_dropout" for name in dropped}
    given = [padded(SOURCES, 4), DECODER_INPUT]
    whole = model(given, training=False).numpy()
    assert np.array_equal(whole, model(given, training=False))
    assert not np.array_equal(whole, model(given, training=True))


@pytest.mark.parametrize(
    ("cell", "attention", "inputs"), [("lstm", "none", "one_hot"), ("gru", "luong_general", "embedding")]
)
def test_dropout_adds_no_weights_and_both_kernels_have_them_in_one_order(cell, attention, inputs):
    architecture = {
        "cell": cell,
        "layers": 2,
        "bidirectional": True,
        "attention": attention,
        "inputs": inputs,
    }
    spec = model_spec(architecture, dropout=0.5)
    fused, plain = (
        build_training_model(spec, SOURCE_SIZE, TARGET_SIZE, masked=True, kernel=kernel)
        for kernel in ("fused", "keras")
    )
    assert [(w.path, w.shape) for w in fused.weights] == [(w.path, w.shape) for w in plain.weights]
    assert fused.count_params() == count_parameters(spec, SOURCE_SIZE, TARGET_SIZE)


# --- reversing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        (None, [[4, 3, 2, 1], [8, 7, 6, 5]]),
        ([4, 4], [[4, 3, 2, 1], [8, 7, 6, 5]]),
        ([3, 1], [[3, 2, 1, 4], [5, 6, 7, 8]]),
    ],
)
def test_reverse_turns_the_valid_steps_and_leaves_the_padding(lengths, expected):
    ids = tf.constant([[1, 2, 3, 4], [5, 6, 7, 8]])
    mask = None if lengths is None else tf.sequence_mask(lengths, 4)
    reverse = Reverse()
    turned = reverse(ids, mask=mask)
    assert turned.numpy().tolist() == expected
    assert reverse(turned, mask=mask).numpy().tolist() == ids.numpy().tolist()
    vectors = tf.stack([ids, 10 * ids], axis=-1)
    assert reverse(vectors, mask=mask)[:, :, 1].numpy().tolist() == (10 * turned).numpy().tolist()
