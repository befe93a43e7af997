"""The assembled models of numbers against the papers (`oracle`)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from assembled_models import Built, architecture, model_spec, named, randomise

from job.models.parameter_count import count_parameters
from job.models.seq2seq import build_models

OF_NUMBERS = [
    architecture("lstm", 1, False, "none", "one_hot", False),
    architecture("gru", 2, True, "luong_general", "embedding", True),
    architecture("lstm", 1, True, "luong_dot fed", "one_hot", False),
    architecture("gru", 1, False, "bahdanau", "embedding", False),
]


@pytest.fixture(scope="module", params=OF_NUMBERS, ids=named)
def of_numbers(request):
    """A model whose sources have two numbers a position, and whose targets have one."""
    random = np.random.default_rng(9)
    source, decoder_input = (
        tf.constant(random.normal(size=shape), tf.float32) for shape in ((3, 5, 2), (3, 4, 1))
    )
    spec = model_spec(request.param)
    models = build_models(spec, 2, 1, masked=False, numbers=True)
    randomise(models.train)
    values = models.train([source, decoder_input]).numpy()
    return Built(spec, models, False, True, source, decoder_input, values)


def test_models_of_numbers_agree_with_the_papers_equations(of_numbers):
    np.testing.assert_allclose(of_numbers.logits, of_numbers.oracle()[0], atol=3e-6)
    logits, attention = of_numbers.step_by_step()
    np.testing.assert_allclose(logits, of_numbers.logits, atol=2e-6)
    if of_numbers.attends:
        np.testing.assert_allclose(attention, of_numbers.oracle()[1], atol=2e-6)


def test_models_of_numbers_are_trained_over_either_kernel(of_numbers):
    fused, plain = of_numbers.fused, of_numbers.models.train
    assert [(w.path, w.shape) for w in fused.weights] == [(w.path, w.shape) for w in plain.weights]
    found = fused([of_numbers.source, of_numbers.decoder_input])
    np.testing.assert_allclose(found, of_numbers.logits, atol=2e-6)


def test_models_of_numbers_read_vectors_and_end_in_a_linear_layer(of_numbers):
    train, decoder = of_numbers.models.train, of_numbers.models.inference_decoder
    assert [tensor.shape for tensor in train.inputs] == [(None, None, 2), (None, None, 1)]
    assert [tensor.dtype for tensor in train.inputs] == ["float32", "float32"]
    assert decoder.inputs[0].shape == (None, 1, 1)
    assert train.output.shape == (None, None, 1)
    assert train.layers[-1].name == "values"
    assert train.layers[-1].activation is keras.activations.linear
    assert not any(isinstance(layer, keras.layers.Embedding) for layer in train.layers)
    assert train.count_params() == count_parameters(of_numbers.spec, 2, 1, numbers=True)
