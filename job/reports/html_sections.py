"""The content of the sections of `report.html`, one for each job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from job.reports import content, escaping, formatting
from job.reports.html_pictures import Picture, Sparkline, sparkline
from job.reports.html_samples import Sample, mistake, sample
from job.reports.job_content import (
    AccuracyProfile,
    MetricsTable,
    accuracy_profiles,
    data_sentences,
    metrics_at_other_sizes,
    metrics_table,
    not_measured_sentences,
    other_data,
    setting,
)
from job.results.job_result import JobResult


@dataclass(frozen=True, kw_only=True)
class Section:
    """The content of one job's section, in the page's order.

    Args:
        regressed: whether the job is worse than its baseline.
        unfolded: whether the section is shown without a click.
        summary: the job's leading metric, shown even if the section is folded; empty if it has none.
    """

    result: JobResult
    row: content.OverviewRow
    regressed: bool
    unfolded: bool
    summary: str
    loss: Sparkline | None
    positions: Sparkline | None
    sentences: list[str]
    metrics: MetricsTable
    pictures: list[Picture]
    metrics_at_other_sizes: list[str]
    profiles: list[AccuracyProfile]
    samples: list[Sample]
    mistakes: list[Sample]
    timings: list[tuple[str, str]]
    settings: dict[str, list[tuple[str, str]]]


def job_section(
    result: JobResult, leading: Sequence[str], embedded: list[Picture], *, regressed: bool, unfolded: bool
) -> Section:
    """Return the section of a job.

    Args:
        result: of the job.
        leading: names of the metric columns in the table of jobs.
        embedded: the job's drawings.
        regressed, unfolded: see `Section`.
    """
    analysis, history = result.analysis, result.history
    accuracies = [row["accuracy"] for row in analysis.get("by_position", ())]
    row = content.overview_row(result, leading)
    values = zip(map(content.column_title, leading), row.metrics, strict=True)
    return Section(
        result=result,
        row=row,
        summary=next((f"{title} {value}" for title, value in values if value), ""),
        regressed=regressed,
        unfolded=unfolded,
        loss=sparkline(history.get("loss", ()), "training loss"),
        positions=sparkline(accuracies, "accuracy by position", low=0, high=1) if accuracies[1:] else None,
        sentences=[*data_sentences(result), *not_measured_sentences(result)],
        metrics=metrics_table(result),
        pictures=embedded,
        metrics_at_other_sizes=metrics_at_other_sizes(result),
        profiles=[*accuracy_profiles(analysis)],
        samples=[*map(sample, result.samples)],
        mistakes=[*map(mistake, analysis.get("worst_mistakes", ()))],
        timings=_timings(result),
        settings=_settings(result),
    )


def _timings(result: JobResult) -> list[tuple[str, str]]:
    """Return a job's timings and its peak memory: names and values."""
    timings = [(name, formatting.quantity(name, value)) for name, value in result.timings.items()]
    memory = f"{result.peak_rss_bytes / 2**20:,.0f} MiB" if result.peak_rss_bytes else ""
    return [*timings, ("peak memory", memory)] if memory else timings


def _settings(result: JobResult) -> dict[str, list[tuple[str, str]]]:
    """Return a job's spec, data and environment: title -> names and values."""
    groups = {
        **{title: result.spec.get(title, {}) for title in ("problem", "model", "training", "evaluation")},
        "data": other_data(result),
        "environment": result.environment,
    }
    return {title: [*_flat(keys)] for title, keys in groups.items() if keys}


def _flat(keys: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in keys.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, escaping.shortened(setting(value))
