"""Hard monotonic attention with exact marginal likelihood (Wu and Cotterell 2019).

Each target symbol is emitted from one source position, and the positions never go back. Training and decoding
sum over all such alignments with the forward algorithm, in log space and in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from job.models.time_loops import empty, filled, is_unrolled, loop

NEVER = -1e9
"""Log-probability of what is impossible; unlike minus infinity, its sums and differences are never NaN."""


@keras.saving.register_keras_serializable(package="seq2seq_job")
class MonotonicOutput(keras.layers.Layer):  # type: ignore[misc]
    """The output of a decoder with hard monotonic attention: log-probabilities of the next symbol.

    With d_t the output of the decoder, m_j the memory at source position j and a_t the position of symbol t:

    - p(a_t = j | a_(t-1)) is the softmax of the scores e_tj = d_t . Q m_j over the positions j >= a_(t-1);
      the first symbol can be emitted from any position.
    - p(y_t | a_t = j) = softmax(W tanh(V d_t + m_j + b) + c).

    The output at t is log p(y_t | y_1 ... y_(t-1)), so that the sum over a target is its log-probability,
    marginalized over all monotonic alignments: Wu and Cotterell 2019, the 0th-order model of section 4. The
    position of y_t is inferred from what was emitted before by the forward algorithm.

    A step costs O(S H V) operations for each row, with S source positions, H units and V classes: S times
    those of another output layer. It holds B S (H + V) numbers at once, a few times over. In training the
    backward pass computes each step again, so that no tensor is as large as B T S V.

    Args:
        units: Number of units H.
        size: Number of classes V.
    """

    def __init__(self, *, units: int, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.size = units, size
        self.query = keras.layers.Dense(units, use_bias=False, name="query")
        self.features = keras.layers.Dense(units, name="features")
        self.emission = keras.layers.Dense(size, name="logits")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` needs."""
        return {**super().get_config(), "units": self.units, "size": self.size}

    def build(
        self, outputs_shape: Any, symbols_shape: Any, memory_shape: Any, mask_shape: Any = None
    ) -> None:
        """Create the weights."""
        for part in (self.query, self.features, self.emission):
            part.build((None, self.units))

    def compute_output_spec(
        self, outputs: Any, symbols: Any, memory: Any, mask: Any = None
    ) -> keras.KerasTensor:
        """Return the shape and dtype of the output; without this method Keras would trace `call`."""
        return keras.KerasTensor((*outputs.shape[:2], self.size), "float32")

    def call(self, outputs: Any, symbols: Any, memory: Any, mask: Any = None) -> Any:
        """Return the log-probabilities of all symbols at all steps, given the symbols before.

        Args:
            outputs: Outputs of the decoder, (B, T, H).
            symbols: Inputs of the decoder, (B, T) int32: the start id, then the symbols before each step. The
                alignment is inferred from them too.
            memory: Projected encoder outputs, (B, S, H).
            mask: (B, S) bool, False for padding; None without padding.

        Returns:
            (B, T, V) float32.
        """
        scores = tf.einsum("bth,bsh->tbs", self.query(outputs), memory)
        features = tf.transpose(self.features(outputs), [1, 0, 2])
        emitted = tf.transpose(tf.concat([symbols[:, 1:], symbols[:, :1]], axis=1))  # the last is not used
        weights = [tf.cast(tf.convert_to_tensor(w), memory.dtype) for w in self.emission.weights]
        logs = _all_steps(tf.cast(scores, tf.float32), features, emitted, memory, mask, weights)
        return tf.transpose(tf.ensure_shape(logs, [outputs.shape[1], None, self.size]), [1, 0, 2])

    def step(
        self, output: Any, before: Any, symbol: Any, alignment: Any, memory: Any, mask: Any = None
    ) -> tuple[Any, Any]:
        """Take one step, using only Keras's own layers and operations.

        Called on symbolic tensors, it becomes part of a functional model that loads without this class.

        Args:
            output: Output of the decoder, (B, H).
            before: Output of the decoder at the step before, (B, H); anything at the first step.
            symbol: The symbol that was emitted at the step before, (B,) int32.
            alignment: Log-probability of the position of that symbol, before it was known, (B, S) float32;
                see `first_alignment`.
            memory, mask: See `call`.

        Returns:
            The log-probabilities of the next symbol, (B, V), and those of its position, (B, S).
        """
        emitted = alignment + chosen(self._emissions(before, memory), symbol, self.size)
        filtered = emitted - ops.logsumexp(emitted, axis=-1, keepdims=True)
        scores = ops.squeeze(ops.matmul(memory, ops.expand_dims(self.query(output), -1)), -1)
        alignment = transition(scores, filtered, mask)
        joint = ops.expand_dims(alignment, -1) + self._emissions(output, memory)
        return ops.logsumexp(joint, axis=1), alignment

    def _emissions(self, output: Any, memory: Any) -> Any:
        """Return the log-probabilities of each symbol at each position, (B, S, V)."""
        features = ops.expand_dims(self.features(output), 1)
        return ops.log_softmax(self.emission(ops.tanh(features + memory)))


def first_alignment(source: Any) -> Any:
    """Return the alignment before the first step, (B, S) float32 for sources (B, S).

    All probability is at the first position, from where every position can be reached.
    """
    return ops.where(ops.equal(_positions(source), 1.0), 0.0, NEVER)


def transition(scores: Any, before: Any, mask: Any) -> Any:
    """Return the log-probability of each position, given that of the position before.

    Args:
        scores: (B, S) float32.
        before: Log-probabilities of the position before, (B, S) float32.
        mask: (B, S) bool, False for padding; None without padding.

    Returns:
        (B, S) float32.
    """
    at = _positions(scores)
    allowed = ops.greater_equal(ops.expand_dims(at, 1), ops.expand_dims(at, 2))  # (B, from, to)
    if mask is not None:
        allowed = ops.logical_and(allowed, ops.expand_dims(mask, 1))
    moves = ops.where(allowed, ops.expand_dims(scores, 1), NEVER)
    moves = moves - ops.logsumexp(moves, axis=-1, keepdims=True)
    return ops.logsumexp(ops.expand_dims(before, 2) + moves, axis=1)


def chosen(logs: Any, symbol: Any, size: int) -> Any:
    """Return the entries of one symbol of each row: (B, S, V), (B,) -> (B, S)."""
    return ops.sum(logs * ops.expand_dims(ops.one_hot(symbol, size), 1), axis=-1)


def _positions(x: Any) -> Any:
    """Return the positions 1, 2, ... of each row: (B, S) -> (B, S) float32."""
    return ops.cumsum(ops.ones_like(x, dtype="float32"), axis=-1)


def _all_steps(scores: Any, features: Any, emitted: Any, memory: Any, mask: Any, weights: list[Any]) -> Any:
    """Return the log-probabilities of the symbol at each step, (T, B, V) float32.

    Args:
        scores: (T, B, S) float32.
        features: The decoder's part of the features, (T, B, H).
        emitted: The symbol that is emitted at each step, (T, B) int32.
        memory, mask: See `MonotonicOutput.call`.
        weights: Kernel (H, V) and bias (V,) of the emission.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(scores: Any, features: Any, memory: Any, *weights: Any) -> Any:
        steps = [filled(x) for x in (scores, features, emitted)]

        def forward(t: Any, before: Any, kept: Any, outputs: Any) -> tuple[Any, ...]:
            score, feature, symbol = (x.read(t) for x in steps)
            feature = _delayed(feature, before)
            logs, filtered = _step(score, feature, symbol, before, mask, memory, *weights)
            return filtered, kept.write(t, before), outputs.write(t, logs)

        _, kept, outputs = loop(scores, forward, (first_alignment(scores[0]), *empty(scores, 2)))

        def gradient(upstream: Any) -> tuple[Any, ...]:
            return _gradients(scores, features, emitted, memory, mask, weights, kept, upstream)

        return outputs.stack(), gradient

    return run(scores, features, memory, *weights)


def _gradients(
    scores: Any,
    features: Any,
    emitted: Any,
    memory: Any,
    mask: Any,
    weights: Sequence[Any],
    kept: Any,
    upstream: Any,
) -> tuple[Any, ...]:
    """Compute each step again, from the last to the first, and its gradients.

    Args:
        scores, features, emitted, memory, mask, weights: See `_all_steps`.
        kept: Array of the alignment before each step, (B, S) each.
        upstream: Gradient of the result, (T, B, V).

    Returns:
        The gradients of scores, features, memory and weights.
    """
    steps = [filled(x) for x in (scores, features, emitted, upstream)]
    last = (scores.shape[0] if is_unrolled(scores) else tf.shape(scores)[0]) - 1

    def backward(i: Any, d_filtered: Any, d_scores: Any, d_features: Any, *sums: Any) -> tuple[Any, ...]:
        t = last - i
        score, feature, symbol, d_logs = (x.read(t) for x in steps)
        feature, before = _delayed(feature, d_filtered), kept.read(t)
        watched = [score, feature, before, memory, *weights]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            results = _step(score, feature, symbol, before, mask, memory, *weights)
        d_score, d_feature, d_before, *rest = tape.gradient(results, watched, [d_logs, d_filtered])
        added = [total + new for total, new in zip(sums, rest, strict=True)]
        return d_before, d_scores.write(t, d_score), d_features.write(t, d_feature), *added

    zeros = [tf.zeros_like(x) for x in (scores[0], memory, *weights)]
    arrays = (*empty(scores, 1), *empty(features, 1))
    _, d_scores, d_features, *sums = loop(scores, backward, (zeros[0], *arrays, *zeros[1:]))
    return d_scores.stack(), d_features.stack(), *sums


def _step(
    score: Any, feature: Any, symbol: Any, before: Any, mask: Any, memory: Any, kernel: Any, bias: Any
) -> tuple[Any, Any]:
    """Take one step of the forward algorithm.

    Args:
        score: (B, S) float32.
        feature: The decoder's part of the features, (B, H).
        symbol: The symbol that is emitted, (B,) int32.
        before: Log-probability of the position before, given all symbols before, (B, S) float32.
        mask, memory: See `MonotonicOutput.call`.
        kernel, bias: Of the emission, (H, V) and (V,).

    Returns:
        The log-probabilities of all symbols, (B, V), and those of the position, given the symbol too, (B, S).
    """
    joint = transition(score, before, mask)[:, :, None] + _emissions(feature, memory, kernel, bias)
    logs = tf.reduce_logsumexp(joint, axis=1)
    size = kernel.shape[1]
    return logs, chosen(joint, symbol, size) - chosen(logs[:, None], symbol, size)


def _delayed(x: Any, until: Any) -> Any:
    """Return x once `until` is computed: TensorFlow would compute the emissions of several steps at once."""
    with tf.control_dependencies([until]):
        return tf.identity(x)


def _emissions(feature: Any, memory: Any, kernel: Any, bias: Any) -> Any:
    """Return the log-probabilities of each symbol at each position, (B, S, V) float32.

    As `MonotonicOutput._emissions`, with one matrix product for all rows.
    """
    hidden = tf.tanh(feature[:, None] + memory)
    flat = tf.matmul(tf.reshape(hidden, [-1, kernel.shape[0]]), kernel) + bias
    rows, positions = tf.shape(memory)[0], tf.shape(memory)[1]
    logits = tf.reshape(tf.cast(flat, tf.float32), [rows, positions, kernel.shape[1]])
    return tf.nn.log_softmax(logits)
