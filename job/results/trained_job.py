"""The record of a trained and evaluated job, before its gates are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from job.results.data_facts import DataFacts
from job.results.export_result import ExportResult
from job.results.predictions import Prediction
from job.results.validation_result import ValidationResult


@dataclass(frozen=True, kw_only=True)
class TrainedJob:
    """A trained and evaluated job without a verdict; see `job.gating.gates.judge_trained`.

    Args:
        name: the job's name.
        fingerprint: the job's evaluation fingerprint, see `job.spec.fingerprints.Fingerprints`.
        training_fingerprint: see there.
        problem_fingerprint: see `job.spec.fingerprints.problem_fingerprint`.
        test_fingerprint: see `job.results.scored_examples.fingerprint_examples`.
        seed: seed of everything random in the job.
        spec: the job's resolved spec, JSON values.
        metrics: metric -> value; see `job.metrics`.
        data: facts about its data and training.
        timings: stages in seconds, speeds per second.
        speed_ranges: speed -> the 10 % and 90 % quantiles over the parts in which it was measured.
        peak_rss_bytes: peak resident memory of the process during the job.
        parameters: number of weights of the model.
        history: columns of `history.csv`, rounded to six digits.
        samples: the first predictions of the test.
        analysis: see `job.evaluation.error_analysis`; empty for numbers.
        also: the same model at other sizes: `sizes`, `examples` and `metrics` of each.
        attention: attention weights of each sample.
        environment: versions, machine and commit.
        validation: the decoded validation examples.
        attempts: number of the attempt that trained it, from 1.
        model_of: name of the job that left the model, if that is another one.
        exports: the model for other runtimes, in the order of the spec's `export`.
    """

    name: str
    fingerprint: str
    training_fingerprint: str
    problem_fingerprint: str
    test_fingerprint: str
    seed: int
    spec: dict[str, Any]
    metrics: dict[str, float]
    data: DataFacts
    timings: dict[str, float]
    speed_ranges: dict[str, tuple[float, float]]
    peak_rss_bytes: int
    parameters: int
    history: dict[str, list[int | float | None]]
    samples: tuple[Prediction, ...]
    analysis: dict[str, Any]
    also: tuple[dict[str, Any], ...]
    attention: tuple[dict[str, Any], ...]
    environment: dict[str, Any]
    attempts: int
    validation: ValidationResult
    model_of: str | None = None
    exports: tuple[ExportResult, ...] = ()
