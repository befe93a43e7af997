"""What a job and a batch leave behind: plain frozen dataclasses, to and from JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

SCHEMA_VERSION = 1

Status = Literal["passed", "gate_failed", "failed", "interrupted"]
STATUSES: tuple[Status, ...] = ("passed", "gate_failed", "failed", "interrupted")
FINISHED: tuple[Status, ...] = ("passed", "gate_failed")
"""Statuses that training the same job again would give again."""


@dataclass(frozen=True)
class Prediction:
    """One evaluated example, as text: a line of `predictions.jsonl`.

    `references` holds every right target where there are several, else it is empty and left out of the file.
    """

    id: str
    source: str
    target: str
    predicted: str
    correct: bool
    references: tuple[str, ...] = ()

    def to_line(self) -> str:
        """Return the JSON object of one line, without the line end."""
        record = asdict(self)
        if not self.references:
            del record["references"]
        return json.dumps(record, ensure_ascii=False)


@dataclass(frozen=True)
class Evaluation:
    """A test set decoded and scored.

    Args:
        metrics: name (see `job.spec.metrics`) -> value.
        predictions: one an example, in the test set's order.
        seen_in_training: how many test sources also stood in training.
        source_space: how many different sources the problem has; None when it is not known.
        compile_seconds: the first decoding, tracing included.
        decode_seconds: decoding the whole set once compiled.
    """

    metrics: dict[str, float]
    predictions: tuple[Prediction, ...]
    seen_in_training: int
    source_space: int | None
    compile_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class Artifact:
    """A file that a job left: `path` relative to the job's directory, size in bytes, SHA-256 in hex."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Failure:
    """Why a job failed: the exception's class, its sentence, and the file that holds its traceback."""

    type: str
    message: str
    traceback_file: str | None = None


@dataclass(frozen=True)
class GateOutcome:
    """One bar: cleared or not. `value` is None where the job did not get far enough to measure it."""

    metric: str
    bound: float
    value: float | None
    passed: bool


@dataclass(frozen=True)
class JobResult:
    """`result.json`: everything about one finished job. See DESIGN for the meaning of each field."""

    name: str
    status: Status
    fingerprint: str
    seed: int
    spec: dict[str, Any]
    schema_version: int = SCHEMA_VERSION
    metrics: dict[str, float] = field(default_factory=dict)
    gates: tuple[GateOutcome, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    peak_rss_bytes: int = 0
    parameters: int = 0
    samples: tuple[Prediction, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    error: Failure | None = None
    reused: bool = False

    def to_json(self) -> str:
        """Return the text of `result.json`; ends with a line end."""
        record = asdict(self)
        del record["reused"]
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> JobResult:
        """Read `result.json`.

        Raises:
            ValueError: the text is no result, or one of another `schema_version`.
        """
        result = _RESULT.validate_json(text)
        if result.schema_version != SCHEMA_VERSION:
            raise ValueError(
                f"schema_version is {result.schema_version}, this program reads {SCHEMA_VERSION}"
            )
        return result


_RESULT: TypeAdapter[JobResult] = TypeAdapter(JobResult)


@dataclass(frozen=True)
class Verdict:
    """What a batch comes to: the exit code and a sentence for each reason that it is not 0."""

    exit_code: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """`report.json`: a batch. Times are ISO 8601 in UTC."""

    started_at: str
    finished_at: str
    exit_code: int
    totals: dict[str, int]
    jobs: tuple[JobResult, ...]
    verdict: Verdict
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the text of `report.json`; ends with a line end."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read `report.json`; raises `ValueError` when it is none."""
        return _REPORT.validate_json(text)


_REPORT: TypeAdapter[Report] = TypeAdapter(Report)
