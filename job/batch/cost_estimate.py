"""Estimate how long each job takes, from its spec and its data; shards are dealt by it (`balanced_shards`).

The estimate depends on the spec and the data alone, so that every shard, on any machine, computes the same.
It is made for comparing the jobs of a batch: on another machine all of them take longer or shorter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from job.models.parameter_count import count_parameters
from job.problems.base import Problem, widths
from job.problems.training_batches import training_batches
from job.spec.schema import JobSpec

JOB_SECONDS = 2.0
"""Seconds of a job that do not depend on its size: compilation, and writing its files."""

FLOPS = 8e10
"""Floating-point operations per second of a training step, as measured on two cores."""

POSITION_SECONDS = 1e-4
"""Seconds per training step, layer and position of a sequence, however small the model is."""

SLOW_FACTOR = 2.0
"""How much longer recurrent layers take that the fast kernels cannot compute (with `recurrent_dropout`)."""

SAMPLED_BATCHES = 8
"""Number of batches whose lengths are read, evenly spaced over an epoch."""

_SAMPLE_SIZE = 64


def estimate_costs(jobs: Iterable[JobSpec], problems: Mapping[str, Problem]) -> dict[str, float]:
    """Return the estimated seconds of each job, by name.

    Args:
        jobs: the jobs.
        problems: by job name; jobs often share one.
    """
    lengths: dict[tuple[int, object], tuple[float, float]] = {}
    costs = {}
    for job in jobs:
        problem = problems[job.name]
        key = (id(problem), job.training.examples)
        if key not in lengths:
            lengths[key] = _mean_lengths(job, problem)
        costs[job.name] = estimate_seconds(job, problem, lengths[key])
    return costs


def batch_costs(costs: Mapping[str, float], firsts: Mapping[str, str]) -> dict[str, float]:
    """Return the estimated seconds of each job of a batch in which equal trainings are done once.

    Args:
        costs: estimated seconds of each job alone, by name.
        firsts: by job name the one that is trained, see `equal_trainings.first_alike`; the others are only
            evaluated.
    """
    return {
        name: seconds if firsts.get(name, name) == name else evaluation_seconds(seconds)
        for name, seconds in costs.items()
    }


def evaluation_seconds(seconds: float) -> float:
    """Return the estimated seconds of a job that is only evaluated: a small part of a training.

    Args:
        seconds: the estimate with its training.
    """
    return min(seconds, JOB_SECONDS)


def estimate_seconds(job: JobSpec, problem: Problem, lengths: tuple[float, float]) -> float:
    """Return the estimated seconds of a job on two cores, rounded to milliseconds.

    Args:
        job: the resolved spec.
        problem: its data.
        lengths: mean number of positions of a source and of a target.
    """
    training, evaluation = job.training, job.evaluation
    source, target = lengths
    examples = problem.examples_per_epoch(training.examples)
    forward = _forward_operations(job, problem, source, target)
    width = evaluation.beam_width if evaluation.decoder == "beam" else 1
    validated = training.epochs * evaluation.validation_examples
    decoded = width * (evaluation.examples * (1 + len(evaluation.also)) + evaluation.validation_examples)
    operations = forward * (3 * training.epochs * examples + validated + decoded)
    if training.tokens_per_batch is None:
        batches = -(-examples // training.batch_size)
    else:
        batches = training_batches(problem, training).steps * training.accumulate
    steps = training.epochs * batches
    seconds = operations / FLOPS + steps * job.model.layers * (source + target) * POSITION_SECONDS
    slow = SLOW_FACTOR if job.model.recurrent_dropout else 1.0
    return round(JOB_SECONDS + slow * seconds, 3)


def _forward_operations(job: JobSpec, problem: Problem, source: float, target: float) -> float:
    """Return the floating-point operations of one example's forward pass.

    Looking up an embedding, or a row for a one-hot vector, takes next to none. For a plugin each of its
    weights counts once for each position, if its package counts them.
    """
    numbers = problem.target_kind == "numbers"
    if job.model.architecture == "plugin":
        weights = count_parameters(job.model, *widths(problem), numbers=numbers) or 0
        return weights * (source + target)
    inner = count_parameters(job.model, 0, 0, numbers=numbers) or 0  # half in each of encoder and decoder
    output: float = job.model.units * widths(problem)[1]
    if job.model.attention == "monotonic":
        output *= source  # symbols are emitted from each position
    return 2 * (inner / 2 * (source + target) + output * target)


def _mean_lengths(job: JobSpec, problem: Problem) -> tuple[float, float]:
    """Return the mean number of positions of sources and targets, padding included.

    A problem from a package may do anything; an estimate must not fail a run.
    """
    try:
        examples = problem.examples_per_epoch(job.training.examples)
        size = min(_SAMPLE_SIZE, job.training.batch_size, examples)
        batches = -(-examples // size)
        chosen = sorted({i * batches // SAMPLED_BATCHES for i in range(SAMPLED_BATCHES)})
        shapes = [[side.shape[1] for side in problem.batch(0, i, size, examples)] for i in chosen]
        sources, targets = zip(*shapes, strict=True)
        longer = 1 + job.training.joined_pairs
        return longer * sum(sources) / len(sources), longer * sum(targets) / len(targets)
    except Exception:
        longest = float(problem.max_target_length)
        return longest, longest
