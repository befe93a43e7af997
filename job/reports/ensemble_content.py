"""The ensembles of a batch in words: rows of a table, and remarks on those that are not computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from job.metrics import METRICS
from job.reports.formatting import plain, quantity
from job.results.ensemble_records import EnsembleMetric, EnsembleResult

ENSEMBLE_COLUMNS = (
    "ensemble",
    "metric",
    "together",
    "mean of singles",
    "gain",
    "p",
    "best single",
    "gain",
    "p",
)
"""Titles of the columns: each gain is over the single models to its left."""

ENSEMBLE_NOTE = (
    "All models of a job decode together; single models on the same test examples. A positive gain is "
    "better; p is two-sided, by a paired bootstrap of the examples."
)
"""What the table of ensembles shows."""

_ALONE = "persistence_"
"""Prefix of metrics that no model changes."""


def ensemble_rows(ensembles: Sequence[EnsembleResult]) -> list[list[str]]:
    """Return the cells of a row for each metric of each computed ensemble."""
    return [
        [f"{ensemble.name} ({len(ensemble.members)} models)", *_cells(metric)]
        for ensemble in ensembles
        for metric in ensemble.metrics
        if not metric.metric.startswith(_ALONE)
    ]


def _cells(metric: EnsembleMetric) -> list[str]:
    name = metric.metric
    best = f"{quantity(name, metric.best)} ({metric.best_job})"
    return [
        plain(name),
        quantity(name, metric.value),
        quantity(name, metric.mean),
        _gain(name, metric.gain_over_mean),
        _p_value(metric.p_value_over_mean),
        best,
        _gain(name, metric.gain_over_best),
        _p_value(metric.p_value_over_best),
    ]


def _gain(name: str, gain: float) -> str:
    """Return a gain with its sign; positive is better, whichever direction the metric has."""
    if name in METRICS and METRICS[name].unit == "fraction":
        rounded = f"{100 * gain:+.2f}"
        return f"{rounded if float(rounded) or not gain else f'{100 * gain:+.1g}'} points"
    return f"{gain:+.4g}"


def _p_value(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def ensemble_remarks(ensembles: Sequence[EnsembleResult]) -> Iterator[str]:
    """Yield a sentence for each ensemble: what it gained in its leading metric, or why it is not computed."""
    for ensemble in ensembles:
        if ensemble.status != "computed":
            yield f"{ensemble.name}: the ensemble is not computed: {ensemble.reason}"
        elif ensemble.metrics:
            yield _sentence(ensemble, ensemble.metrics[0])


def _sentence(ensemble: EnsembleResult, metric: EnsembleMetric) -> str:
    _, together, mean, over_mean, p_mean, best, over_best, p_best = _cells(metric)
    return (
        f"{ensemble.name}, ensemble of {len(ensemble.members)} models: {plain(metric.metric)} {together}, "
        f"gain over the mean {mean}: {over_mean}{_with_p(p_mean)}, over the best {best}: "
        f"{over_best}{_with_p(p_best)}"
    )


def _with_p(text: str) -> str:
    return f" (p = {text})" if text else ""
