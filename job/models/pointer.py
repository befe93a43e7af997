"""The pointer-generator (See, Liu and Manning 2017): the gate, and the mixture of generating and copying.

At each step, with attention weights a, vocabulary distribution P_vocab and the gate p_gen (equation 8),

    P(w) = p_gen P_vocab(w) + (1 - p_gen) (sum of a_i over the source positions i with token w)

(equation 9). A word that the target vocabulary lacks has P_vocab(w) = 0. A position that cannot be copied,
such as a feature, has no token: its attention goes to the generator, so that the probabilities have sum 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

NOWHERE = -1
"""Target id of a source position that cannot be copied."""

IMPOSSIBLE = -1e30
"""Replaces the logarithm of 0; sums of it are never NaN."""

LEAST = 1e-30
"""Attention below this counts as this, where it decides the loss: the logarithm must be finite."""

GATE = "generation"
"""Name of the output with the gate before the sigmoid: p_gen = sigmoid(generation)."""


class GenerationGate:
    """The gate before the sigmoid: w_c c_t + w_s s_t + w_x x_t + b (equation 8).

    Args:
        classes: Number of classes if the decoder's inputs are one-hot vectors, so that w_x x_t is a lookup;
            None for vectors.
    """

    def __init__(self, classes: int | None = None) -> None:
        self._dense = keras.layers.Dense(1, name="generation_gate")
        self._lookup = (
            None if classes is None else keras.layers.Embedding(classes, 1, name="generation_input")
        )

    def __call__(self, context: Any, state: Any, given: Any) -> Any:
        """Return the gate before the sigmoid, (B, T, 1), as the output `GATE`.

        Args:
            context: The context vectors c_t, (B, T, C).
            state: The decoder states s_t, (B, T, H).
            given: The decoder's inputs x_t: vectors (B, T, E), or ids (B, T) if they are one-hot.
        """
        if self._lookup is None:
            gate = self._dense(ops.concatenate([context, state, given], axis=-1))
        else:
            gate = self._dense(ops.concatenate([context, state], axis=-1)) + self._lookup(given)
        return keras.layers.Identity(name=GATE)(gate)


@dataclass(frozen=True)
class Mixture:
    """The mixture distribution of B sources at T target positions.

    Target ids below V are those of the vocabulary; ids from V on are tokens that the vocabulary lacks, and
    only comparison matters.

    Args:
        log_vocabulary: log P_vocab, (B, T, V) float32.
        log_generate: Logarithm of the share of the generator, (B, T) float32: of p_gen, and of the attention
            to positions that cannot be copied.
        copied: Probability of copying from each position, (1 - p_gen) a_i, (B, T, S) float32; 0 for positions
            that cannot be copied.
        ids: Target id of each source position, (B, S) int32, or `NOWHERE`.
    """

    log_vocabulary: Any
    log_generate: Any
    copied: Any
    ids: Any

    @classmethod
    def of(cls, logits: Any, gate: Any, weights: Any, ids: Any) -> Mixture:
        """Return the mixture of a model's outputs.

        Args:
            logits: (B, T, V), of any precision.
            gate: The gate before the sigmoid, (B, T, 1).
            weights: Attention weights, (B, T, S).
            ids: See the class.
        """
        dtype = tf.float64 if logits.dtype == tf.float64 else tf.float32
        logits, gate, weights = (tf.cast(x, dtype) for x in (logits, gate[..., 0], weights))
        stays = tf.cast(tf.equal(ids, NOWHERE), dtype)[:, None]
        log_copy = tf.math.log_sigmoid(-gate)
        uncopied = tf.reduce_sum(weights * stays, axis=-1)
        return cls(
            log_vocabulary=tf.nn.log_softmax(logits),
            log_generate=_logaddexp(tf.math.log_sigmoid(gate), log_copy + _log(uncopied)),
            copied=tf.exp(log_copy)[..., None] * weights * (1 - stays),
            ids=ids,
        )

    @property
    def size(self) -> int:
        """Number of classes of the vocabulary, V."""
        return int(self.log_vocabulary.shape[-1])

    def log_probability(self, target: Any) -> Any:
        """Return log P of targets, (B, T) int32 -> (B, T) float32.

        A target from V on must be among `ids`.
        """
        in_vocabulary = tf.less(target, self.size)
        generated = tf.gather(self.log_vocabulary, tf.where(in_vocabulary, target, 0), axis=2, batch_dims=2)
        generated = tf.where(in_vocabulary, self.log_generate + generated, IMPOSSIBLE)
        same = tf.equal(target[:, :, None], self.ids[:, None])
        total = tf.reduce_sum(tf.where(same, self.copied, 0.0), axis=-1)
        found = tf.reduce_any(same, axis=-1)
        return _logaddexp(generated, tf.where(found, _floored_log(total), IMPOSSIBLE))

    def reachable(self, target: Any, unknown: int) -> Any:
        """Return targets (B, T) with the id `unknown` for tokens neither in the vocabulary nor the source."""
        found = tf.reduce_any(tf.equal(target[:, :, None], self.ids[:, None]), axis=-1)
        return tf.where(tf.logical_or(found, target < self.size), target, unknown)

    def at_positions(self) -> tuple[Any, Any]:
        """Return log P of the token at each source position, and the generator's part of it, both (B, T, S).

        Both are `IMPOSSIBLE` for a position that cannot be copied; the second one also for a token that the
        vocabulary lacks.
        """
        known = self._known[:, None]
        generated = tf.gather(self.log_vocabulary, tf.where(self._known, self.ids, 0), axis=2, batch_dims=1)
        generated = tf.where(known, self.log_generate[..., None] + generated, IMPOSSIBLE)
        total = tf.matmul(self.copied, tf.cast(self._same, self.copied.dtype))
        copies = tf.not_equal(self.ids, NOWHERE)[:, None]
        return _logaddexp(generated, tf.where(copies, _floored_log(total), IMPOSSIBLE)), generated

    def mean_log_probability(self) -> Any:
        """Return the mean of log P over the V ids of the vocabulary, (B, T) float32."""
        mixed, generated = self.at_positions()
        earlier = tf.linalg.band_part(tf.ones_like(self._same, tf.float32), 0, -1) - tf.eye(
            tf.shape(self.ids)[1]
        )
        repeats = tf.reduce_any(tf.logical_and(self._same, earlier > 0), axis=1)  # of an earlier position
        first = tf.logical_and(self._known, tf.logical_not(repeats))[:, None]
        added = tf.reduce_sum(tf.where(first, mixed - generated, 0.0), axis=-1)
        return self.log_generate + tf.reduce_mean(self.log_vocabulary, axis=-1) + added / self.size

    def best(self) -> Any:
        """Return the most probable ids, (B, T) int32."""
        generated = tf.argmax(self.log_vocabulary, axis=-1, output_type=tf.int32)
        best = self.log_generate + tf.reduce_max(self.log_vocabulary, axis=-1)
        mixed, _ = self.at_positions()
        copied = tf.gather(self.ids, tf.argmax(mixed, axis=-1, output_type=tf.int32), batch_dims=1)
        return tf.where(tf.reduce_max(mixed, axis=-1) > best, copied, generated)

    @property
    def _known(self) -> Any:
        """Whether the token at a source position can be copied and generated, (B, S) bool."""
        return tf.logical_and(tf.less(self.ids, self.size), tf.not_equal(self.ids, NOWHERE))

    @property
    def _same(self) -> Any:
        """Whether two source positions have the same token, (B, S, S) bool."""
        return tf.equal(self.ids[:, :, None], self.ids[:, None])


@dataclass(frozen=True, kw_only=True)
class Copying:
    """The ids of both sides of a problem, and what can be copied from one to the other.

    Ids from `source_size` or `target_size` on are tokens that the vocabulary of the side lacks: they exceed
    it by the same number on both sides if the spelling is the same.

    Args:
        table: Target id of each source id, (`source_size`,) int32, or `NOWHERE`.
        source_size, target_size: Number of classes of each vocabulary.
        source_unknown, target_unknown: Their ids of unknown tokens; None if they have none.
    """

    table: NDArray[np.int32]
    source_size: int
    target_size: int
    source_unknown: int | None
    target_unknown: int | None

    def known_source(self, source: Any) -> Any:
        """Return source ids as the model reads them: every unknown token has the same id."""
        return _known(source, self.source_size, self.source_unknown)

    def known_target(self, target: Any) -> Any:
        """Return target ids as the model reads them; see `known_source`."""
        return _known(target, self.target_size, self.target_unknown)

    def ids(self, source: Any) -> Any:
        """Return the target id of each source position, (B, S) int32, or `NOWHERE`."""
        within = tf.less(source, self.source_size)
        found = tf.gather(tf.constant(self.table), tf.where(within, source, 0))
        if self.source_unknown is None or self.target_unknown is None:
            return found
        return tf.where(within, found, source - self.source_size + self.target_size)


@dataclass(frozen=True)
class Columns:
    """The extended vocabulary of N sources: V columns of the vocabulary, then one for each other token.

    Args:
        size: Number of classes of the vocabulary, V.
        ids: Target id of each source position, (N, S) int32, or `NOWHERE`.
        column: Its column, (N, S) int32, from 0 to V + S - 1; 0 if it cannot be copied.
        others: Target id of each column from V on, (N, S) int32; 0 where there is none.
    """

    size: int
    ids: Any
    column: Any
    others: Any

    @classmethod
    def of(cls, ids: Any, size: int) -> Columns:
        """Return the extended vocabulary of sources, whose order depends on the ids alone."""
        order = tf.argsort(ids, axis=1, stable=True)
        ordered = tf.gather(ids, order, batch_dims=1)
        differs = tf.cast(tf.not_equal(ordered[:, 1:], ordered[:, :-1]), tf.int32)
        rank = tf.pad(tf.cumsum(differs, axis=1), [[0, 0], [1, 0]])
        row = tf.range(tf.shape(ids)[0])[:, None]
        places = tf.stack([tf.broadcast_to(row, tf.shape(ids)), rank], axis=-1)
        others = tf.tensor_scatter_nd_max(tf.zeros_like(ids), places, tf.where(ordered < size, 0, ordered))
        rank = tf.gather(rank, tf.argsort(order, axis=1), batch_dims=1)
        column = tf.where(ids < size, tf.maximum(ids, 0), size + rank)
        return cls(size, ids, column, others)

    def log_probabilities(self, logits: Any, gate: Any, weights: Any) -> Any:
        """Return log P of every column at one step, (N, V + S) float32.

        Args:
            logits, gate, weights: See `Mixture.of`; T is 1.
        """
        mixture = Mixture.of(logits, gate, weights, self.ids)
        rows, others = tf.shape(self.ids)[0], tf.shape(self.ids)[1]
        width = self.size + others
        flat = tf.range(rows)[:, None] * width + self.column
        total = tf.math.unsorted_segment_sum(
            tf.reshape(mixture.copied[:, 0], [-1]), tf.reshape(flat, [-1]), rows * width
        )
        generated = mixture.log_generate + mixture.log_vocabulary[:, 0]
        generated = tf.pad(generated, [[0, 0], [0, others]], constant_values=IMPOSSIBLE)
        return _logaddexp(generated, _log(tf.reshape(total, [rows, width])))

    def widened(self, excluded: Any) -> Any:
        """Return which columns are excluded, (V + S,) bool, from which ids of the vocabulary are, (V,)."""
        return tf.pad(excluded, [[0, tf.shape(self.ids)[1]]])

    def repeated(self, times: int) -> Columns:
        """Return the columns of every source `times` times, next to each other."""
        repeat = [tf.repeat(x, times, axis=0) for x in (self.ids, self.column, self.others)]
        return Columns(self.size, *repeat)

    def target_ids(self, found: Any) -> Any:
        """Return the target ids of columns, (N, K, T) int32."""
        place = tf.maximum(found - self.size, 0)
        return tf.where(found < self.size, found, tf.gather(self.others, place, batch_dims=1))

    def columns_of(self, target: Any, unknown: int | None) -> Any:
        """Return the columns of target ids, (N, T) int32; tokens that a source lacks are unknown."""
        if unknown is None:
            return target
        same = tf.equal(target[:, :, None], self.others[:, None])
        place = self.size + tf.argmax(same, axis=-1, output_type=tf.int32)
        beyond = tf.where(tf.reduce_any(same, axis=-1), place, unknown)
        return tf.where(target < self.size, target, beyond)


def _known(ids: Any, size: int, unknown: int | None) -> Any:
    return ids if unknown is None else tf.where(ids < size, ids, unknown)


def _log(x: Any) -> Any:
    """Return the logarithm, `IMPOSSIBLE` for 0, with finite gradients."""
    positive = x > 0
    return tf.where(positive, tf.math.log(tf.where(positive, x, 1.0)), IMPOSSIBLE)


def _floored_log(x: Any) -> Any:
    """Return the logarithm of at least `LEAST`."""
    return tf.math.log(tf.maximum(x, LEAST))


def _logaddexp(a: Any, b: Any) -> Any:
    """Return log(e^a + e^b)."""
    high = tf.stop_gradient(tf.maximum(a, b))
    return high + tf.math.log(tf.exp(a - high) + tf.exp(b - high))
