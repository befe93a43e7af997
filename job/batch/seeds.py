"""The runs of a job with `seeds` -> what they come to together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from job import gates
from job.results import FINISHED, GateOutcome, JobResult, MetricOverSeeds, SeedsSummary
from job.spec.metrics import METRICS
from job.spec.schema import GateSpec
from job.spec.seeds import run_name
from job.statistics import MOST_SEEDS, Mean, mean_interval, seeds_to_settle


def families(results: Sequence[JobResult], planned: Sequence[str]) -> dict[str, list[str]]:
    """Return the jobs that have seeds, and the names of all their runs in the plan's order.

    Args:
        results: which say that they are such runs.
        planned: names of all jobs.
    """
    runs = {result.name: result.seed for result in results if result.spec.get("seeds")}
    names = dict.fromkeys(name.removesuffix(run_name("", seed)) for name, seed in runs.items())
    return {name: [run for run in planned if _is_run(run, name)] for name in names}


def _is_run(run: str, name: str) -> bool:
    seed = run.removeprefix(run_name(name, 0)[:-1])
    return seed != run and seed.isdecimal()


def summarize(results: Sequence[JobResult], runs: Mapping[str, Sequence[str]]) -> tuple[SeedsSummary, ...]:
    """Put the runs of each job with seeds together; a job of whose runs none is finished has no summary.

    Args:
        results: of a batch.
        runs: by job, the names of all its runs.
    """
    finished = {result.name: result for result in results if result.status in FINISHED}
    return tuple(
        _summary(name, names, finished) for name, names in runs.items() if finished.keys() & set(names)
    )


def _summary(name: str, names: Sequence[str], finished: Mapping[str, JobResult]) -> SeedsSummary:
    found = [finished[run] for run in names if run in finished]
    gate = GateSpec.model_validate(found[0].spec.get("gate", {}))
    absent = tuple(run for run in names if run not in finished)
    measured = [{**run.timings, **run.metrics} for run in found]
    on_mean = gate.seeds == "mean" and not absent
    return SeedsSummary(
        name=name,
        seeds=tuple(int(run.removeprefix(f"{name}-seed-")) for run in names),
        jobs=tuple(names),
        absent=absent,
        gate_on=gate.seeds,
        metrics=tuple(_metrics(names, finished)),
        gates=tuple(_judge(gate.thresholds(), measured)) if on_mean else (),
    )


def _metrics(names: Sequence[str], finished: Mapping[str, JobResult]) -> Iterator[MetricOverSeeds]:
    results: list[dict[str, Any]] = [finished[run].metrics if run in finished else {} for run in names]
    for metric in dict.fromkeys([*METRICS, *(name for result in results for name in result)]):
        values = [result.get(metric) for result in results]
        there = [value for value in values if value is not None]
        if there:
            yield MetricOverSeeds(metric, tuple(values), **vars(mean_interval(there)))


def _judge(bars: Mapping[str, float], measured: Sequence[Mapping[str, float]]) -> Iterator[GateOutcome]:
    """Hold means over the seeds against bars; one that a seed does not have has not cleared its bar."""
    for metric, bound in bars.items():
        values = [run[metric] for run in measured if metric in run]
        mean = mean_interval(values) if len(values) == len(measured) else None
        (outcome,) = gates.judge({metric: mean.mean} if mean else {}, {metric: bound})
        advice = _advice(mean, bound, len(values)) if mean else None
        yield GateOutcome(metric, bound, outcome.value, outcome.passed, advice)


def _advice(mean: Mean, bound: float, count: int) -> str | None:
    """Say, where the mean's interval holds the bar, how many seeds would settle it."""
    if mean.low is None or mean.high is None or not mean.low <= bound <= mean.high:
        return None
    needed = seeds_to_settle(mean, bound, count)
    settled = f"about {needed} seeds" if needed else f"not even {MOST_SEEDS} seeds"
    return f"over {count} seeds chance could have the mean on the other side; {settled} would settle it"
