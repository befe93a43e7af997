"""What is to be said of a batch beside its numbers: what seeds come to together, and which bars are near."""

from __future__ import annotations

from collections.abc import Iterator

from job.reports.formatting import bar, plain, quantity
from job.results.records import GateOutcome, MetricOverSeeds, Report, SeedsSummary


def remarks(report: Report) -> Iterator[str]:
    """Yield a sentence for what was set aside, for metrics over seeds, and for bars near their values."""
    for aside in report.set_aside:
        yield f"{aside.job}: what was there before is in {aside.place}, because {aside.reason}"
    for job in report.seeds:
        for metric in job.metrics:
            yield _over_seeds(job, metric)
        for outcome in job.gates:
            cleared = "cleared" if outcome.passed else "missed"
            yield f"{job.name}: the bar on the mean, {plain(outcome.metric)} {bar(outcome)}, is {cleared}"
        if job.absent and job.gate_on == "mean":
            yield f"{job.name}: the bars on the mean are not judged without {', '.join(job.absent)}"
    bars = [(result.name, outcome) for result in report.jobs for outcome in result.gates]
    bars += [
        (f"{job.name} over {len(job.seeds)} seeds", outcome) for job in report.seeds for outcome in job.gates
    ]
    for name, outcome in bars:
        if outcome.advice and outcome.value is not None:
            yield _near(name, outcome)


def _over_seeds(job: SeedsSummary, metric: MetricOverSeeds) -> str:
    count = sum(value is not None for value in metric.values)
    mean = quantity(metric.metric, metric.mean)
    text = f"{job.name} over {count} of {len(job.seeds)} seeds: {plain(metric.metric)} {mean}"
    if metric.deviation is None or metric.low is None or metric.high is None:
        return text
    deviation, low, high = (quantity(metric.metric, v) for v in (metric.deviation, metric.low, metric.high))
    return f"{text}, standard deviation {deviation}, 95 % interval {low} to {high}"


def _near(name: str, outcome: GateOutcome) -> str:
    bound = quantity(outcome.metric, outcome.bound)
    value = quantity(outcome.metric, outcome.value or 0.0, missed=None if outcome.passed else outcome.bound)
    return f"{name}: {plain(outcome.metric)} {value} is near its bar of {bound}: {outcome.advice}"
