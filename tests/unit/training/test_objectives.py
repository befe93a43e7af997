import math
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from oracle.seq2seq import softmax

from job.problems.vocabulary import Vocabulary
from job.training.objectives import lagged, masked_loss, objective, shifted, squared_error

NAN = math.nan
NUMBERS = SimpleNamespace(target_kind="numbers")
TOKENS = SimpleNamespace(target_kind="tokens", target_vocabulary=Vocabulary.learn("ab", ""))


def column(rows):
    return tf.constant(rows, tf.float32)[:, :, None]


def test_squared_error_by_hand():
    sums = squared_error(column([[1, 2, 3], [4, 5, 6]]), column([[1, 4, 0], [1, NAN, NAN]]))
    assert {name: float(value) for name, value in sums.items()} == {"loss": 4 + 9 + 9, "tokens": 4, "rows": 2}


@pytest.mark.parametrize("predicted", [0.0, NAN, math.inf])
def test_padding_counts_neither_in_the_loss_nor_in_the_gradient(predicted):
    outputs = column([[2.0, predicted]])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        loss = squared_error(outputs, column([[5.0, NAN]]))["loss"]
    assert float(loss) == 9
    assert tape.gradient(loss, outputs).numpy().ravel().tolist() == [-6, 0]


def test_a_nonfinite_prediction_makes_the_loss_nonfinite():
    assert math.isnan(float(squared_error(column([[NAN]]), column([[1.0]]))["loss"]))


def test_the_decoder_reads_the_last_known_value_first_and_then_the_targets():
    source = tf.constant([[[1.0, -1.0], [2.0, -2.0]], [[3.0, -3.0], [4.0, -4.0]]])
    found = lagged(source, column([[10, 20, 30], [40, NAN, NAN]]))
    assert found.numpy()[:, :, 0].tolist() == [[2, 10, 20], [4, 40, 0]]
    assert found.shape == (2, 3, 1)


def test_the_targets_kind_decides():
    numbers, tokens = objective(NUMBERS), objective(TOKENS)
    assert (numbers.sums, numbers.decoder_input) == (squared_error, lagged)
    target = tf.constant([[4, 5, 2]])
    start = TOKENS.target_vocabulary.start
    assert tokens.decoder_input(None, target).numpy().tolist() == [[start, 4, 5]]
    assert "correct_tokens" in tokens.statistics


@pytest.mark.parametrize(
    ("problem", "outputs", "target"),
    [
        (NUMBERS, np.ones((2, 3, 1), np.float32), np.ones((2, 3, 1), np.float32)),
        (TOKENS, np.ones((2, 3, 6), np.float32), np.ones((2, 3), np.int32)),
    ],
)
def test_statistics_are_what_the_sums_give(problem, outputs, target):
    chosen = objective(problem)
    assert tuple(chosen.sums(tf.constant(outputs), tf.constant(target))) == chosen.statistics


def test_a_predicted_unknown_is_never_right_in_training_and_validation():
    vocabulary = Vocabulary.learn("ab", "")
    target = tf.constant([[4, vocabulary.unknown, 2], [4, 5, 2]])
    sums = objective(TOKENS).sums(tf.one_hot(target, len(vocabulary)), target)
    assert (float(sums["correct_tokens"]), float(sums["correct_rows"])) == (5, 1)


def test_masked_loss_by_hand():
    """Logits that are logarithms of probabilities; three tokens, one padding position."""
    probabilities = [
        [[0.1, 0.7, 0.2], [0.25, 0.25, 0.5]],  # targets 1 (right), 1 (wrong)
        [[0.2, 0.2, 0.6], [0.9, 0.05, 0.05]],  # target 2 (right), padding
    ]
    sums = masked_loss(tf.math.log(tf.constant(probabilities)), tf.constant([[1, 1], [2, 0]]))
    assert float(sums["loss"]) == pytest.approx(-math.log(0.7) - math.log(0.25) - math.log(0.6), rel=1e-6)
    counts = {key: float(value) for key, value in sums.items() if key != "loss"}
    assert counts == {"tokens": 3, "correct_tokens": 2, "rows": 2, "correct_rows": 1}


def test_masked_loss_is_the_papers_cross_entropy():
    random = np.random.default_rng(4)
    logits = random.normal(size=(3, 5, 7)).astype(np.float32)
    target = random.integers(1, 7, (3, 5)).astype(np.int32)
    target[1, 2:] = 0
    expected = sum(
        -np.log(softmax(logits[row, t].astype(float))[target[row, t]])
        for row, t in zip(*np.nonzero(target), strict=True)
    )
    assert float(masked_loss(logits, target)["loss"]) == pytest.approx(expected, rel=1e-5)


def test_smoothed_loss_and_its_gradient_are_those_of_the_smoothed_targets():
    """Szegedy et al. 2016, section 7: the cross-entropy against (1 - e) * one-hot + e / V, in float64."""
    random = np.random.default_rng(5)
    logits = random.normal(size=(3, 5, 7)).astype(np.float32)
    target = random.integers(1, 7, (3, 5)).astype(np.int32)
    target[1, 2:] = 0
    predicted = np.array([softmax(row) for row in logits.astype(float).reshape(-1, 7)]).reshape(3, 5, 7)
    wanted = 0.8 * np.eye(7)[target] + 0.2 / 7
    counts = (target != 0)[:, :, None]
    with tf.GradientTape() as tape:
        watched = tf.constant(logits)
        tape.watch(watched)
        loss = masked_loss(watched, target, label_smoothing=0.2)["loss"]
    assert float(loss) == pytest.approx(-(wanted * np.log(predicted) * counts).sum(), rel=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, watched), (predicted - wanted) * counts, atol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 80.0, -80.0])
@pytest.mark.parametrize(("margin", "wrong"), [(12.0, 0), (12.0, 1), (95.0, 1)])
def test_loss_keeps_its_digits_where_the_model_is_sure(offset, margin, wrong):
    logits = np.full((1, 1, 4), offset, np.float32)
    logits[0, 0, 1] += margin
    expected = np.log1p(3 * np.exp(-margin)) + (margin if wrong else 0)
    found = float(masked_loss(logits, np.array([[1 + wrong]], np.int32))["loss"])
    assert found == pytest.approx(expected, rel=2e-2 if not wrong else 1e-6)


def test_padding_gets_no_gradient():
    logits, target = tf.ones([2, 3, 4]), tf.constant([[1, 2, 3], [1, 0, 0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = masked_loss(logits, target)["loss"]
    touched = np.abs(tape.gradient(loss, logits)).max(axis=-1) > 0
    assert np.array_equal(touched, target.numpy() != 0)


@pytest.mark.parametrize(("start", "expected"), [(1, [[1, 5, 6], [1, 7, 2]]), (0, [[0, 5, 6], [0, 7, 2]])])
def test_the_decoder_reads_the_target_shifted_by_one(start, expected):
    assert shifted(tf.constant([[5, 6, 2], [7, 2, 0]]), start).numpy().tolist() == expected
