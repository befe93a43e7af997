"""Beam search: the best hypotheses among those kept at every step."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from job.decoding.coverage import Coverage
from job.decoding.step import Step, class_count, gather_states, repeat_states

IMPOSSIBLE = -1e30
"""Replaces a log-probability of minus infinity; sums and quotients of it are never NaN."""


class _Beam(NamedTuple):
    """The loop variables of beam search, for N rows with K hypotheses each."""

    t: Any
    """Number of steps taken, a scalar int32."""
    symbols: Any
    """Last symbol of each hypothesis, (N, K) int32."""
    ended: Any
    """Whether each hypothesis is finished, (N, K) bool."""
    lengths: Any
    """Number of symbols of each hypothesis, the end id included, (N, K) int32."""
    totals: Any
    """Log-probability of each hypothesis, (N, K) float32."""
    seen: Any
    """Attention that each hypothesis has paid to each source position, (N, K, S) float32; without a coverage
    penalty S is 0."""
    out: Any
    """Symbols of each hypothesis, (N, K, max_length) int32, 0 after the end."""
    states: Any
    """States of the step function, a nest of tensors whose first axis has length N * K."""


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
    coverage: Coverage | None = None,
) -> tuple[Any, Any]:
    """Decode a batch by beam search, until every hypothesis has ended.

    Call it inside a `tf.function`. A finished hypothesis stays in the beam until better ones replace it, so a
    beam of width 1 is greedy search. Scores follow Wu et al. 2016 (GNMT), equation 14:
    log P(Y|X) / ((5 + |Y|) / 6) ** length_penalty + coverage, where |Y| includes the end symbol.

    Args:
        step: Step function of the model; see `job.decoding.step.Step`. It is called with N * width rows, the
            hypotheses of a row next to each other.
        states: States before the first symbol, a nest of tensors whose first axis has length N.
        limits: Maximum number of symbols of each row, (N,) int32, at most `max_length`.
        start: Id of the first input symbol.
        end: Id that ends a hypothesis; None to decode each row to its limit.
        max_length: Number of columns of the result.
        width: Number of hypotheses K that are kept for each row.
        length_penalty: Exponent alpha of the length penalty; 0 ranks by log-probability alone.
        coverage: The coverage penalty; None for none.

    Returns:
        The symbols of the hypotheses, (N, K, max_length) int32 with 0 after the end, and their scores, (N, K)
        float32; best first.
    """
    rows = tf.shape(limits)[0] if limits.shape[0] is None else limits.shape[0]

    def body(*variables: Any) -> _Beam:
        beam = _Beam(*variables)
        logits, flat = step(tf.reshape(beam.symbols, [-1]), beam.states)
        likeliest = _likeliest(logits, beam, rows)
        if coverage is not None:
            attended = tf.reshape(coverage.attended(flat), [rows, width, -1])
            beam = beam._replace(seen=beam.seen + tf.where(beam.ended[:, :, None], 0.0, attended))
        parent, grown = _select(beam, rows, likeliest, length_penalty, coverage)
        out = tf.ensure_shape(grown.out, [limits.shape[0], width, max_length])
        ended = grown.ended
        if end is not None:
            ended = ended | tf.equal(grown.symbols, end)
        ended = ended | (grown.lengths >= limits[:, None])
        flat = gather_states(flat, tf.reshape(tf.range(rows)[:, None] * width + parent, [-1]))
        return grown._replace(t=beam.t + 1, ended=ended, out=out, states=flat)

    def unfinished(t: Any, symbols: Any, ended: Any, *_: Any) -> Any:
        return (t < max_length) & ~tf.reduce_all(ended)

    begin = _first_beam(states, rows, start, max_length, width, coverage)
    result = tf.while_loop(unfinished, body, begin)
    return result.out, result.totals / _penalty(result.lengths, length_penalty) + _covered(result, coverage)


def _first_beam(
    states: Any, rows: Any, start: int, max_length: int, width: int, coverage: Coverage | None
) -> _Beam:
    """Return the loop variables before the first step."""
    # The hypotheses of a row are equal before the first step: only the first may grow, or the beam would hold
    # the same hypothesis several times.
    first_only = tf.where(tf.range(width) == 0, 0.0, IMPOSSIBLE)
    return _Beam(
        t=tf.constant(0),
        symbols=tf.fill([rows, width], tf.constant(start, tf.int32)),
        ended=tf.zeros([rows, width], tf.bool),
        lengths=tf.zeros([rows, width], tf.int32),
        totals=tf.tile(first_only[None], [rows, 1]),
        seen=tf.zeros([rows, width, 0 if coverage is None else tf.shape(coverage.mask)[1]]),
        out=tf.zeros([rows, width, max_length], tf.int32),
        states=repeat_states(states, width),
    )


class _Likeliest(NamedTuple):
    """The symbols that may follow each hypothesis: no other can be among the best K of its row.

    C is K, or the number of classes if that is smaller.
    """

    symbols: Any
    """Ids, likeliest first, (N, K, C) int32."""
    logs: Any
    """Their log-probabilities, (N, K, C) float32."""


def _likeliest(logits: Any, beam: _Beam, rows: Any) -> _Likeliest:
    """Return the likeliest next symbols of each hypothesis.

    A finished hypothesis is extended by symbol 0 alone, which leaves its log-probability unchanged. Only the
    chosen logits are normalized: with thousands of classes, passes over the log-probabilities of all symbols
    cost more than the model's step.

    Args:
        logits: Of the next symbol of each hypothesis, (N * K, V) float32.
        beam: The loop variables before the step.
        rows: Number of rows N.
    """
    width, size = beam.symbols.shape[1], class_count(logits)
    count = min(width, size) if isinstance(size, int) else tf.minimum(width, size)
    chosen, symbols = tf.math.top_k(logits, count)
    greatest = chosen[:, :1]  # subtracted before the sum's logarithm, so that log P near 0 keeps its digits
    logs = chosen - greatest - tf.math.log(tf.reduce_sum(tf.exp(logits - greatest), axis=1, keepdims=True))
    stays = tf.where(tf.range(count) == 0, 0.0, IMPOSSIBLE)
    ended = beam.ended[:, :, None]
    return _Likeliest(
        symbols=tf.where(ended, 0, tf.reshape(symbols, [rows, width, count])),
        logs=tf.where(ended, stays, tf.reshape(logs, [rows, width, count])),
    )


def _select(
    beam: _Beam, rows: Any, likeliest: _Likeliest, length_penalty: float, coverage: Coverage | None
) -> tuple[Any, _Beam]:
    """Keep the best K of each row, of all hypotheses and the symbols that may follow.

    Args:
        beam: The loop variables before the step, but for the attention of the step.
        rows: Number of rows N, an int where it is known when the search is compiled, else a scalar tensor.
        likeliest: The next symbols.
        length_penalty: Exponent alpha of the length penalty.
        coverage: The coverage penalty, if any.

    Returns:
        The index of the hypothesis that each selected one extends, (N, K) int32, and the loop variables with
        the selected hypotheses; `t`, `ended` and `states` do not contain the new step yet.
    """
    width, count = likeliest.logs.shape[1], class_count(likeliest.logs)
    grown = beam.totals[:, :, None] + likeliest.logs
    lengths_grown = beam.lengths + tf.cast(~beam.ended, tf.int32)
    ranked = grown / _penalty(lengths_grown, length_penalty)[:, :, None]
    if coverage is not None:
        ranked += _covered(beam, coverage)[:, :, None]
    _, best = tf.math.top_k(tf.reshape(ranked, [rows, width * count]), width)
    parent = best // count
    totals, symbols = (
        tf.gather(tf.reshape(x, [rows, width * count]), best, batch_dims=1)
        for x in (grown, likeliest.symbols)
    )
    lengths, ended, seen, out = (
        tf.gather(x, parent, batch_dims=1) for x in (lengths_grown, beam.ended, beam.seen, beam.out)
    )
    out = tf.concat([out[:, :, : beam.t], symbols[:, :, None], out[:, :, beam.t + 1 :]], axis=2)
    return parent, beam._replace(
        symbols=symbols, ended=ended, lengths=lengths, totals=totals, seen=seen, out=out
    )


def _covered(beam: _Beam, coverage: Coverage | None) -> Any:
    """Return the coverage penalty of each hypothesis, (N, K) float32; 0 without one."""
    return 0.0 if coverage is None else coverage.penalty(beam.seen)


def _penalty(lengths: Any, alpha: float) -> Any:
    """Return the length penalty of hypotheses; see `beam_search`."""
    return tf.pow((5.0 + tf.cast(lengths, tf.float32)) / 6.0, alpha)
