"""Beam search: the likeliest symbol sequences among a few kept at every step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from job.decoding.step import Step, gather_states, repeat_states

IMPOSSIBLE = -1e30
"""Stands for a log-probability of minus infinity, and can be added to and divided without becoming NaN."""


def beam_search(
    step: Step,
    states: Any,
    *,
    limits: Any,
    start: int,
    end: int | None,
    max_length: int,
    width: int,
    length_penalty: float,
) -> tuple[Any, Any]:
    """Decode a whole batch; stops when every hypothesis has ended. Meant to be called in a `tf.function`.

    A hypothesis that ends keeps its place in the beam until better ones drive it out, so that a beam of
    width 1 is greedy search. Scores are those of Wu et al. 2016 (GNMT), equation 14, without coverage:
    log P(Y|X) / ((5 + |Y|) / 6) ** length_penalty, |Y| counting the end symbol.

    Args:
        step: see `Step`; it is called with N * width rows, a row's hypotheses side by side.
        states: before the first symbol, a nest of tensors whose first axis is N.
        limits: (N,) int32, most symbols of each row, at most `max_length`.
        start: id fed first.
        end: id that ends a hypothesis; None to decode each row to its limit.
        max_length: columns of the result.
        width: K, hypotheses kept.
        length_penalty: alpha; 0 ranks by log-probability alone.

    Returns:
        symbols (N, K, max_length) int32, 0 after the end; scores (N, K) float32, best first.
    """
    rows = tf.shape(limits)[0] if limits.shape[0] is None else limits.shape[0]

    # Shapes: symbols (N, K), the last of each hypothesis; ended (N, K); lengths (N, K), in symbols;
    # totals (N, K), log-probabilities; out (N, K, max_length); states flat, first axis N * K.
    def body(t: Any, symbols: Any, ended: Any, lengths: Any, totals: Any, out: Any, flat: Any) -> Any:
        logits, flat = step(tf.reshape(symbols, [-1]), flat)
        size = logits.shape[-1]
        logs = tf.reshape(tf.nn.log_softmax(logits), [rows, width, size])
        grown = _expand(logs, totals, ended)
        lengths_grown = lengths + tf.cast(~ended, tf.int32)
        ranked = grown / _penalty(lengths_grown, length_penalty)[:, :, None]
        _, best = tf.math.top_k(tf.reshape(ranked, [rows, width * size]), width)
        parent, symbols = best // size, best % size
        totals = tf.gather(tf.reshape(grown, [rows, -1]), best, batch_dims=1)
        lengths, ended, out = (tf.gather(x, parent, batch_dims=1) for x in (lengths_grown, ended, out))
        symbols = tf.where(ended, 0, symbols)
        out = tf.concat([out[:, :, :t], symbols[:, :, None], out[:, :, t + 1 :]], axis=2)
        out = tf.ensure_shape(out, [limits.shape[0], width, max_length])
        if end is not None:
            ended = ended | tf.equal(symbols, end)
        ended = ended | (lengths >= limits[:, None])
        flat = gather_states(flat, tf.reshape(tf.range(rows)[:, None] * width + parent, [-1]))
        return t + 1, symbols, ended, lengths, totals, out, flat

    first_only = tf.where(tf.range(width) == 0, 0.0, IMPOSSIBLE)  # the others would be copies of it
    begin = (
        tf.constant(0),
        tf.fill([rows, width], tf.constant(start, tf.int32)),
        tf.zeros([rows, width], tf.bool),
        tf.zeros([rows, width], tf.int32),
        tf.tile(first_only[None], [rows, 1]),
        tf.zeros([rows, width, max_length], tf.int32),
        repeat_states(states, width),
    )
    result = tf.while_loop(lambda t, s, ended, *_: (t < max_length) & ~tf.reduce_all(ended), body, begin)
    lengths, totals, out = result[3:6]
    return out, totals / _penalty(lengths, length_penalty)


def _penalty(lengths: Any, alpha: float) -> Any:
    return tf.pow((5.0 + tf.cast(lengths, tf.float32)) / 6.0, alpha)


def _expand(logs: Any, totals: Any, ended: Any) -> Any:
    """Return the log-probability of every hypothesis grown by every symbol, (N, K, V).

    One that has ended grows by symbol 0 alone, at no cost.
    """
    stays = tf.where(tf.range(logs.shape[-1]) == 0, 0.0, IMPOSSIBLE)
    return totals[:, :, None] + tf.where(ended[:, :, None], stays, logs)
