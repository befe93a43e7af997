"""What a tracker gets of a job: parameters, metrics over steps, final metrics, tags and files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from job.metrics import VALIDATION
from job.reports.content import gate_condition
from job.results.comparison_records import JobComparison
from job.results.job_result import Artifact, GateOutcome, JobResult
from job.storage.artifacts import JobPaths

PREFIX = "seq2seq_job."
"""Prefix of the tags of this package."""

RESULT_TAG = f"{PREFIX}result"
"""Tag of a job's run: equal for equal results, whatever gates judged them."""

LIVE_TAG = f"{PREFIX}live"
"""Tag of the run of a job that has no result yet: its training fingerprint."""

JOB_TAG = f"{PREFIX}job"
"""Tag with the name of a job."""

MAX_FILE_BYTES = 10 * 2**20
"""Size up to which a file is uploaded."""

MAX_TEXT = 5000
"""Number of characters of the value of a parameter or a tag; trackers have limits."""

_SECTIONS = ("problem", "model", "training", "evaluation")
_STATUSES = {"passed": "FINISHED", "gate_failed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_NOT_IN_NAMES = re.compile(r"[^\w.: -]", re.ASCII)  # trackers take `/` only where it forms a path
_FILES = ("spec.yaml", "history.csv")


@dataclass(frozen=True, kw_only=True)
class MetricPoint:
    """A value of a metric.

    Args:
        name: of the metric.
        value: finite.
        step: training step; that of the last one for metrics of the evaluation.
    """

    name: str
    value: float
    step: int


@dataclass(frozen=True, kw_only=True)
class RunContent:
    """What a tracker gets of a job.

    Args:
        name: of the job.
        result: see `RESULT_TAG`.
        status: `FINISHED`, `FAILED` or `KILLED`.
        params: dotted key of the spec -> value; keys without a value are left out.
        points: the columns of `history.csv` as `history.COLUMN`, then the metrics of the test (`test.NAME`),
            of validation (`validation.NAME`) and the timings (`timing.NAME`).
        tags: the verdict, fingerprints and versions; of a result that is known they may change.
        files: to upload, relative to the job directory.
    """

    name: str
    result: str
    status: str
    params: dict[str, str]
    points: tuple[MetricPoint, ...]
    tags: dict[str, str]
    files: tuple[str, ...]


def run_content(result: JobResult, paths: JobPaths, comparison: JobComparison | None = None) -> RunContent:
    """Return what a tracker gets of a job.

    Args:
        result: of the job.
        paths: of the job.
        comparison: of the job with its baseline.
    """
    files = [*_files(result, paths)]
    small = tuple(name for name, size in files if size <= MAX_FILE_BYTES)
    large = [name for name, size in files if size > MAX_FILE_BYTES]
    tags = {**_tags(result, comparison), **({f"{PREFIX}too_large": ", ".join(large)} if large else {})}
    return RunContent(
        name=result.name,
        result=result_id(result),
        status=_STATUSES[result.status],
        params=dict(spec_params(result.spec)),
        points=(*history_points(result.history), *_final(result)),
        tags={key: value[:MAX_TEXT] for key, value in tags.items()},
        files=small,
    )


def result_id(result: JobResult) -> str:
    """Return the SHA-256 of a result without its verdict and the list of its files."""
    measured = replace(result.without_verdict(), artifacts=())
    return hashlib.sha256(measured.to_json().encode("utf-8", errors="replace")).hexdigest()


def tracked_name(name: str) -> str:
    """Return a name with only the characters that trackers allow."""
    return _NOT_IN_NAMES.sub("_", name)[:250]


def spec_params(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a job: dotted key of its spec and value."""
    given = {"seed": spec.get("seed"), "device": spec.get("device")}
    for key, value in _flattened({**given, **{name: spec.get(name, {}) for name in _SECTIONS}}):
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield tracked_name(key), text[:MAX_TEXT]


def _flattened(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def history_points(history: Mapping[str, Sequence[int | float | None]]) -> Iterator[MetricPoint]:
    """Yield the points of a training.

    Args:
        history: columns of `history.csv`, with `step`.
    """
    columns = dict(history)
    steps = columns.pop("step", [])
    for column, values in columns.items():
        name = tracked_name(f"history.{column}")
        for step, value in zip(steps, values, strict=True):
            if value is not None and step is not None:
                yield MetricPoint(name=name, value=float(value), step=int(step))


def _final(result: JobResult) -> Iterator[MetricPoint]:
    validation = result.validation.metrics if result.validation else {}
    named = {
        **{f"test.{name}": value for name, value in result.metrics.items()},
        **{f"{VALIDATION}{name}": value for name, value in validation.items()},
        **{f"timing.{name}": value for name, value in result.timings.items()},
    }
    for name, value in named.items():
        yield MetricPoint(name=tracked_name(name), value=float(value), step=result.data.steps or 0)


def _tags(result: JobResult, comparison: JobComparison | None) -> dict[str, str]:
    environment = result.environment
    versions = environment.get("versions", {})
    tags = {
        JOB_TAG: result.name,
        f"{PREFIX}verdict": result.status if result.judged or not result.finished else "no gates",
        f"{PREFIX}error": result.error.summary if result.error else "",
        f"{PREFIX}baseline": comparison.reason if comparison else "",
        f"{PREFIX}fingerprint": result.fingerprint,
        f"{PREFIX}training_fingerprint": result.training_fingerprint,
        f"{PREFIX}test_fingerprint": result.test_fingerprint,
        f"{PREFIX}parameters": str(result.parameters or ""),
        "mlflow.source.git.commit": environment.get("git_commit") or "",
        **{f"{PREFIX}{key}": str(environment.get(key) or "") for key in ("platform", "processor", "kernel")},
        **{f"{PREFIX}version.{name}": version or "" for name, version in versions.items()},
        **{f"{PREFIX}gate.{gate.metric}": _gate(gate) for gate in result.gates},
    }
    return {tracked_name(key): value for key, value in tags.items() if value}


def _gate(gate: GateOutcome) -> str:
    value = "not measured" if gate.value is None else f"{gate.value:.6g}"
    return f"{'passed' if gate.passed else 'failed'}: {value}, {gate_condition(gate)}"


def _files(result: JobResult, paths: JobPaths) -> Iterator[tuple[str, int]]:
    """Yield the names and sizes of the files to upload: no predictions, which quote the data."""
    recorded = paths.result
    if recorded.is_file():
        yield recorded.name, recorded.stat().st_size
    for artifact in result.artifacts:
        if _is_uploaded(artifact) and (path := paths.directory / artifact.path).is_file():
            yield artifact.path, path.stat().st_size


def _is_uploaded(artifact: Artifact) -> bool:
    return artifact.path in _FILES or artifact.path.endswith(".svg") or artifact.path.startswith("model/")
