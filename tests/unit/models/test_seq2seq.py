"""The assembled models against the papers (`oracle`) and against each other."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from assembled_models import (
    ARCHITECTURES,
    DECODER_INPUT,
    FULL,
    SIZE,
    SOME,
    SOURCES,
    WITHOUT_MASK,
    architecture,
    build,
    check_shared_variables,
    listed,
    model_spec,
    named,
    padded,
)
from one_python import on_one_python

from job.models.parameter_count import count_parameters
from job.models.seq2seq import build_training_model
from job.spec.model_section import ModelSpec


@pytest.fixture(scope="module")
def built_once():
    """Build an architecture when it is first asked for."""
    built = {}

    def find(chosen):
        name = named(chosen)
        built[name] = built.get(name) or build(chosen)
        return built[name]

    return find


@pytest.fixture(scope="module", params=on_one_python(ARCHITECTURES, *ARCHITECTURES[::4]), ids=named)
def built(request, built_once):
    return built_once(request.param)


@pytest.fixture(scope="module", params=on_one_python(SOME, *SOME[2::2]), ids=named)
def some(request, built_once):
    return built_once(request.param)


# --- every architecture -------------------------------------------------------------------------------------


def test_the_training_model_agrees_with_the_papers_equations(built):
    for ours, expected in zip(built.logits, built.oracle()[0], strict=True):
        np.testing.assert_allclose(ours, expected, atol=3e-6)


def test_the_inference_models_step_by_step_equal_the_training_model(built):
    logits, attention = built.step_by_step()
    np.testing.assert_allclose(logits, built.logits, atol=2e-6)
    if not built.attends:
        return
    valid = np.broadcast_to(built.source.numpy()[:, None] != 0, attention.shape)
    assert np.all(attention[~valid] == 0)
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-6)
    for ours, source, expected in zip(attention, SOURCES, built.oracle()[1], strict=True):
        np.testing.assert_allclose(ours[:, : len(source)], expected, atol=2e-6)


def test_the_fused_training_model_takes_the_weights_and_gives_the_logits(built):
    fused, plain = built.fused, built.models.train
    assert [(w.path, w.shape) for w in fused.weights] == [(w.path, w.shape) for w in plain.weights]
    assert [w.path for w in fused.trainable_weights] == [w.path for w in fused.weights]
    logits = fused([padded(SOURCES, 7), DECODER_INPUT])  # more padding on the right changes nothing
    np.testing.assert_allclose(logits, built.logits, atol=2e-6)


def test_parameters_are_counted_without_building_the_model(built):
    assert count_parameters(built.spec, SIZE, SIZE) == built.models.train.count_params()


def test_outputs_and_inputs_are_named_and_sized_as_documented(built):
    encoder, decoder, states = built.models.inference_encoder, built.models.inference_decoder, built.states
    names = ["previous_symbol", *(f"state_{name}" for name in states)]
    names += ["encoder_outputs", "source"] if built.attends else []  # the source tells what is padding
    assert [tensor.name for tensor in decoder.inputs] == names
    sizes = [None if name == "alignment" else 3 for name in states]
    assert [tensor.shape[-1] for tensor in decoder.inputs[1 : 1 + len(states)]] == sizes
    begins_with_zeros = [name for name in states if name in ("fed", "output")]
    assert len(encoder.outputs) == len(states) - len(begins_with_zeros) + built.attends
    assert len(decoder.outputs) == 1 + len(states) + built.attends
    assert (decoder.output_names[-1] == "attention_weights") == built.attends
    assert built.logits.shape == (3, 3, SIZE)


def test_the_three_models_hold_the_same_variables(built):
    check_shared_variables(built.models)


# --- some architectures -------------------------------------------------------------------------------------


def test_more_padding_on_the_right_changes_nothing(some):
    logits = some.models.train([padded(SOURCES, 7), DECODER_INPUT])
    np.testing.assert_allclose(logits, some.logits, atol=1e-6)


@pytest.mark.parametrize("chosen", WITHOUT_MASK, ids=named)
def test_without_a_mask_every_position_counts(chosen):
    whole = build(chosen, masked=False)
    np.testing.assert_allclose(whole.logits, whole.oracle()[0], atol=3e-6)
    np.testing.assert_allclose(whole.step_by_step()[0], whole.logits, atol=2e-6)
    np.testing.assert_allclose(whole.fused([FULL, whole.decoder_input]), whole.logits, atol=2e-6)
    assert "source" not in [tensor.name for tensor in whole.models.inference_decoder.inputs]


def test_gradients_of_the_fused_model_are_those_of_the_plain_one(some):
    weight = np.random.default_rng(1).normal(size=some.logits.shape).astype(np.float32)

    def gradients(model):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model([some.source, DECODER_INPUT], training=True) * weight)
        return [tf.convert_to_tensor(g) for g in tape.gradient(total, model.trainable_variables)]

    for ours, expected in zip(gradients(some.fused), gradients(some.models.train), strict=True):
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(ours, expected, atol=5e-6 * scale)


@pytest.mark.parametrize("some", on_one_python([SOME[0], *SOME[4:]], SOME[4]), ids=named, indirect=True)
@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_a_weight_changed_in_one_model_is_changed_in_the_others(some, side):
    name = "decoder" if side == "decoder" and some.spec.attends_in_recurrence else f"{side}_1"
    kernel = some.models.train.get_layer(name).weights[0]
    before = kernel.numpy()
    kernel.assign(kernel + 0.5)
    try:
        logits, _ = some.step_by_step()
        assert np.abs(logits - some.logits).max() > 1e-3
        np.testing.assert_allclose(logits, some.models.train([some.source, DECODER_INPUT]), atol=2e-6)
    finally:
        kernel.assign(before)


@pytest.mark.once
def test_each_model_saved_and_loaded_alone_gives_the_same_bits(some, tmp_path):
    states, memory = some.begin(tf.ones_like)
    given = {
        "train": [some.source, DECODER_INPUT],
        "inference_encoder": some.source,
        "inference_decoder": [DECODER_INPUT[:, :1], *states, *memory],
    }
    for name, arguments in given.items():
        model = getattr(some.models, name)
        model.save(tmp_path / f"{name}.keras")
        loaded = keras.models.load_model(tmp_path / f"{name}.keras", compile=False)
        assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
        assert loaded.output_names == model.output_names
        for ours, expected in zip(listed(loaded(arguments)), listed(model(arguments)), strict=True):
            assert np.array_equal(ours, expected)


# --- one embedding for both sides ---------------------------------------------------------------------------


def test_tied_embeddings_are_one_variable_that_both_sides_read():
    tied = build(architecture("gru", 1, False, "luong_dot fed", "tied", False))
    embeddings = [w for w in tied.models.train.weights if w.path.endswith("embeddings")]
    assert [w.path for w in embeddings] == ["embedding/embeddings"]
    (table,) = embeddings
    assert table.shape == (SIZE, 4)
    for model in (tied.models.inference_encoder, tied.models.inference_decoder, tied.models.train):
        assert any(w is table for w in model.weights)
    with tf.GradientTape() as tape:
        # row 3 stands in the source alone, row 1 in the decoder input alone, row 0 in neither
        total = tf.reduce_sum(tied.models.train([tf.constant([[3, 4]]), tf.constant([[1, 4]])]) ** 2)
    gradient = tf.convert_to_tensor(tape.gradient(total, table.value)).numpy()
    assert np.flatnonzero(np.abs(gradient).sum(axis=1)).tolist() == [1, 3, 4]


# --- dropout ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "attention", "inputs", "dropped"),
    [
        ("lstm", "luong_dot", "one_hot", {"encoder_2", "decoder_2", "output"}),
        ("gru", "none", "embedding", {"encoder_1", "encoder_2", "decoder_1", "decoder_2", "output"}),
    ],
)
def test_dropout_is_on_vectors_alone_and_in_training_alone(cell, attention, inputs, dropped):
    spec = model_spec(architecture(cell, 2, cell == "gru", attention, inputs, False), dropout=0.5)
    kernels = ("fused", "keras")
    models = [build_training_model(spec, SIZE, SIZE, masked=True, kernel=kernel) for kernel in kernels]
    for model in models:
        found = {layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
        assert found == {f"{name}_dropout" for name in dropped}
        given = [padded(SOURCES, 4), DECODER_INPUT]
        whole = model(given, training=False).numpy()
        assert np.array_equal(whole, model(given, training=False))
        assert not np.array_equal(whole, model(given, training=True))
    fused, plain = models
    assert [(w.path, w.shape) for w in fused.weights] == [(w.path, w.shape) for w in plain.weights]
    assert fused.count_params() == count_parameters(spec, SIZE, SIZE)  # dropout has no weights


def test_an_attending_decoder_applies_dropout_between_its_cells():
    spec = model_spec(architecture("gru", 2, False, "bahdanau", "embedding", False), dropout=0.5)
    model = build_training_model(spec, SIZE, SIZE, masked=True, kernel="fused")
    found = {layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert found == {f"{name}_dropout" for name in ("encoder_1", "encoder_2", "decoder_1", "output")}
    assert model.get_layer("decoder").dropout == 0.5


@pytest.mark.parametrize("tied", [False, True])
def test_the_embeddings_begin_with_the_deviation_of_their_initializer(tied):
    for initializer, deviation in (("uniform", 0.1 / 12**0.5), ("normal", 1.0)):
        spec = ModelSpec(
            inputs="embedding", embedding_size=64, embedding_initializer=initializer, tied_embeddings=tied
        )
        keras.utils.set_random_seed(1)
        model = build_training_model(spec, 90, 90, masked=True, kernel="fused")
        embeddings = [w.numpy() for w in model.weights if w.path.endswith("embeddings")]
        assert len(embeddings) == 2 - tied
        for values in embeddings:
            np.testing.assert_allclose(
                [values.mean() / deviation, values.std() / deviation], [0, 1], atol=0.05
            )
