"""The runs of a job with `seeds` -> what they come to together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from job.gating import gates
from job.gating.confidence_intervals import MAX_SEEDS, MeanInterval, mean_interval, seeds_needed
from job.gating.plan_file import PlanEntry
from job.metrics import METRICS
from job.results.records import GateOutcome, JobResult, MetricOverSeeds, SeedsSummary
from job.spec.gate_section import GateSpec
from job.spec.seed_expansion import run_name


@dataclass(frozen=True)
class SeedFamily:
    """A job with `seeds`.

    Args:
        name: in the spec.
        runs: seed -> name of its run, in the spec's order.
        gate: of the job.
    """

    name: str
    runs: Mapping[int, str]
    gate: GateSpec


def families(entries: Iterable[PlanEntry]) -> tuple[SeedFamily, ...]:
    """Return the jobs with `seeds` of a plan, in its order; a plan may hold only some of a job's runs."""
    found: dict[str, SeedFamily] = {}
    for entry in entries:
        if entry.family is not None and entry.gate is not None:
            runs = {seed: run_name(entry.family, seed) for seed in entry.seeds}
            found.setdefault(entry.family, SeedFamily(entry.family, runs, entry.gate))
    return tuple(found.values())


def summarize(results: Sequence[JobResult], families: Iterable[SeedFamily]) -> tuple[SeedsSummary, ...]:
    """Put the runs of each job with seeds together; a job of whose runs none is finished has no summary.

    Args:
        results: of a batch.
        families: see `families`.
    """
    finished = {result.name: result for result in results if result.finished}
    return tuple(
        _summary(family, finished) for family in families if finished.keys() & set(family.runs.values())
    )


def _summary(family: SeedFamily, finished: Mapping[str, JobResult]) -> SeedsSummary:
    names = tuple(family.runs.values())
    absent = tuple(run for run in names if run not in finished)
    measured = [{**finished[run].timings, **finished[run].metrics} for run in names if run in finished]
    reasons = {k: v for run in names if run in finished for k, v in finished[run].not_measured.items()}
    on_mean = family.gate.seeds == "mean" and not absent
    return SeedsSummary(
        name=family.name,
        seeds=tuple(family.runs),
        jobs=names,
        absent=absent,
        gate_on=family.gate.seeds,
        metrics=tuple(_metrics(names, finished)),
        gates=tuple(_judge(family.gate.thresholds(), measured, reasons)) if on_mean else (),
    )


def _metrics(names: Sequence[str], finished: Mapping[str, JobResult]) -> Iterator[MetricOverSeeds]:
    results: list[dict[str, Any]] = [finished[run].metrics if run in finished else {} for run in names]
    for metric in dict.fromkeys([*METRICS, *(name for result in results for name in result)]):
        values = [result.get(metric) for result in results]
        there = [value for value in values if value is not None]
        if there:
            over = mean_interval(there)
            yield MetricOverSeeds(metric, tuple(values), over.mean, over.deviation, over.low, over.high)


def _judge(
    bars: Mapping[str, float], measured: Sequence[Mapping[str, float]], reasons: Mapping[str, str]
) -> Iterator[GateOutcome]:
    """Hold means over the seeds against bars; one that a seed does not have has not cleared its bar."""
    for metric, bound in bars.items():
        values = [run[metric] for run in measured if metric in run]
        mean = mean_interval(values) if len(values) == len(measured) else None
        (outcome,) = gates.judge({metric: mean.mean} if mean else {}, {metric: bound}, reasons=reasons)
        yield replace(outcome, advice=_advice(mean, bound, len(values)) if mean else None)


def _advice(mean: MeanInterval, bound: float, count: int) -> str | None:
    """Say, where the mean's interval holds the bar, how many seeds would settle it."""
    if mean.low is None or mean.high is None or not mean.low <= bound <= mean.high:
        return None
    needed = seeds_needed(mean, bound, count)
    settled = f"about {needed} seeds" if needed else f"not even {MAX_SEEDS} seeds"
    return f"over {count} seeds chance could have the mean on the other side; {settled} would settle it"
