"""`result.json`: the record of one job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from job.metrics import METRICS
from job.results.data_facts import DataFacts, DataSection
from job.results.export_result import ExportResult
from job.results.predictions import Prediction
from job.results.reading import SCHEMA_VERSION, Measured, read_document
from job.results.sections import (
    AnalysisSection,
    AttentionSection,
    ElsewhereSection,
    EnvironmentSection,
    History,
    InnerPath,
    JobName,
    Positive,
    SpecSection,
)
from job.results.validation_result import ValidationResult

Status = Literal["passed", "gate_failed", "failed", "interrupted"]

STATUSES: tuple[Status, ...] = ("passed", "gate_failed", "failed", "interrupted")

FINISHED: tuple[Status, ...] = ("passed", "gate_failed")
"""Statuses of jobs that were trained and evaluated; training them again would give the same result."""


@dataclass(frozen=True)
class Progress:
    """Progress of training.

    Args:
        step, steps: training steps taken, and all.
        loss, token_accuracy: means of the last steps; time series have no accuracy.
        examples_per_second: current speed.
        epoch, epochs: finished epochs, and all.
        validation: column of `history.csv` -> value for the validation examples after the last finished
            epoch: `val_loss`, `val_token_accuracy`, `val_sequence_accuracy`, `val_decoded_METRIC`.
        settled: whether nothing is being compiled any more beside the steps, which slows them down.
    """

    step: int
    steps: int
    loss: float
    token_accuracy: float | None
    examples_per_second: float
    epoch: int = 0
    epochs: int = 0
    validation: Mapping[str, float] = field(default_factory=dict)
    settled: bool = True


@dataclass(frozen=True)
class Decoding:
    """Progress of an evaluation.

    Args:
        share: share of its examples that are decoded, 0 to 1.
    """

    share: float


@dataclass(frozen=True)
class Artifact:
    """A file in a job directory.

    Args:
        path: relative to the job directory.
        bytes: size.
        sha256: SHA-256 in hex.
    """

    path: InnerPath
    bytes: Positive
    sha256: str


QUOTED = "last lines of its log:"
"""End of the first line of a message that quotes a log below it."""


@dataclass(frozen=True)
class Failure:
    """The reason why a job failed or was interrupted.

    Args:
        type: class of the exception.
        message: text of the exception, of any length.
        traceback_file: file that contains the traceback, relative to the job directory.
    """

    type: str
    message: str
    traceback_file: InnerPath | None = None

    @property
    def summary(self) -> str:
        """The class and the first line of the message, at most 300 characters, for use in a sentence.

        If a log is quoted below that line, the summary has the last line of the log.
        """
        lines = [line.strip() for line in self.message.strip().splitlines() if line.strip()]
        first = lines[0] if lines else ""
        if len(lines) > 1 and first.endswith(QUOTED):
            first = f"{first.removesuffix(QUOTED)}last line of its log: {lines[-1]}"
        first = first if len(first) <= 300 else first[:299] + "…"
        return f"{self.type}: {first}" if first else self.type


@dataclass(frozen=True)
class GateOutcome:
    """The outcome of one gate.

    Args:
        metric: name of the metric, see `job.metrics`.
        bound: threshold; a minimum or a maximum, depending on the metric.
        value: the measured value; None if the metric was not measured.
        passed: whether the value satisfies the threshold.
        advice: if the value is within sampling error of the threshold, how many test examples or seeds would
            decide it.
        reason: why the metric was not measured, as a clause, if known.
    """

    metric: str
    bound: float
    value: float | None
    passed: bool
    advice: str | None = None
    reason: str | None = None

    @property
    def shortfall(self) -> str:
        """A clause that says how the threshold was missed, in the unit of reports; for `passed=False`."""
        percent = self.metric in METRICS and METRICS[self.metric].unit == "fraction"
        scale, unit = (100, " %") if percent else (1, "")
        bound = f"{scale * self.bound:.12g}"
        if self.value is None:
            why = f": {self.reason}" if self.reason else ""
            return f"{self.metric} was not measured (its threshold is {bound}{unit}){why}"
        side = "below" if self.value < self.bound else "above"
        value = _unlike(scale * self.value, bound, digits=4 if percent else 6)
        return f"{self.metric} is {value}{unit}, {side} its threshold of {bound}{unit}"


def _unlike(value: float, bound: str, *, digits: int) -> str:
    """Format a value with some digits, and more where needed to be on its side of the threshold."""
    threshold = float(bound)
    texts = (f"{value:.{digits}g}" for digits in range(digits, 18))
    below = value < threshold
    sides = (text for text in texts if float(text) != threshold and (float(text) < threshold) == below)
    return next(sides, repr(value))


@dataclass(frozen=True)
class JobResult:
    """`result.json`: the result of one job.

    Args:
        name: name of the job.
        status: `passed` and `gate_failed` jobs were trained and evaluated, the others were not.
        fingerprint: the same as `evaluation_fingerprint`, by which results and plans are matched. In results
            of earlier versions it is the only fingerprint: of the whole job, with its name and its gates.
        seed: seed of everything random in the job.
        spec: resolved spec of the job.
        schema_version: version of this format.
        metrics: metric name -> value; fractions are in 0..1.
        gates: outcomes of the job's gates, in the order of the spec.
        data: facts of the data, the training and the test.
        timings: durations of the stages in seconds, speeds per second.
        peak_rss_bytes: peak resident memory of the job's process.
        parameters: number of weights of the model.
        history: columns of `history.csv` with six digits; None if a row has no value.
        samples: predictions of the first test examples.
        analysis: `by_position`, `by_source_length`, `confusions` and `worst_mistakes`; empty for time series.
        also: the same model at other sizes: `sizes`, `examples` and `metrics` of each.
        attention: tokens and attention weights of each sample.
        artifacts: files of the job directory, ordered by path.
        environment: versions, machine and commit.
        error: why the job failed or is unfinished; None for finished jobs.
        attempts: number of times the job was started in one batch; more than 1 if a worker process was lost.
        problem_fingerprint: SHA-256 of the problem and its test, without the model; results with the same one
            can be compared.
        test_fingerprint: SHA-256 of the test examples' sources and reference targets, so that results with
            the same one can be compared; empty if the job is not finished, or for an earlier version.
        speed_ranges: for speeds measured in parts, the range of the middle 80 % of the parts.
        validation: the decoded validation examples; None if the job did not finish, or an earlier version
            evaluated it.
        training_fingerprint: SHA-256 of what determines the trained model: the spec's problem, model,
            training and seed, the data files and the versions; results with the same one have the same model.
        evaluation_fingerprint: SHA-256 of `training_fingerprint` and the spec's evaluation.
        model_of: name of the job with the same training that left the model, if that is another one.
        exports: the model for other runtimes, each checked in its own; empty for a job without `export`.
        reused: whether the result is from an earlier run; not in `result.json`.
        judged: whether gates of its own were applied: False for a job without gates, and for a seed of a job
            with gates on the mean. Such a job is `passed` once it is trained.
    """

    name: JobName
    status: Status
    fingerprint: str
    seed: int
    spec: SpecSection
    schema_version: int = SCHEMA_VERSION
    metrics: Measured = field(default_factory=dict)
    gates: tuple[GateOutcome, ...] = ()
    data: DataSection = field(default_factory=DataFacts)
    timings: Measured = field(default_factory=dict)
    peak_rss_bytes: int = 0
    parameters: int = 0
    history: History = field(default_factory=dict)
    samples: tuple[Prediction, ...] = ()
    analysis: AnalysisSection = field(default_factory=dict)
    also: tuple[ElsewhereSection, ...] = ()
    attention: tuple[AttentionSection, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    environment: EnvironmentSection = field(default_factory=dict)
    error: Failure | None = None
    attempts: int = 1
    problem_fingerprint: str = ""
    test_fingerprint: str = ""
    speed_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    validation: ValidationResult | None = None
    training_fingerprint: str = ""
    evaluation_fingerprint: str = ""
    model_of: JobName | None = None
    exports: tuple[ExportResult, ...] = ()
    reused: bool = False
    judged: bool = False

    @property
    def finished(self) -> bool:
        """Whether the job was trained and evaluated; never true with an error, whatever the status."""
        return self.status in FINISHED and self.error is None

    def without_verdict(self) -> JobResult:
        """Return the result without its verdict: equal for the same training, whatever gates judged it."""
        spec = {key: value for key, value in self.spec.items() if key not in ("gate", "seeds")}
        status: Status = "passed" if self.finished else self.status
        return replace(self, status=status, gates=(), judged=False, reused=False, spec=spec)

    @property
    def not_measured(self) -> dict[str, str]:
        """Metrics that are not defined for the job's test -> the reason, as a clause."""
        return self.data.not_measured

    def to_record(self) -> dict[str, Any]:
        """Return the JSON object of the result in a `report.json`."""
        return {**asdict(self), "data": self.data.to_record()}

    def to_json(self) -> str:
        """Return the text of `result.json`, which ends with a newline."""
        record = self.to_record()
        del record["reused"]
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> JobResult:
        """Read `result.json`.

        Raises:
            ValueError: the text is not a result of this `schema_version`.
        """
        return read_document(_result_reader(), text)


@cache
def _result_reader() -> TypeAdapter[JobResult]:
    """Return the validator, built on first use: building it takes 0.1 s."""
    return TypeAdapter(JobResult)
