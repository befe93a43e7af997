"""The training objective of a pointer-generator: -log of the mixture, see `job.models.pointer`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import keras
import tensorflow as tf

from job.inference.copying import copying_between
from job.models.pointer import GATE, Mixture
from job.problems.base import Problem, TokenProblem
from job.training.objectives import Objective, objective, token_sums


def objective_of(model: keras.Model, problem: Problem, label_smoothing: float = 0.0) -> Objective:
    """Return the objective for a problem's kind of targets and a model, which may have a pointer."""
    of_problem = objective(problem, label_smoothing)
    if GATE not in model.output_names:
        return of_problem
    return copies(of_problem, cast(TokenProblem, problem), label_smoothing)


def copies(of_tokens: Objective, problem: TokenProblem, label_smoothing: float = 0.0) -> Objective:
    """Return the objective of a model with outputs logits, gate and attention weights.

    Label smoothing spreads its share over the ids of the target vocabulary, like that of `masked_loss`.

    Args:
        of_tokens: the objective of the same problem without copies.
        problem: the source of the batches.
        label_smoothing: see `masked_loss`.
    """
    copying = copying_between(problem.source_vocabulary, problem.target_vocabulary)

    def outputs(model: keras.Model, source: Any, given: Any, training: bool) -> Mixture:
        known = [copying.known_source(source), copying.known_target(given)]
        logits, gate, weights = model(known, training=training)
        return Mixture.of(logits, gate, weights, copying.ids(source))

    return replace(
        of_tokens,
        sums=lambda mixture, target: mixture_loss(mixture, target, copying.target_unknown),
        predictions=lambda mixture: mixture.best(),
        smoothed=lambda mixture, target: mixture_loss(
            mixture, target, copying.target_unknown, label_smoothing
        ),
        outputs=outputs,
    )


def mixture_loss(
    mixture: Mixture, target: Any, unknown: int | None = None, label_smoothing: float = 0.0
) -> dict[str, Any]:
    """Return -log P(target) and correct predictions, summed over a batch.

    Args:
        mixture: the probabilities of the batch.
        target: (B, T) int32; positions with 0 (padding) do not count. A token that is neither in the
            vocabulary nor in the source is unknown.
        unknown: id of the unknown token, which is never correct; None if the vocabulary has none.
        label_smoothing: share of the target distribution that is uniform over the V ids of the vocabulary.

    Returns:
        float32 scalars, see `masked_loss`.
    """
    if unknown is not None:
        target = mixture.reachable(target, unknown)
    losses = -mixture.log_probability(target)
    if label_smoothing:
        losses -= label_smoothing * (losses + mixture.mean_log_probability())
    right = tf.equal(mixture.best(), target)
    if unknown is not None:
        right &= tf.not_equal(target, unknown)
    return token_sums(losses, right, target)
