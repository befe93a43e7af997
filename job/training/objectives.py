"""Training objectives with teacher forcing: cross-entropy for tokens, squared error for numbers.

With teacher forcing the decoder's input at each position is the target of the previous position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from job.problems.base import Problem


@dataclass(frozen=True)
class Objective:
    """An objective for one kind of targets.

    Args:
        decoder_input: (source, target) -> the decoder's input, with the target's shape and dtype.
        sums: (outputs, target) -> name -> sum over a batch, float32 scalars: `loss`, `tokens` (number of
            target positions that count), `rows` and, for tokens, those of `masked_loss`.
        statistics: the names in `sums`.
        predictions: outputs -> predictions, with the target's shape and dtype.
        smoothed: `sums` as training minimizes it, with label smoothing.
        outputs: (model, source, decoder input, whether it is trained) -> the outputs of a model.
    """

    decoder_input: Callable[[Any, Any], Any]
    sums: Callable[[Any, Any], dict[str, Any]]
    statistics: tuple[str, ...]
    predictions: Callable[[Any], Any]
    smoothed: Callable[[Any, Any], dict[str, Any]]
    outputs: Callable[[keras.Model, Any, Any, bool], Any] = lambda model, source, given, training: model(
        [source, given], training=training
    )


def objective(problem: Problem, label_smoothing: float = 0.0) -> Objective:
    """Return the objective for a problem's kind of targets; label smoothing is for tokens."""
    if problem.target_kind == "numbers":
        names = ("loss", "tokens", "rows")
        return Objective(
            lagged, squared_error, names, lambda outputs: tf.cast(outputs, tf.float32), squared_error
        )
    start, unknown = problem.target_vocabulary.start, problem.target_vocabulary.unknown
    statistics = ("loss", "tokens", "correct_tokens", "rows", "correct_rows")
    return Objective(
        lambda _, target: shifted(target, start),
        lambda logits, target: masked_loss(logits, target, unknown),
        statistics,
        lambda logits: tf.argmax(logits, axis=-1, output_type=tf.int32),
        lambda logits, target: masked_loss(logits, target, unknown, label_smoothing),
    )


# --- tokens -------------------------------------------------------------------------------------------------


def masked_loss(
    logits: Any, target: Any, unknown: int | None = None, label_smoothing: float = 0.0
) -> dict[str, Any]:
    """Return cross-entropy and correct predictions, summed over a batch.

    A token is correct if it has the largest logit. A row is correct if all its tokens are: greedy decoding
    would then return it.

    Args:
        logits: (B, T, V), of any precision.
        target: (B, T) int32; positions with 0 (padding) do not count.
        unknown: id of the unknown token, which is never correct; None if the vocabulary has none.
        label_smoothing: share of the target distribution that is uniform over all V ids (Szegedy et al. 2016,
            section 7).

    Returns:
        float32 scalars: `loss` (in nats), `tokens`, `correct_tokens`, `rows`, `correct_rows`.
    """
    logits = tf.cast(logits, tf.float32)  # with a lower precision of the layers too
    losses = cross_entropy(logits, target, label_smoothing)
    right = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), target)
    if unknown is not None:
        right &= tf.not_equal(target, unknown)
    return token_sums(losses, right, target)


def cross_entropy(logits: Any, target: Any, label_smoothing: float = 0.0) -> Any:
    """Return the cross-entropy of each position, (B, T) float32.

    Against the distribution (1 - e) * one_hot + e / V it is log sum exp - logit of the target, plus e * (that
    logit - mean of the logits); its gradient is softmax - (1 - e) * one_hot - e / V. Both come from one
    softmax, a fast pass over (B, T, V): with 5,000 classes and a CPU, TensorFlow's own operation took eight
    times as long as that, and the gradient of a gathered logit would be a further array, nearly all zeros.

    Args:
        logits: (B, T, V) float32.
        target: (B, T) int32.
        label_smoothing: the share e of the target distribution that is uniform.
    """
    size = tf.shape(logits)[2]
    labels = tf.reshape(target, [-1])
    places = tf.stack([tf.range(tf.size(labels)), labels], axis=1)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def losses_of(rows: Any) -> Any:
        softmax = tf.nn.softmax(rows)
        chosen = tf.gather_nd(rows, places)
        # The likeliest class has at least the probability 1 / V: its logarithm is exact enough. The
        # difference of logits comes first, so that a loss near 0 keeps its digits.
        losses = tf.reduce_max(rows, axis=1) - chosen - tf.math.log(tf.reduce_max(softmax, axis=1))
        if label_smoothing:
            losses += label_smoothing * (chosen - tf.reduce_mean(rows, axis=1))

        def gradient(upstream: Any) -> Any:
            found = softmax * upstream[:, None]
            if label_smoothing:
                found -= (label_smoothing / tf.cast(size, upstream.dtype)) * upstream[:, None]
            return tf.tensor_scatter_nd_sub(found, places, (1 - label_smoothing) * upstream)

        return losses, gradient

    return tf.reshape(losses_of(tf.reshape(logits, [-1, size])), tf.shape(target))


def token_sums(losses: Any, right: Any, target: Any) -> dict[str, Any]:
    """Return the sums of `masked_loss`.

    Args:
        losses: of each position, (B, T) float32.
        right: whether the prediction is correct, (B, T) bool.
        target: (B, T) int32; positions with 0 (padding) do not count.
    """
    weights = tf.cast(tf.not_equal(target, 0), losses.dtype)
    hit = tf.cast(right, losses.dtype)
    return {
        "loss": tf.reduce_sum(losses * weights),
        "tokens": tf.reduce_sum(weights),
        "correct_tokens": tf.reduce_sum(hit * weights),
        "rows": tf.cast(tf.shape(target)[0], losses.dtype),
        "correct_rows": tf.reduce_sum(tf.reduce_min(tf.maximum(hit, 1 - weights), axis=1)),
    }


def sampled_input(gold: Any, predicted: Any, probability: Any, seed: Any) -> Any:
    """Return the decoder's input of scheduled sampling: some targets replaced by predictions.

    Args:
        gold: (B, T) int32 or (B, T, 1) float32, the decoder's input with teacher forcing.
        predicted: the same made from predictions; ids 0 (padding) replace nothing and are not replaced.
        probability: of each position to be replaced, a float32 scalar.
        seed: (2,) int64, of the random choice, which depends on nothing else.
    """
    replaced = tf.random.stateless_uniform(tf.shape(gold), seed) < probability
    if gold.dtype.is_integer:
        replaced &= tf.not_equal(gold, 0) & tf.not_equal(predicted, 0)
    return tf.where(replaced, predicted, gold)


def shifted(target: Any, start: int) -> Any:
    """Return the decoder's input, (B, T): the start id, then the target without its last position."""
    first = tf.fill([tf.shape(target)[0], 1], tf.constant(start, target.dtype))
    return tf.concat([first, target[:, :-1]], axis=1)


# --- numbers ------------------------------------------------------------------------------------------------


def squared_error(predicted: Any, target: Any) -> dict[str, Any]:
    """Return squared errors, summed over a batch.

    Args:
        predicted: (B, T, 1), of any precision.
        target: (B, T, 1) float32; positions with NaN do not count.

    Returns:
        float32 scalars: `loss`, `tokens` (number of positions that count), `rows`.
    """
    predicted = tf.cast(predicted, tf.float32)
    counts = ~tf.math.is_nan(target)
    # masked before and after the difference: NaN times 0 is NaN, in gradients too
    errors = tf.where(counts, predicted - tf.where(counts, target, 0.0), 0.0)
    return {
        "loss": tf.reduce_sum(tf.square(errors)),
        "tokens": tf.reduce_sum(tf.cast(counts, predicted.dtype)),
        "rows": tf.cast(tf.shape(target)[0], predicted.dtype),
    }


def lagged(source: Any, target: Any) -> Any:
    """Return the decoder's input, (B, T, 1): the source's last value, then the target without its last one.

    Args:
        source: (B, S, F) float32; its first column is the forecast one.
        target: (B, T, 1) float32; NaN becomes 0.
    """
    known = tf.where(tf.math.is_nan(target), 0.0, target)
    return tf.concat([source[:, -1:, :1], known[:, :-1]], axis=1)
