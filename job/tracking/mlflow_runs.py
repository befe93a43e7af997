"""The runs of a batch on an MLflow server when it has ended; each result is logged once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths
from job.tracking.mlflow_batch import BATCH_TAG, MlflowBatch
from job.tracking.run_content import (
    JOB_TAG,
    LIVE_TAG,
    MAX_TEXT,
    PREFIX,
    RESULT_TAG,
    RunContent,
    run_content,
)

COMPLETE_TAG = f"{PREFIX}complete"
"""Tag of a job's run that has everything."""

_EXIT_TAG = f"{PREFIX}exit_code"


class MlflowRuns:
    """The runs of a batch on the tracking server, as MLflow's environment variables name it.

    Args:
        output: the output directory of the batch.
    """

    def __init__(self, output: OutputPaths) -> None:
        self._output = output

    def log(self, report: Report) -> None:
        """Log the jobs of a report, then the report."""
        batch = MlflowBatch(self._output, report.started_at)
        known = {run.data.tags[RESULT_TAG]: run for run in batch.jobs if RESULT_TAG in run.data.tags}
        compared = {job.name: job for job in report.comparison.jobs} if report.comparison else {}
        for result in report.jobs:
            content = run_content(result, self._output.job(result.name), compared.get(result.name))
            self._log_job(batch, content, result, known)
        self._log_report(batch, report)

    def _log_job(
        self, batch: MlflowBatch, content: RunContent, result: JobResult, known: Mapping[str, Any]
    ) -> None:
        """Log a job, or only its verdict if its result is logged already."""
        run = known.get(content.result)
        if run is not None and COMPLETE_TAG in run.data.tags:
            _update_tags(batch, run, content.tags)
            return
        if run is not None:  # a process was stopped while it wrote it
            batch.client.delete_run(run.info.run_id)
        began = self._began(result)
        number, there = _run_of(batch, content, result, began)
        batch.log_params(number, content.params)
        missing = [point for point in content.points if (point.name, point.step) not in there]
        batch.log_points(number, missing, round(1000 * time.time()) if there else began)
        directory = self._output.job(content.name).directory
        for file in content.files:
            folder = Path(file).parent.as_posix()
            batch.client.log_artifact(number, str(directory / file), None if folder == "." else folder)
        batch.client.log_dict(number, result.environment, "environment.json")
        batch.client.set_tag(number, COMPLETE_TAG, "true")
        ended = began + round(1000 * result.timings.get("total_seconds", 0.0))
        batch.client.set_terminated(number, content.status, ended)

    def _began(self, result: JobResult) -> int:
        """Return about when a job began, in milliseconds since 1970: before its result was written."""
        path = self._output.job(result.name).result
        ended = path.stat().st_mtime if path.exists() else time.time()
        return round(1000 * (ended - result.timings.get("total_seconds", 0.0)))

    def _log_report(self, batch: MlflowBatch, report: Report) -> None:
        """Log a report to the run of the batch, which fails as long as the report of a shard does."""
        label, parent = f".{self._output.shard}" if self._output.shard else "", batch.parent
        tags = {
            BATCH_TAG: batch.number,
            f"{_EXIT_TAG}{label}": str(report.exit_code),
            f"{PREFIX}reasons{label}": "\n".join(report.verdict.reasons)[:MAX_TEXT],
            **{f"{PREFIX}jobs.{name}{label}": str(count) for name, count in report.totals.items()},
        }
        batch.set_tags(parent, tags)
        for path in self._output.report_files:
            if path.is_file():
                batch.client.log_artifact(parent, str(path))
        if batch.given is None:
            recorded = batch.client.get_run(parent).data.tags
            codes = {value for key, value in recorded.items() if key.startswith(_EXIT_TAG)}
            batch.client.set_terminated(parent, "FINISHED" if codes == {"0"} else "FAILED")


def _run_of(
    batch: MlflowBatch, content: RunContent, result: JobResult, began: int
) -> tuple[str, set[tuple[str, int]]]:
    """Return the run that followed the training of a result, or a new one, and the points that it has."""
    tags = {RESULT_TAG: content.result, **content.tags}
    for run in batch.jobs:
        followed = run.data.tags.get(LIVE_TAG) == result.training_fingerprint
        if followed and RESULT_TAG not in run.data.tags and run.data.tags.get(JOB_TAG) == result.name:
            number = str(run.info.run_id)
            if any(content.params.get(key) != value for key, value in run.data.params.items()):
                batch.client.delete_run(number)  # its evaluation was changed, and parameters cannot be
                continue
            batch.set_tags(number, tags)
            batch.client.delete_tag(number, LIVE_TAG)
            return number, batch.logged(number, {point.name for point in content.points})
    return batch.create_run(content.name, tags, began), set()


def _update_tags(batch: MlflowBatch, run: Any, tags: Mapping[str, str]) -> None:
    """Give a run that is complete the tags of the present verdict, and remove those of earlier ones."""
    number, recorded = run.info.run_id, run.data.tags
    batch.set_tags(number, {key: value for key, value in tags.items() if recorded.get(key) != value})
    for key in recorded:
        if key.startswith(PREFIX) and key not in (*tags, BATCH_TAG, RESULT_TAG, COMPLETE_TAG):
            batch.client.delete_tag(number, key)
