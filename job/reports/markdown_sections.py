"""Write one job's section of `report.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

from job.metrics import VALIDATION
from job.reports.content import gate_condition, gate_outcome, metric_value, origin, outcome_words
from job.reports.escaping import code, fenced, prose, url_path
from job.reports.formatting import percent, plain, quantity
from job.reports.job_content import (
    AccuracyProfile,
    MetricRow,
    accuracy_profiles,
    data_sentences,
    metrics_at_other_sizes,
    metrics_table,
    not_measured_sentences,
    other_data,
    setting,
)
from job.reports.tables import markdown_table
from job.results.job_result import Failure, JobResult
from job.results.predictions import Prediction

_MAX_CONFUSIONS = 10


def section(result: JobResult) -> str:
    """Return a job's full section."""
    blocks = [
        *_head(result),
        _spec(result.spec),
        *_data(result),
        *_metrics(result),
        *_timings(result),
        *_curves(result),
        *_samples(result.samples),
        *_other_sizes(result),
        *_accuracy(result),
        *_mistakes(result.analysis),
        *_drawings(result),
    ]
    return "\n\n".join(filter(None, blocks))


def brief_section(result: JobResult) -> str:
    """Return a job's shortest section: how it ended, and its metrics."""
    return "\n\n".join([*_head(result), *_metrics(result)])


# --- how it ended -------------------------------------------------------------------------------------------


def _head(result: JobResult) -> Iterator[str]:
    yield f"## {code(result.name)}: {outcome_words(result)}"
    model = f"; the model is that of job {code(result.model_of)}" if result.model_of else ""
    yield f"Fingerprint {code(result.fingerprint)}, seed {result.seed}, {origin(result)}{model}."
    if result.error:
        yield _error(result, result.error)


def _error(result: JobResult, error: Failure) -> str:
    if result.status == "interrupted":
        return f"Not finished: {prose(error.message)}."
    file = error.traceback_file
    where = f"\n\nTraceback: {code(f'jobs/{result.name}/{file}')}" if file else ""
    tried = f", in the last of {result.attempts} attempts" if result.attempts > 1 else ""
    return f"Failed with {code(error.type)}{tried}:\n\n{fenced(error.message)}{where}"


# --- spec and data ------------------------------------------------------------------------------------------


def _spec(spec: Mapping[str, Any]) -> str:
    sections = {title: spec.get(title, {}) for title in ("problem", "model", "training")}
    return "\n".join(f"- {title}: {_settings(keys)}" for title, keys in sections.items() if keys)


def _settings(keys: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{prose(key)} {code(setting(value))}" for key, value in keys.items() if value is not None
    )


def _data(result: JobResult) -> Iterator[str]:
    yield from data_sentences(result)
    yield from map(prose, not_measured_sentences(result))
    if others := other_data(result):
        yield f"Data: {_settings(others)}."


# --- metrics ------------------------------------------------------------------------------------------------


def _metrics(result: JobResult) -> Iterator[str]:
    table = metrics_table(result)
    shown = [True, table.tested, table.validated, table.tested, table.tested]
    rows = [[*compress(_metric_cells(result, row), shown)] for row in table.rows]
    if rows:
        titles = ["metric", "test", "validation", "gate", ""]
        yield markdown_table([*compress(titles, shown)], rows, "".join(compress("lrrll", shown)))
    for name, signature in result.data.signatures.items():
        yield f"Signature of {prose(plain(name))}: {code(signature)}"


def _metric_cells(result: JobResult, row: MetricRow) -> list[str]:
    name, value, validation, gate = row
    outcome = gate_outcome(gate) if gate else ""
    return [
        prose(plain(name)),
        "not measured" if value is None else prose(metric_value(result, name, value)),
        "" if validation is None else prose(metric_value(result, f"{VALIDATION}{name}", validation)),
        gate_condition(gate) if gate else "",
        f"**{outcome}**" if gate and not gate.passed else outcome,
    ]


def _timings(result: JobResult) -> Iterator[str]:
    rows = [[prose(plain(name)), quantity(name, value)] for name, value in result.timings.items()]
    if result.peak_rss_bytes:
        rows.append(["peak memory", f"{result.peak_rss_bytes / 2**20:,.0f} MiB"])
    if rows:
        yield markdown_table(["timing", "value"], rows, "lr")


def _other_sizes(result: JobResult) -> Iterator[str]:
    """Yield a table with a row per size, first the size that was trained on."""
    if not result.also:
        return
    names = metrics_at_other_sizes(result)
    trained = ("as trained", result.data.test_examples, result.metrics)
    others = [(_sizes(other["sizes"]), other["examples"], other["metrics"]) for other in result.also]
    rows = [
        [
            sizes,
            "" if count is None else f"{count:,}",
            *(quantity(name, metrics[name]) if name in metrics else "" for name in names),
        ]
        for sizes, count, metrics in [trained, *others]
    ]
    columns = ["size", "examples", *(prose(plain(name)) for name in names)]
    yield "### At other sizes than it was trained on"
    yield markdown_table(columns, rows, "lr" + "r" * len(names))


def _sizes(sizes: Mapping[str, Any]) -> str:
    return ", ".join(f"{prose(key)} {code(str(value))}" for key, value in sizes.items())


# --- samples and mistakes -----------------------------------------------------------------------------------


def _samples(samples: Sequence[Prediction]) -> Iterator[str]:
    rows = [
        [
            code(sample.source),
            " or ".join(map(code, sample.targets)),
            code(sample.predicted),
            "" if sample.correct is None else "right" if sample.correct else "**wrong**",
        ]
        for sample in samples
    ]
    if rows:
        yield "### Samples"
        yield markdown_table(["source", "target", "predicted", ""], rows, "llll")


def _accuracy(result: JobResult) -> Iterator[str]:
    blocks = [block for profile in accuracy_profiles(result.analysis) for block in _profile(profile)]
    if blocks:
        yield "### Accuracy by position and by length"
        yield from _drawing(result, "accuracy.svg", f"Accuracy of {result.name} by position and by length")
        yield from blocks


def _profile(profile: AccuracyProfile) -> Iterator[str]:
    """Yield a table with a column per group."""
    rows = [
        [profile.counted, *map(percent, profile.shares)],
        ["of", *(f"{count:,}" for count in profile.counts)],
    ]
    yield markdown_table([profile.name, *profile.spans], rows, "l" + "r" * len(profile.spans))
    if len(profile.spans) < profile.places:
        yield f"Grouped into ranges; `report.json` has each of the {profile.places:,}."


def _mistakes(analysis: Mapping[str, Any]) -> Iterator[str]:
    confusions, worst = analysis.get("confusions", ()), analysis.get("worst_mistakes", ())
    if not worst:
        return
    yield "### Mistakes"
    if confusions:
        pairs = [
            f"{code(pair['target'])} → {code(pair['predicted'])} ({pair['count']:,})"
            for pair in confusions[:_MAX_CONFUSIONS]
        ]
        more = f"; `report.json` has {len(confusions) - len(pairs)} more" if confusions[len(pairs) :] else ""
        yield f"The most frequent confusions, target → predicted: {', '.join(pairs)}{more}."
    columns = ["id", "source", "target", "predicted"]
    rows = [[*(code(row[key]) for key in columns), f"{row['edit_distance']:,}"] for row in worst]
    yield "The worst, by the number of edits that would correct them:"
    yield markdown_table([*columns, "edits"], rows, "llllr")


# --- drawings -----------------------------------------------------------------------------------------------


def _curves(result: JobResult) -> Iterator[str]:
    subject = "Loss" if "rmse" in result.metrics else "Loss and accuracy"
    yield from _drawing(result, "curves.svg", f"{subject} of {result.name} over training")


def _drawings(result: JobResult) -> Iterator[str]:
    """Yield the drawings below headings of their own."""
    name = result.name
    for file, title, text in (
        (
            "attention.svg",
            "Attention",
            f"Attention weights of {name} for each predicted token of the samples",
        ),
        ("contexts.svg", "Contexts", f"Context vectors of {name}'s test sources on two axes"),
    ):
        images = [*_drawing(result, file, text)]
        yield from [f"### {title}", *images] if images else []


def _drawing(result: JobResult, file: str, text: str) -> Iterator[str]:
    """Yield an image of a drawing if the job left one; `text` describes it."""
    if any(artifact.path == file for artifact in result.artifacts):
        yield f"![{prose(text)}](jobs/{url_path(result.name)}/{file})"
