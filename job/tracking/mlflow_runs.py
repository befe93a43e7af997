"""The runs of a batch on an MLflow server; each result is logged once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths
from job.tracking.batch_number import batch_number
from job.tracking.run_content import MAX_TEXT, PREFIX, RESULT_TAG, RunContent, run_content

EXPERIMENT = "seq2seq-job"
"""Name of the experiment, unless MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID names another one."""

BATCH_TAG = f"{PREFIX}batch"
"""Tag of all runs of a batch: the number in `mlflow.json` of its output directory."""

COMPLETE_TAG = f"{PREFIX}complete"
"""Tag of a job's run that has everything."""

_PARENT_TAG = "mlflow.parentRunId"
_EXIT_TAG = f"{PREFIX}exit_code"
_METRICS_AT_ONCE, _PARAMS_AT_ONCE = 1000, 100


class MlflowRuns:
    """The runs of a batch on the tracking server, as MLflow's environment variables name it.

    Args:
        output: the output directory of the batch.
    """

    def __init__(self, output: OutputPaths) -> None:
        from mlflow.tracking import MlflowClient

        self._output, self._client = output, MlflowClient()
        self._batch = batch_number(output)

    def log(self, report: Report) -> None:
        """Log the jobs of a report, then the report."""
        given = os.environ.get("MLFLOW_RUN_ID") or None
        experiment = self._client.get_run(given).info.experiment_id if given else self._experiment()
        found = [*self._search(experiment, given)]
        parents = [run for run in found if RESULT_TAG not in run.data.tags]
        parent = given or (parents[0].info.run_id if parents else self._create_parent(experiment, report))
        known = {run.data.tags[RESULT_TAG]: run for run in found if RESULT_TAG in run.data.tags}
        compared = {job.name: job for job in report.comparison.jobs} if report.comparison else {}
        for result in report.jobs:
            content = run_content(result, self._output.job(result.name), compared.get(result.name))
            self._log_job(content, result, parent, experiment, known)
        self._log_report(report, parent, end=not given)

    def _experiment(self) -> str:
        """Return the id of the experiment, which is created if it is missing."""
        if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return number
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except Exception:  # another process may have created it meanwhile
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _search(self, experiment: str, parent: str | None) -> Iterator[Any]:
        """Yield the runs of this batch that are there: those below a given run, or with its number."""
        tag, value = (BATCH_TAG, self._batch) if parent is None else (_PARENT_TAG, parent)
        token = None
        while True:
            where = f"tags.`{tag}` = '{value}'"
            page = self._client.search_runs([experiment], where, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _create_parent(self, experiment: str, report: Report) -> str:
        tags = {BATCH_TAG: self._batch, "mlflow.source.name": "seq2seq-job"}
        name = f"batch of {report.started_at[:16].replace('T', ' ')}"
        return str(self._client.create_run(experiment, tags=tags, run_name=name).info.run_id)

    def _log_job(
        self, content: RunContent, result: JobResult, parent: str, experiment: str, known: Mapping[str, Any]
    ) -> None:
        """Log a job, or only its verdict if its result is logged already."""
        run = known.get(content.result)
        if run is not None and COMPLETE_TAG in run.data.tags:
            self._update_tags(run, content.tags)
            return
        if run is not None:  # a process was stopped while it wrote it
            self._client.delete_run(run.info.run_id)
        began = self._began(result)
        tags = {BATCH_TAG: self._batch, RESULT_TAG: content.result, _PARENT_TAG: parent, **content.tags}
        new = self._client.create_run(experiment, start_time=began, tags=tags, run_name=content.name)
        number = new.info.run_id
        self._log_values(number, content, began)
        directory = self._output.job(content.name).directory
        for file in content.files:
            folder = Path(file).parent.as_posix()
            self._client.log_artifact(number, str(directory / file), None if folder == "." else folder)
        self._client.log_dict(number, result.environment, "environment.json")
        self._client.set_tag(number, COMPLETE_TAG, "true")
        ended = began + round(1000 * result.timings.get("total_seconds", 0.0))
        self._client.set_terminated(number, content.status, ended)

    def _began(self, result: JobResult) -> int:
        """Return about when a job began, in milliseconds since 1970: before its result was written."""
        path = self._output.job(result.name).result
        ended = path.stat().st_mtime if path.exists() else time.time()
        return round(1000 * (ended - result.timings.get("total_seconds", 0.0)))

    def _log_values(self, run: str, content: RunContent, began: int) -> None:
        from mlflow.entities import Metric, Param

        params = [Param(key, value) for key, value in content.params.items()]
        for first in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(run, params=params[first : first + _PARAMS_AT_ONCE])
        metrics = [Metric(point.name, point.value, began, point.step) for point in content.points]
        for first in range(0, len(metrics), _METRICS_AT_ONCE):
            self._client.log_batch(run, metrics=metrics[first : first + _METRICS_AT_ONCE])

    def _update_tags(self, run: Any, tags: Mapping[str, str]) -> None:
        """Give a run that is complete the tags of the present verdict, and remove those of earlier ones."""
        number, recorded = run.info.run_id, run.data.tags
        self._set_tags(number, {key: value for key, value in tags.items() if recorded.get(key) != value})
        for key in recorded:
            if key.startswith(PREFIX) and key not in (*tags, BATCH_TAG, RESULT_TAG, COMPLETE_TAG):
                self._client.delete_tag(number, key)

    def _set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        if tags:
            self._client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])

    def _log_report(self, report: Report, parent: str, *, end: bool) -> None:
        """Log a report to the run of the batch, which fails as long as the report of a shard does."""
        label = f".{self._output.shard}" if self._output.shard else ""
        tags = {
            BATCH_TAG: self._batch,
            f"{_EXIT_TAG}{label}": str(report.exit_code),
            f"{PREFIX}reasons{label}": "\n".join(report.verdict.reasons)[:MAX_TEXT],
            **{f"{PREFIX}jobs.{name}{label}": str(count) for name, count in report.totals.items()},
        }
        self._set_tags(parent, tags)
        for path in self._output.report_files:
            if path.is_file():
                self._client.log_artifact(parent, str(path))
        if end:
            recorded = self._client.get_run(parent).data.tags
            codes = {value for key, value in recorded.items() if key.startswith(_EXIT_TAG)}
            self._client.set_terminated(parent, "FINISHED" if codes == {"0"} else "FAILED")
