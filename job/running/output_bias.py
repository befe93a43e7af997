"""Start a model's output with the frequencies of the target tokens (`model.output_bias: frequencies`).

With a vocabulary of thousands of tokens and a bias of zero, a model first learns how frequent each token is.
Through layers that end with tanh, such as Luong's attentional layer, it learns this by saturating them, and
then it learns nothing else for a long time.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from job.errors import no_implementation
from job.problems.base import Problem, TokenProblem
from job.problems.vocabulary import PAD
from job.running.model_cache import CompiledModel
from job.spec.schema import JobSpec

MAX_EXAMPLES = 20_000
"""Number of training examples whose tokens are counted."""

_BATCH = 256


def start_with_frequencies(job: JobSpec, problem: Problem, compiled: CompiledModel) -> None:
    """Set the output bias to the logarithms of the tokens' frequencies, if the spec asks for it.

    Args:
        job: the job.
        problem: the source of its examples.
        compiled: its model, with initial weights.
    """
    match job.model.output_bias:
        case "zero":
            return
        case "frequencies":
            weights = compiled.loop.model.weights
            (bias,) = (variable for variable in weights if variable.path.endswith("logits/bias"))
            bias.assign(log_frequencies(cast(TokenProblem, problem), job))
        case unknown:
            no_implementation("model.output_bias", unknown)


def log_frequencies(problem: TokenProblem, job: JobSpec) -> NDArray[np.float32]:
    """Return the logarithm of each target token's frequency in the first training examples, (V,) float32.

    Every token counts once more than it occurs, also those that do not occur; padding counts half.
    """
    size = len(problem.target_vocabulary)
    examples = problem.examples_per_epoch(job.training.examples)
    counts = np.ones(size)
    for index in range(-(-min(examples, MAX_EXAMPLES) // _BATCH)):
        target = problem.batch(0, index, _BATCH, examples)[1]
        counts += np.bincount(target[target < size].ravel(), minlength=size)
    counts[PAD] = 0.5 if not problem.fixed_length else counts[PAD]
    logarithms: NDArray[np.float32] = np.log(counts / counts.sum()).astype(np.float32)
    return logarithms
