"""The message about the end of a batch: what `--on-end` gives to a command, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from job.errors import BAD_BASELINE, BAD_USAGE, FAILED, GATE_FAILED, OK
from job.reports.comparison_content import regressions_in_words
from job.reports.content import counts, headline, missing_reason
from job.reports.what_changed import comparison_changes
from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths

VerdictWord = Literal["passed", "failed", "refused", "worse", "not_comparable", "interrupted"]

_VERDICTS: dict[int, VerdictWord] = {
    OK: "passed",
    FAILED: "failed",
    BAD_USAGE: "refused",
    GATE_FAILED: "worse",
    BAD_BASELINE: "not_comparable",
}
_MAX_REASON = 300


@dataclass(frozen=True, kw_only=True)
class EndedJob:
    """A job in the message.

    Args:
        name: of the job.
        status: `passed`, `gate_failed`, `failed`, `interrupted` or `missing`.
        reason: why it did not pass, at most 300 characters; empty if it did.
    """

    name: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class EndMessage:
    """The message.

    Args:
        exit_code: of the command.
        verdict: `passed` (0), `failed` (1), `refused` (2), `worse` (3: a gate failed, or a regression),
            `not_comparable` (4) or `interrupted`.
        headline: the verdict in one line.
        reasons: a sentence for each reason that the exit code is not 0, the most urgent first.
        summary: the jobs counted in one line; empty if the batch did not start.
        counts: number of jobs with each status.
        jobs: in the order of the plan.
        regressions: a line for each metric that is worse than the baseline.
        changes: a line for each thing besides the metrics that differs from the baseline.
        output: absolute path of the output directory.
        shard: which part of the batch this is; empty for the whole.
        reports: `html`, `json`, `markdown`, `junit` and `prometheus` -> absolute path, for those written.
        started_at, finished_at: ISO 8601 in UTC; empty if the batch did not start.
        schema_version: version of this format; adding keys does not change it.
    """

    exit_code: int
    verdict: VerdictWord
    headline: str
    reasons: tuple[str, ...]
    summary: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    jobs: tuple[EndedJob, ...] = ()
    regressions: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    output: str
    shard: str
    reports: dict[str, str]
    started_at: str = ""
    finished_at: str = ""
    schema_version: int = 1

    def to_json(self) -> str:
        """Return the message as JSON text that ends with a newline."""
        return json.dumps(asdict(self), indent=2) + "\n"


def end_message(
    output: OutputPaths, report: Report | None, *, written: bool, error: tuple[int, Sequence[str]] | None
) -> EndMessage:
    """Return the message about a batch that has ended.

    Args:
        output: the output directory.
        report: of the batch; None if it ended before it had one.
        written: whether the reports in the output directory are of this run.
        error: exit code and reasons of the error with which the command ended; None if the report decides.
    """
    if error is None:
        error = (report.exit_code, report.verdict.reasons) if report else (OK, ())
        line = headline(report) if report else f"Exit code {OK}"
    else:
        line = f"Exit code {error[0]}: {next(iter(error[1]), 'no reason is known')}"
    message = EndMessage(
        exit_code=error[0],
        verdict=_VERDICTS.get(error[0], "interrupted"),
        headline=line,
        reasons=tuple(error[1]),
        output=str(output.root.resolve()),
        shard=output.shard,
        reports=_reports(output) if written else {},
    )
    return message if report is None else _with_jobs(message, report)


def _with_jobs(message: EndMessage, report: Report) -> EndMessage:
    comparison = report.comparison
    return replace(
        message,
        summary=counts(report),
        counts=dict(report.totals),
        jobs=tuple(_ended_jobs(report)),
        regressions=tuple(regressions_in_words(comparison)) if comparison else (),
        changes=tuple(comparison_changes(comparison)) if comparison else (),
        started_at=report.started_at,
        finished_at=report.finished_at,
    )


def _ended_jobs(report: Report) -> Iterator[EndedJob]:
    for job in report.jobs:
        yield EndedJob(name=job.name, status=job.status, reason=_short(_reason(job)))
    for name in report.missing:
        yield EndedJob(name=name, status="missing", reason=_short(missing_reason(report, name)))


def _reason(job: JobResult) -> str:
    if job.error is not None:
        return job.error.summary
    return "; ".join(gate.shortfall for gate in job.gates if not gate.passed)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_REASON else f"{text[: _MAX_REASON - 1]}…"


def _reports(output: OutputPaths) -> dict[str, str]:
    files: dict[str, Path] = {
        "html": output.html,
        "json": output.report,
        "markdown": output.markdown,
        "junit": output.junit,
        "prometheus": output.prometheus,
    }
    return {name: str(path.resolve()) for name, path in files.items() if path.exists()}
