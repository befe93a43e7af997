"""Summarize the runs of a job with `seeds`: mean of each metric over the seeds, and gates on the means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from job.gating import gates
from job.gating.confidence_intervals import MAX_SEEDS, MeanInterval, mean_interval, seeds_needed
from job.gating.plan_file import PlanEntry
from job.metrics import METRICS
from job.results.batch_report import MetricOverSeeds, SeedsSummary
from job.results.job_result import GateOutcome, JobResult
from job.spec.gate_section import GateSpec
from job.spec.seed_expansion import run_name


@dataclass(frozen=True)
class SeedFamily:
    """A job with `seeds`, which is run once for each of them.

    Args:
        name: of the job in the spec.
        runs: seed -> name of its run, in the spec's order.
        gate: of the job.
    """

    name: str
    runs: Mapping[int, str]
    gate: GateSpec


def seed_families(entries: Iterable[PlanEntry]) -> tuple[SeedFamily, ...]:
    """Return the jobs with `seeds` of a plan, in its order, even if it has only some of a job's runs."""
    found: dict[str, SeedFamily] = {}
    for entry in entries:
        if entry.family is not None and entry.gate is not None:
            runs = {seed: run_name(entry.family, seed) for seed in entry.seeds}
            found.setdefault(entry.family, SeedFamily(entry.family, runs, entry.gate))
    return tuple(found.values())


def summarize_seeds(results: Sequence[JobResult], families: Iterable[SeedFamily]) -> tuple[SeedsSummary, ...]:
    """Summarize the runs of each job with `seeds`.

    Args:
        results: of a batch.
        families: see `seed_families`.

    Returns:
        a summary for each job that has a finished run. Gates on the mean are applied once all are finished.
    """
    finished = {result.name: result for result in results if result.finished}
    return tuple(
        _summary(family, finished) for family in families if finished.keys() & set(family.runs.values())
    )


def _summary(family: SeedFamily, finished: Mapping[str, JobResult]) -> SeedsSummary:
    names = tuple(family.runs.values())
    absent = tuple(run for run in names if run not in finished)
    present = [finished[run] for run in names if run in finished]
    measured = [{**result.timings, **result.metrics} for result in present]
    reasons = {metric: reason for result in present for metric, reason in result.not_measured.items()}
    on_mean = family.gate.on_mean and not absent
    return SeedsSummary(
        name=family.name,
        seeds=tuple(family.runs),
        jobs=names,
        absent=absent,
        gate_on=family.gate.seeds,
        metrics=tuple(_metrics([finished[run].metrics if run in finished else {} for run in names])),
        gates=tuple(_judge_means(family.gate.thresholds(), measured, reasons)) if on_mean else (),
        validation=tuple(_metrics([_validation(finished.get(run)) for run in names])),
    )


def _validation(result: JobResult | None) -> Mapping[str, float]:
    """Return the metrics of the validation examples; empty if they were not decoded."""
    return result.validation.metrics if result and result.validation else {}


def _metrics(results: Sequence[Mapping[str, float]]) -> Iterator[MetricOverSeeds]:
    """Yield each metric over the seeds, known metrics in the order of `METRICS` first.

    Args:
        results: metric -> value, for each seed; empty for one without a finished result.
    """
    for metric in dict.fromkeys([*METRICS, *(name for result in results for name in result)]):
        values = [result.get(metric) for result in results]
        present = [value for value in values if value is not None]
        if present:
            over = mean_interval(metric, present)
            yield MetricOverSeeds(metric, tuple(values), over.mean, over.deviation, over.low, over.high)


def _judge_means(
    thresholds: Mapping[str, float], measured: Sequence[Mapping[str, float]], reasons: Mapping[str, str]
) -> Iterator[GateOutcome]:
    """Yield the outcome of each gate on a mean; it is failed if a seed lacks the metric.

    Args:
        thresholds: metric -> threshold.
        measured: metric -> value, for each seed.
        reasons: metric -> why it was not measured.
    """
    for metric, threshold in thresholds.items():
        values = [run[metric] for run in measured if metric in run]
        mean = mean_interval(metric, values) if len(values) == len(measured) else None
        (outcome,) = gates.check_thresholds(
            {metric: mean.mean} if mean else {}, {metric: threshold}, reasons=reasons
        )
        yield replace(outcome, advice=_advice(mean, threshold, len(values)) if mean else None)


def _advice(mean: MeanInterval, threshold: float, count: int) -> str | None:
    """Return how many seeds would decide about a mean whose interval contains the threshold, as a clause."""
    if not mean.contains(threshold):
        return None
    needed = seeds_needed(mean, threshold, count)
    enough = f"about {needed} seeds" if needed else f"not even {MAX_SEEDS} seeds"
    return f"within sampling error over {count} seeds; {enough} would decide it"
