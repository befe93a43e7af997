"""Rank the jobs of a batch on disk: the command `rank`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from job.batch.baseline_update import finish_update
from job.batch.gather import common_plan, read_result
from job.errors import BaselineError, DamagedResultError, OutputError, UsageError
from job.evaluation.text_scores import recorded_tokenization
from job.gating.metric_tests import target_splitter
from job.gating.plan_file import PlanEntry
from job.gating.ranking import ALPHA, Candidate, rank_jobs
from job.gating.recorded_batch import read_predictions
from job.metrics import METRICS, VALIDATION, leading_metric
from job.results.job_result import JobResult
from job.results.ranking_records import LeftOutJob, Ranking
from job.storage.artifacts import OutputPaths


@dataclass(frozen=True, kw_only=True)
class RankedMetric:
    """The metric of a ranking.

    Args:
        name: its name in `METRICS`.
        validation: whether it is that of the validation examples, not that of the test.
    """

    name: str
    validation: bool

    def __str__(self) -> str:
        return f"{VALIDATION}{self.name}" if self.validation else self.name

    @classmethod
    def parse(cls, text: str) -> RankedMetric:
        """Return the metric that a user named.

        Raises:
            UsageError: there is no such metric.
        """
        name, validation = text.removeprefix(VALIDATION), text.startswith(VALIDATION)
        metric = METRICS.get(name)
        if metric is None or (validation and metric.family == "timing"):
            known = ", ".join(key for key in METRICS if not validation or METRICS[key].family != "timing")
            raise UsageError(
                f"--by: there is no metric {text!r}; expected one of {known}"
                + ("" if validation else ", or validation.NAME for that of the validation examples")
            )
        return cls(name=name, validation=validation)


def rank_recorded(path: Path, by: str | None = None) -> Ranking:
    """Rank the jobs of an output directory by a metric.

    Args:
        path: the output directory; its batch may still be running.
        by: the metric, `validation.NAME` for one of the validation examples; None for the leading metric of
            validation.

    Raises:
        OutputError: the directory holds no batch, or none of its jobs has the metric.
        UsageError: there is no such metric.
    """
    asked = RankedMetric.parse(by) if by else None
    finish_update(path)
    output = OutputPaths(path)
    found = {name: _read(output, entry) for name, entry in common_plan([output], [output]).items()}
    metric = asked or _leading(result for result in found.values() if isinstance(result, JobResult))
    candidates, left_out = [], []
    for name, result in found.items():
        job = _candidate(output, result, metric) if isinstance(result, JobResult) else result
        if isinstance(job, Candidate):
            candidates.append(job)
        else:
            left_out.append(LeftOutJob(name=name, reason=job))
    if not candidates:
        reasons = "; ".join(dict.fromkeys(job.reason for job in left_out))
        raise OutputError(f"no job of {path} has {metric}: {reasons or 'its plan has no jobs'}")
    return Ranking(
        metric=str(metric),
        direction=METRICS[metric.name].direction,
        alpha=ALPHA,
        jobs=rank_jobs(metric.name, candidates),
        left_out=tuple(left_out),
    )


def _read(output: OutputPaths, entry: PlanEntry) -> JobResult | str:
    """Return the result of a job, or why it has none that can be used, as a clause."""
    try:
        result = read_result(output, entry)
    except (DamagedResultError, OutputError) as error:
        return str(error)
    if result is None:
        return "it has no result yet"
    return result if result.finished else f"it is {result.status}"


def _leading(results: Iterable[JobResult]) -> RankedMetric:
    """Return the leading metric of validation that most of the jobs have."""
    kinds = Counter(result.spec.get("problem", {}).get("kind", "") for result in results)
    counts = Counter(leading_metric(kind) for kind in kinds.elements())
    name = next((name for name, _ in counts.most_common(1)), leading_metric(""))
    return RankedMetric(name=name, validation=True)


def _candidate(output: OutputPaths, result: JobResult, metric: RankedMetric) -> Candidate | str:
    """Return a job with its metric, or why it does not have it, as a clause."""
    value = _value(result, metric)
    if value is None:
        return _why_absent(result, metric)
    try:
        predictions = read_predictions(output, result, validation=metric.validation)
    except BaselineError as error:
        return str(error)
    validation = result.validation if metric.validation else None
    signatures = validation.signatures if validation else result.data.signatures
    return Candidate(
        name=result.name,
        value=value,
        examples=_examples(result, metric),
        predictions=predictions or (),
        split=target_splitter(result),
        problem=result.problem_fingerprint,
        tokenize=recorded_tokenization(signatures),
    )


def _value(result: JobResult, metric: RankedMetric) -> float | None:
    if metric.validation:
        return result.validation.metrics.get(metric.name) if result.validation else None
    return {**result.timings, **result.metrics}.get(metric.name)


def _why_absent(result: JobResult, metric: RankedMetric) -> str:
    validation, kind = result.validation, result.spec.get("problem", {}).get("kind", "")
    if metric.validation and validation is None:
        return "its validation examples were not decoded; run the batch again with --fresh"
    if metric.validation and validation and validation.reason:
        return validation.reason
    reasons = validation.not_measured if metric.validation and validation else result.not_measured
    return reasons.get(metric.name, f"a job of {kind or 'its kind'} has no {metric.name}")


def _examples(result: JobResult, metric: RankedMetric) -> int | None:
    """Return the number of examples behind a metric; None for times and speeds."""
    if METRICS[metric.name].family == "timing":
        return None
    validation = result.validation if metric.validation else None
    count = validation.examples if validation else result.data.test_examples
    seen = validation.seen_in_training if validation else result.data.seen_in_training
    unseen_only = metric.name == "unseen_sequence_accuracy"
    return (count or 0) - (seen or 0) if unseen_only else count
