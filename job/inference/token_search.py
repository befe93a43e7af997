"""The compiled search of a token model: greedy or beam search, or samples, over the steps of its decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from job.decoding.beam import IMPOSSIBLE, beam_search
from job.decoding.coverage import Coverage
from job.decoding.ensemble import ensemble_step
from job.decoding.forced import forced
from job.decoding.greedy import greedy
from job.decoding.sampling import random_keys, sample
from job.decoding.step import Step
from job.inference.model_facts import ModelFacts
from job.inference.model_pair import ModelPair, listed
from job.models.pointer import Columns
from job.problems.vocabulary import PAD, Vocabulary
from job.spec.evaluation_section import Decoder

SearchFunction = Callable[[Any], tuple[Any, Any]]
"""Sources (n, S) int32 -> hypotheses (n, K, T) int32, 0 after the end of each, and their scores (n, K)."""


ScoreFunction = Callable[[Any, Any], tuple[Any, Any]]
"""Sources (n, S) and targets (n, T) int32 -> the log-probability of each target (n,), and the attention
weights of each of its symbols (n, T, S)."""


def compile_search(models: Sequence[ModelPair], facts: ModelFacts, *, scored: bool = False) -> SearchFunction:
    """Return the compiled search of a model, with the decoder and the options of `facts.search`.

    Greedy search returns one hypothesis, sampling one with its log-probability. Several models decode
    together: the probability of a symbol is the mean of theirs.

    Args:
        models: One model, or the models of an ensemble.
        facts: Vocabularies, lengths and options.
        scored: Whether greedy search computes the log-probability of its hypothesis too; else it is NaN. The
            hypothesis is the same. Such a search is traced at once, so that threads can share it.
    """
    searches: dict[Decoder, Callable[..., tuple[Any, Any]]]
    searches = {"greedy": partial(_greedy, scored), "beam": _beam, "sample": _sample}
    search = searches[facts.search.decoder]
    halved = _in_parallel_halves(partial(_with_target_ids, search, models, facts))
    compiled: Any = tf.function(halved, [tf.TensorSpec([None, None], tf.int32)], autograph=False)
    function: SearchFunction = compiled.get_concrete_function() if scored else compiled
    return function


def compile_scores(models: Sequence[ModelPair], facts: ModelFacts, *, attention: bool) -> ScoreFunction:
    """Return the compiled and traced teacher forcing of a model; see `job.decoding.forced`.

    Args:
        models: One model, or the models of an ensemble.
        facts: Vocabularies and lengths.
        attention: Whether to return attention weights, which the models must have; else their S is 0.
    """
    attended = _mean_attention if len(models) > 1 else (lambda states: states[-1])

    def scores(source: Any, target: Any) -> tuple[Any, Any]:
        step, states = _step_function(models, facts, source, 1, attention=attention)
        if models[0].copies:
            target = Columns.of(facts.copying.ids(source), len(facts.target)).columns_of(
                target, facts.target.unknown
            )
        return forced(
            step,
            states,
            targets=target,
            start=facts.target.start,
            attended=attended if attention else None,
        )

    signature = [tf.TensorSpec([None, None], tf.int32)] * 2
    compiled: Any = tf.function(_in_parallel_halves(scores), signature, autograph=False)
    function: ScoreFunction = compiled.get_concrete_function()
    return function


def _with_target_ids(
    search: Callable[..., tuple[Any, Any]], models: Sequence[ModelPair], facts: ModelFacts, source: Any
) -> tuple[Any, Any]:
    """Search; return target ids, also for tokens that are copied from the source."""
    ids, scores = search(models, facts, source)
    if models[0].copies:
        ids = Columns.of(facts.copying.ids(source), len(facts.target)).target_ids(ids)
    return ids, scores


def greedy_search(model: ModelPair, facts: ModelFacts, source: Any) -> tuple[Any, Any]:
    """Decode sources by greedy search, whatever `facts.search.decoder` is; call it inside a `tf.function`.

    Returns:
        Target ids (n, T) int32, 0 after the end of each, and their log-probabilities, (n,) float32.
    """
    ids, scores = _with_target_ids(partial(_greedy, True), [model], facts, source)
    return ids[:, 0], scores[:, 0]


def _greedy(scored: bool, models: Sequence[ModelPair], facts: ModelFacts, source: Any) -> tuple[Any, Any]:
    step, states = _step_function(models, facts, source, 1)
    found, scores = greedy(
        step,
        states,
        rows=tf.shape(source)[0],
        start=facts.target.start,
        end=facts.target.end,
        max_length=facts.columns,
        limits=_limits(facts, source),
        scored=scored,
    )
    return found[:, None], scores[:, None]


def _beam(models: Sequence[ModelPair], facts: ModelFacts, source: Any) -> tuple[Any, Any]:
    search, coverage = facts.search, None
    covers = search.coverage_penalty > 0
    step, states = _step_function(models, facts, source, search.beam_width, attention=covers)
    if covers:
        mask = tf.ones_like(source, tf.bool) if facts.fixed_length else tf.not_equal(source, PAD)
        attended = _mean_attention if len(models) > 1 else (lambda states: states[-1])
        coverage = Coverage(beta=search.coverage_penalty, attended=attended, mask=mask)
    return beam_search(
        step,
        states,
        limits=_limits(facts, source),
        start=facts.target.start,
        end=facts.target.end,
        max_length=facts.columns,
        width=search.beam_width,
        length_penalty=search.length_penalty,
        coverage=coverage,
    )


def _sample(models: Sequence[ModelPair], facts: ModelFacts, source: Any) -> tuple[Any, Any]:
    search = facts.search
    step, states = _step_function(models, facts, source, 1)
    ids, scores = sample(
        step,
        states,
        keys=random_keys(source, search.sample_seed),
        start=facts.target.start,
        end=facts.target.end,
        max_length=facts.columns,
        limits=_limits(facts, source),
        temperature=search.temperature,
        top_k=search.top_k,
        top_p=search.top_p,
    )
    return ids[:, None], scores[:, None]


def _limits(facts: ModelFacts, source: Any) -> Any:
    """Return the maximum number of symbols of each row, (n,) int32."""
    maximum = tf.fill([tf.shape(source)[0]], facts.columns)
    factor = facts.search.max_length_factor
    if factor is None or facts.fixed_length:
        return maximum
    lengths = tf.reduce_sum(tf.cast(tf.not_equal(source, PAD), tf.float32), axis=1)
    return tf.minimum(maximum, tf.cast(tf.math.ceil(lengths * factor), tf.int32))


def _step_function(
    models: Sequence[ModelPair], facts: ModelFacts, source: Any, width: int, *, attention: bool = False
) -> tuple[Step, Any]:
    """Encode sources; return a step function for `width` rows of each source, and its states.

    With a pointer the step function returns log-probabilities of the columns of `Columns`.

    Args:
        models: One model, or the models of an ensemble.
        facts: Facts of the models.
        source: Sources, (n, S) int32.
        width: Number of hypotheses for each source.
        attention: Whether the last state of a model is its attention weights in the last step, (N, S).
    """
    began = [_step_of_model(model, facts, source, width, attention=attention) for model in models]
    if len(began) == 1:
        return began[0]
    return ensemble_step([step for step, _ in began]), tuple(states for _, states in began)


def _mean_attention(states: Any) -> Any:
    """Return the mean of the attention weights of the models of an ensemble."""
    return tf.reduce_mean(tf.stack([own[-1] for own in states]), axis=0)


def _step_of_model(
    model: ModelPair, facts: ModelFacts, source: Any, width: int, *, attention: bool
) -> tuple[Step, Any]:
    copying = facts.copying if model.copies else None
    states, memory = model.begin(source if copying is None else copying.known_source(source), width)
    count, target = len(states), facts.target
    columns = None if copying is None else Columns.of(copying.ids(source), len(target)).repeated(width)

    def step(symbols: Any, states: Any) -> tuple[Any, Any]:
        known = symbols if copying is None else copying.known_target(symbols)
        given = [known[:, None], *states[:count], *memory]
        logits, *rest = listed(model.decoder(given, training=False))
        after = (*rest[:count], *(weights[:, 0] for weights in rest[count : len(states)]))
        return symbol_scores(target, logits, rest[count:], columns), after

    return step, (*states, tf.zeros_like(source, tf.float32)) if attention else states


def symbol_scores(target: Vocabulary, logits: Any, attended: Sequence[Any], columns: Columns | None) -> Any:
    """Return what a search compares at a step: (N, V) logits, or log-probabilities of `columns`.

    Padding and the start have `IMPOSSIBLE`: targets do not contain them. As text shows neither, an n-best
    list could repeat a text.

    Args:
        target: The target vocabulary.
        logits: Output of the decoder, (N, 1, V).
        attended: Its outputs after the states: attention weights and gate; used only with `columns`.
        columns: The columns of a model with a pointer, else None.
    """
    excluded = tf.constant([i in (PAD, target.start) for i in range(len(target))])
    if columns is None:
        return tf.where(excluded, IMPOSSIBLE, logits[:, 0])
    logs = columns.log_probabilities(logits, gate=attended[1], weights=attended[0])
    return tf.where(columns.widened(excluded), IMPOSSIBLE, logs)


def _in_parallel_halves(search: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """Run a search on two halves of the rows in parallel on a CPU; on a GPU return it unchanged.

    The small operations of a decoding loop run one after another and would use only one thread. The number
    of threads does not affect the results.
    """
    if tf.config.list_physical_devices("GPU"):
        return search
    traced = tf.function(search, autograph=False)  # traced once, for both halves

    def halves(*inputs: Any) -> tuple[Any, Any]:
        middle = tf.shape(inputs[0])[0] // 2
        found = [traced(*half) for half in ([x[:middle] for x in inputs], [x[middle:] for x in inputs])]
        ids, scores = (tf.concat(side, axis=0) for side in zip(*found, strict=True))
        return ids, scores

    return halves
