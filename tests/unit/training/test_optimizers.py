import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle.optimizers import Adadelta, Momentum, clipped
from oracle.optimizers import Adam as PaperAdam
from oracle.optimizers import AdamW as PaperAdamW

from job.spec.training_section import OptimizerSpec
from job.training.optimizers import OPTIMIZERS, Adam, dense_gradient
from job.training.schedules import learning_rate


def optimizer(**keys):
    return OptimizerSpec(**{"learning_rate": 1.0, "schedule": "constant", "warmup_fraction": 0.0, **keys})


# --- schedule -----------------------------------------------------------------------------------------------

HALF_COSINE = 0.5 * (1 + math.cos(math.pi / 8))


@pytest.mark.parametrize(
    ("schedule", "warmup_fraction", "total", "rates"),
    [
        ("constant", 0.0, 4, [1, 1, 1, 1]),
        ("constant", 0.5, 4, [0.5, 1, 1, 1]),
        ("constant", 1.0, 4, [0.25, 0.5, 0.75, 1]),
        ("cosine", 0.0, 4, [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
        ("cosine", 0.5, 4, [0.5, 1, 1, 0.5]),
        ("cosine", 0.1, 9, [1, 1, HALF_COSINE]),
        ("cosine", 1.0, 2, [0.5, 1]),
        ("cosine", 0.0, 1, [1]),
        ("cosine", 0.001, 2, [1, 1]),
        ("linear", 0.0, 4, [1, 0.75, 0.5, 0.25]),
        ("linear", 0.5, 4, [0.5, 1, 1, 0.5]),
        ("inverse_sqrt", 0.0, 9, [1, math.sqrt(1 / 2), math.sqrt(1 / 3), 0.5]),
        ("inverse_sqrt", 0.25, 16, [0.25, 0.5, 0.75, 1, math.sqrt(4 / 5), math.sqrt(4 / 6)]),
        ("plateau", 0.5, 4, [0.5, 1, 1, 1]),
    ],
)
def test_learning_rate(schedule, warmup_fraction, total, rates):
    spec = optimizer(schedule=schedule, warmup_fraction=warmup_fraction)
    found = [float(learning_rate(spec, tf.constant(float(step)), total)) for step in range(len(rates))]
    assert found == pytest.approx(rates, abs=1e-6)


def test_the_peak_rate_scales_the_schedule():
    spec = optimizer(learning_rate=0.02, schedule="cosine", warmup_fraction=0.5)
    rates = [float(learning_rate(spec, tf.constant(float(step)), 4)) for step in range(4)]
    assert rates == pytest.approx([0.01, 0.02, 0.02, 0.01])


@pytest.mark.parametrize(("reductions", "rate"), [(0, 0.02), (1, 0.005), (3, 0.02 / 64)])
def test_each_reduction_of_a_plateau_multiplies_the_rate(reductions, rate):
    spec = optimizer(learning_rate=0.02, schedule="plateau", plateau_factor=0.25)
    found = learning_rate(spec, tf.constant(5.0), 10, tf.constant(float(reductions)))
    assert float(found) == pytest.approx(rate)


# --- Adam ---------------------------------------------------------------------------------------------------


def gradients_of(steps):
    """Gradients of two variables, some with a norm above 1 and some below."""
    random = np.random.default_rng(8)
    scales = [3.0, 0.1, 1.0, 0.01, 5.0, 0.3][:steps]
    return [
        [random.normal(scale=scale, size=shape).astype(np.float32) for shape in ((2, 3), (3,))]
        for scale in scales
    ]


@pytest.mark.parametrize("clip_norm", [1.0, None])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_adam_is_that_of_keras_and_of_the_paper(schedule, clip_norm):
    spec = optimizer(learning_rate=0.05, schedule=schedule, warmup_fraction=0.3, clip_norm=clip_norm)
    begin = [np.linspace(-1, 1, 6).reshape(2, 3), np.ones(3)]
    ours = [keras.Variable(value, dtype="float32") for value in begin]
    theirs = [keras.Variable(value, dtype="float32") for value in begin]
    paper = PaperAdam([value.copy() for value in begin])
    adam, their_adam = Adam(ours, spec, 6), keras.optimizers.Adam(0.0, global_clipnorm=clip_norm)
    for step, gradients in enumerate(gradients_of(6)):
        rate = float(learning_rate(spec, tf.constant(float(step)), 6))
        norm, used = adam.apply([tf.constant(g) for g in gradients])
        assert float(norm) == pytest.approx(math.sqrt(sum((g.astype(float) ** 2).sum() for g in gradients)))
        assert float(used) == pytest.approx(rate)
        their_adam.learning_rate = rate
        their_adam.apply([tf.constant(g) for g in gradients], theirs)
        exact = [g.astype(float) for g in gradients]
        paper.apply(exact if clip_norm is None else clipped(exact, clip_norm), rate)
        for mine, keras_own, expected in zip(ours, theirs, paper.values, strict=True):
            np.testing.assert_allclose(mine.value, keras_own.value, atol=2e-6)
            np.testing.assert_allclose(mine.value, expected, atol=2e-6)
    assert int(adam.step) == 6


@pytest.mark.parametrize(
    ("name", "paper", "keys"),
    [
        ("adamw", PaperAdamW, {"weight_decay": 0.1}),
        ("adadelta", Adadelta, {}),
        ("adadelta", Adadelta, {"weight_decay": 0.1}),
        ("sgd", Momentum, {"momentum": 0.9}),
        ("sgd", Momentum, {"momentum": 0.0, "weight_decay": 0.5}),
    ],
)
def test_an_optimizer_is_that_of_its_paper(name, paper, keys):
    spec = optimizer(name=name, learning_rate=0.05, clip_norm=1.0, **keys)
    begin = [np.linspace(-1, 1, 6).reshape(2, 3), np.ones(3)]
    ours = [keras.Variable(value, dtype="float32") for value in begin]
    exact = paper([value.copy() for value in begin], **keys)
    found = OPTIMIZERS[name](ours, spec, 6)
    for gradients in gradients_of(6):
        found.apply([tf.constant(g) for g in gradients])
        exact.apply(clipped([g.astype(float) for g in gradients], 1.0), 0.05)
        for mine, expected in zip(ours, exact.values, strict=True):
            np.testing.assert_allclose(mine.value, expected, atol=2e-6)


def test_rows_of_an_embedding_that_were_not_read_enter_the_norm_as_zeros():
    table = keras.Variable(np.ones((4, 2), np.float32))
    gradient = tf.IndexedSlices(tf.constant([[3.0, 0.0], [0.0, 2.0]]), tf.constant([1, 1]), (4, 2))
    norm, _ = Adam([table], optimizer(), 1).apply([gradient])
    assert float(norm) == pytest.approx(math.sqrt(13))  # the slices of one row added up first
    assert (table.value.numpy() != 1).tolist() == [[False] * 2, [True] * 2, [False] * 2, [False] * 2]


@pytest.mark.parametrize("rank", [1, 2])
def test_a_gradient_by_rows_becomes_the_tensor_that_tensorflow_makes(rank):
    table = tf.Variable(np.random.default_rng(1).normal(size=(7, 3)))
    ids = tf.constant([4, 0, 4, 2, 5, 0]) if rank == 1 else tf.constant([[4, 0, 4], [2, 5, 0]])
    weight = tf.constant(np.random.default_rng(2).normal(size=(*ids.shape, 3)))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.gather(tf.convert_to_tensor(table), ids) * weight)
    gradient = tape.gradient(total, table)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_allclose(dense_gradient(gradient), tf.convert_to_tensor(gradient), rtol=1e-12)
