"""Write a report as `report.html`: one file that needs no network and no script.

The template engine escapes text from outside; control characters are replaced by visible symbols and long
text is cut. The page's content security policy forbids scripts and loading anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from job.metrics import METRICS
from job.reports import content, escaping, formatting
from job.reports.html_pictures import (
    SPARKLINE_HEIGHT,
    SPARKLINE_WIDTH,
    Picture,
    Sparkline,
    pictures,
    sparkline,
)
from job.reports.html_samples import Sample, changed_prediction, mistake, sample
from job.reports.job_content import (
    AccuracyProfile,
    accuracy_profiles,
    data_sentences,
    metrics_and_gates,
    metrics_at_other_sizes,
    not_measured_sentences,
    other_data,
    setting,
)
from job.reports.what_changed import comparison_changes
from job.results.batch_report import Report
from job.results.job_result import GateOutcome, JobResult
from job.storage.artifacts import OutputPaths

MAX_PICTURE_BYTES = 16 * 2**20
"""Total size of the drawings embedded in the page; it links to the others."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """The content of one job's section, in the page's order."""

    result: JobResult
    row: content.OverviewRow
    loss: Sparkline | None
    positions: Sparkline | None
    sentences: list[str]
    metrics: list[tuple[str, float | None, GateOutcome | None]]
    pictures: list[Picture]
    metrics_at_other_sizes: list[str]
    profiles: list[AccuracyProfile]
    samples: list[Sample]
    mistakes: list[Sample]
    settings: dict[str, list[tuple[str, str]]]


def html_page(report: Report, output: OutputPaths, *, max_picture_bytes: int = MAX_PICTURE_BYTES) -> str:
    """Return the page.

    Args:
        report: of a batch.
        output: the output directory with the jobs' drawings; missing ones are left out.
        max_picture_bytes: see `MAX_PICTURE_BYTES`. Jobs that did not pass come first.
    """
    room = max_picture_bytes
    embedded: dict[str, list[Picture]] = {}
    for result in sorted(report.jobs, key=lambda job: job.status == "passed"):
        embedded[result.name], room = pictures(result, output.job(result.name).directory, room)
    leading = content.leading_metrics(report.jobs)
    started, finished = map(datetime.fromisoformat, (report.started_at, report.finished_at))
    return _REPORT.render(
        report=report,
        sections=[_section(result, leading, embedded[result.name]) for result in report.jobs],
        leading=leading,
        duration=str(finished - started),
    )


def _section(result: JobResult, leading: tuple[str, ...], embedded: list[Picture]) -> Section:
    analysis, history = result.analysis, result.history
    accuracies = [row["accuracy"] for row in analysis.get("by_position", ())]
    return Section(
        result=result,
        row=content.overview_row(result, leading),
        loss=sparkline(history.get("loss", ()), "training loss"),
        positions=sparkline(accuracies, "accuracy by position", low=0, high=1) if accuracies[1:] else None,
        sentences=[*data_sentences(result), *not_measured_sentences(result)],
        metrics=[*metrics_and_gates(result)],
        pictures=embedded,
        metrics_at_other_sizes=metrics_at_other_sizes(result),
        profiles=[*accuracy_profiles(analysis)],
        samples=[*map(sample, result.samples)],
        mistakes=[*map(mistake, analysis.get("worst_mistakes", ()))],
        settings=_settings(result),
    )


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


# --- the template -------------------------------------------------------------------------------------------


def _lines(text: str) -> Markup:
    return escape(escaping.html_lines(text))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("job.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=escaping.html,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "METRICS": METRICS,
        "SPARKLINE_HEIGHT": SPARKLINE_HEIGHT,
        "SPARKLINE_WIDTH": SPARKLINE_WIDTH,
        "changed_prediction": changed_prediction,
        "content": content,
        "comparison_changes": comparison_changes,
        "percent": formatting.percent,
        "plain": formatting.plain,
        "quantity": formatting.quantity,
    }
    environment.filters |= {"lines": _lines, "shortened": escaping.shortened, "path": escaping.url_path}
    return environment


template = _environment().get_template
"""Return a page's template by its name."""

_REPORT = template("report.html")
