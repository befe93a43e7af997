"""The content of one job's section that HTML and Markdown share: sentences and tables, without markup."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from job.metrics import METRICS
from job.reports.content import metric_names
from job.reports.formatting import percent, plain, quantity, ranges, span
from job.results.data_facts import DataFacts, MixedPart, TokenCounts
from job.results.export_result import Approximation, ExportFormat, ExportResult
from job.results.job_result import GateOutcome, JobResult
from job.results.validation_result import ValidationResult

_MAX_GROUPS = 12
"""Positions or lengths side by side; if there are more, they are grouped into ranges."""

# --- sentences ----------------------------------------------------------------------------------------------


def data_sentences(result: JobResult) -> Iterator[str]:
    """Yield sentences on what the job was trained and evaluated on."""
    data = result.data
    if None not in (data.train_examples, data.epochs, data.steps, data.stopped_early):
        yield _training(data)
    if data.mixture:
        yield _mixed(data.mixture)
    if data.test_examples is not None and data.seen_in_training is not None:
        yield _overlap(data.test_examples, data.seen_in_training, data.source_space)
    elif data.test_examples is not None and "rmse" in result.metrics:
        yield (
            f"Evaluated on {data.test_examples:,} windows, walking forward: each value is forecast from "
            "the true values before it."
        )
    if data.test_tokens is not None and data.unknown_tokens is not None:
        yield _unknown(data.test_tokens, data.unknown_tokens)
    if result.validation is not None:
        yield _validation(result.validation)
    yield from map(_export, result.exports)


def _validation(validation: ValidationResult) -> str:
    """Return how many examples the validation column is of, or why there is none."""
    if not validation.examples:
        return f"No validation: {validation.reason}."
    examples = f"{validation.examples:,} validation example{'' if validation.examples == 1 else 's'}"
    seen = validation.seen_in_training
    return examples + (f"; {seen:,} of their sources also occur in the training data." if seen else ".")


_FORMATS: dict[ExportFormat, str] = {
    "saved_model": "a SavedModel",
    "onnx": "ONNX",
    "onnx_int8": "ONNX with 8-bit weights",
}


def _export(export: ExportResult) -> str:
    """Return how large and how fast an export is, and what its own runtime predicted."""
    runtime = " and ".join(f"{package} {version}" for package, version in export.versions.items())
    which = f"{export.examples:,} test example{'' if export.examples == 1 else 's'}"
    begin = f"Exported as {_FORMATS[export.format]}, {export.bytes / 2**20:,.1f} MiB in {export.directory}"
    end = f", at {export.sequences_per_second:,.0f} sequences/s on the CPU."
    if export.approximation is not None:
        return f"{begin}: by greedy search with {runtime}, {_approximated(export.approximation)} {which}{end}"
    ties = (
        f", but for {export.near_ties:,} near tie{'' if export.near_ties == 1 else 's'}"
        if export.near_ties
        else ""
    )
    return f"{begin}: by greedy search {runtime} predicts what the model predicts for {which}{ties}{end}"


def _approximated(found: Approximation) -> str:
    """Return the metrics of an export beside those of its model, and how many predictions differ."""
    metrics = [
        f"{plain(name)} {quantity(name, value)} (the model's {quantity(name, found.model_metrics[name])})"
        for name, value in found.metrics.items()
        if name in found.model_metrics
    ]
    return f"{', '.join(metrics)}; it predicts something else than the model for {found.differing:,} of"


def not_measured_sentences(result: JobResult) -> Iterator[str]:
    """Yield a sentence for each metric that is not defined for the job's test data."""
    for name, reason in result.not_measured.items():
        yield f"No {plain(name)}: {reason}."


def _training(data: DataFacts) -> str:
    early = ", stopped early" if data.stopped_early else ""
    best = f"; the weights are those of epoch {data.best_epoch}" if data.best_epoch else ""
    epochs = "1 epoch" if data.epochs == 1 else f"{data.epochs:,} epochs"
    step = data.resumed_from_step
    resumed = f" It was interrupted, and resumed from step {step:,}." if step else ""
    trained = f"Trained on {data.train_examples:,} examples in {epochs}, {data.steps:,} steps"
    return f"{trained}{early}{best}.{resumed}"


def _mixed(parts: Sequence[MixedPart]) -> str:
    """Return how many of the training examples came from which files."""
    total = sum(part.drawn for part in parts)
    each = [
        f"{part.drawn:,} examples ({percent(part.drawn / total if total else 0.0)}) drawn from the "
        f"{part.pairs:,} training pairs of {', '.join(part.files)}, weight {part.weight:g}"
        for part in parts
    ]
    return f"Mixed training data: {'; '.join(each)}."


def _overlap(tested: int, seen: int, space: int | None) -> str:
    """Return how many test sources occur in the training data, and whether that may explain the accuracy."""
    share = seen / tested if tested else 0.0
    text = (
        f"Evaluated on {tested:,} test sources; {seen:,} of them ({percent(share)}) also occur in the "
        "training data."
    )
    if space is None:
        return text
    if share < 0.01:
        return f"{text} There are {space:,} different sources."
    return (
        f"{text} There are only {space:,} different sources, so correct predictions may be memorized: "
        "unseen sequence accuracy counts only the others."
    )


def _unknown(tokens: TokenCounts, unknown: TokenCounts) -> str:
    """Return how many tokens of each side are not in the vocabularies."""
    return (
        f"Unknown to the vocabulary: {unknown.source:,} of {tokens.source:,} source tokens, "
        f"{unknown.target:,} of {tokens.target:,} reference target tokens, "
        f"{unknown.predicted:,} of {tokens.predicted:,} predicted tokens."
    )


# --- settings -----------------------------------------------------------------------------------------------


def setting(value: Any) -> str:
    """Return a value of a spec as text: a string unchanged, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def other_data(result: JobResult) -> dict[str, Any]:
    """Return the entries of the problem's description that its spec does not have."""
    problem = result.spec.get("problem", {})
    return {k: v for k, v in result.data.problem.items() if problem.get(k) != v}


# --- metrics ------------------------------------------------------------------------------------------------


class MetricRow(NamedTuple):
    """A row of the table of a job's metrics.

    Args:
        name: name of the metric.
        value: of the test; None if it was not measured.
        validation: of the validation examples; None if it was not measured.
        gate: on the test; None if there is none.
    """

    name: str
    value: float | None
    validation: float | None
    gate: GateOutcome | None


@dataclass(frozen=True, kw_only=True)
class MetricsTable:
    """The table of a job's metrics.

    Args:
        rows: the metrics, then gates on metrics that the job does not have.
        tested: whether there is a column of the test, with gates.
        validated: whether there is a column of validation.
    """

    rows: list[MetricRow]
    tested: bool
    validated: bool


def metrics_table(result: JobResult) -> MetricsTable:
    """Return the metrics of a job on test and validation, beside its gates."""
    gates = {outcome.metric: outcome for outcome in result.gates}
    validation = result.validation.metrics if result.validation else {}
    names = [*metric_names([result]), *(name for name in METRICS if name in validation), *gates]
    rows = []
    for name in dict.fromkeys(names):
        outcome = gates.get(name)
        value = result.metrics.get(name, outcome.value if outcome else None)
        rows.append(MetricRow(name, value, validation.get(name), outcome))
    return MetricsTable(rows=rows, tested=bool(result.metrics or gates), validated=bool(validation))


def metrics_at_other_sizes(result: JobResult) -> list[str]:
    """Return the names of the metrics that were measured at sizes other than that of training."""
    return [n for n in metric_names([result]) if any(n in other["metrics"] for other in result.also)]


@dataclass(frozen=True)
class AccuracyProfile:
    """Accuracy by position or by length, in at most `_MAX_GROUPS` groups.

    Args:
        name: what the groups are: `position in the target` or `tokens of the source`.
        counted: what the shares are of: `tokens right` or `sequences right`.
        spans: first and last place of each group, as text.
        shares: accuracy in each group, 0 to 1.
        counts: number of tokens or sequences in each group.
        places: number of places before grouping.
    """

    name: str
    counted: str
    spans: list[str]
    shares: list[float]
    counts: list[int]
    places: int


def accuracy_profiles(analysis: Mapping[str, Any]) -> Iterator[AccuracyProfile]:
    """Yield accuracy by position and by length; one with a single place adds nothing to the metrics."""
    positions = [{**row, "place": row["position"] + 1} for row in analysis.get("by_position", ())]
    lengths = [{**row, "place": row["length"]} for row in analysis.get("by_source_length", ())]
    for rows, name, counted in (
        (positions, "position in the target", "tokens right"),
        (lengths, "tokens of the source", "sequences right"),
    ):
        if len(rows) > 1:
            yield _profile(rows, name, counted)


def _profile(rows: Sequence[Mapping[str, Any]], name: str, counted: str) -> AccuracyProfile:
    groups = ranges((row["place"] for row in rows), _MAX_GROUPS)
    members = [[row for row in rows if first <= row["place"] <= last] for first, last in groups]
    counts = [sum(row["count"] for row in group) for group in members]
    shares = [
        sum(row["count"] * row["accuracy"] for row in group) / count
        for group, count in zip(members, counts, strict=True)
    ]
    return AccuracyProfile(name, counted, [span(*group) for group in groups], shares, counts, len(rows))
