"""The run of a batch on an MLflow server with the runs of its jobs: found by their tags, or created."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from job.batch.lock import lock_file
from job.errors import OutputError
from job.storage.artifacts import OutputPaths
from job.tracking.batch_number import batch_number
from job.tracking.run_content import LIVE_TAG, PREFIX, RESULT_TAG, MetricPoint

EXPERIMENT = "seq2seq-job"
"""Name of the experiment, unless MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID names another one."""

BATCH_TAG = f"{PREFIX}batch"
"""Tag of all runs of a batch: the number in `mlflow.json` of its output directory."""

PARENT_TAG = "mlflow.parentRunId"

_LOCK = ".lock-mlflow"
_METRICS_AT_ONCE, _PARAMS_AT_ONCE = 1000, 100


class MlflowBatch:
    """The runs of a batch on the tracking server, as MLflow's environment variables name it.

    Attributes:
        client: of the server.
        number: of the batch.
        given: the run that the user has made for the batch; None if it is this package's.
        experiment: id of the experiment.
        parent: id of the run of the batch.
        jobs: the runs of jobs that were there.

    Args:
        output: the output directory of the batch.
        began_at: when it began, ISO 8601, for the name of a new run.
    """

    def __init__(self, output: OutputPaths, began_at: str) -> None:
        from mlflow.tracking import MlflowClient

        self.client: Any = MlflowClient()
        self.number = batch_number(output)
        self.given = os.environ.get("MLFLOW_RUN_ID") or None
        self.experiment = (
            self._experiment()
            if self.given is None
            else str(self.client.get_run(self.given).info.experiment_id)
        )
        found = [*self._search()]
        self.jobs = [run for run in found if {RESULT_TAG, LIVE_TAG} & run.data.tags.keys()]
        parents = [run.info.run_id for run in found if run not in self.jobs]
        self.parent = self.given or (parents[0] if parents else self._create_parent(began_at))

    def _experiment(self) -> str:
        """Return the id of the experiment, which is created if it is missing."""
        if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return number
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self.client.create_experiment(name))
            except Exception:  # another process may have created it meanwhile
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _search(self) -> Iterator[Any]:
        """Yield the runs of this batch that are there: those below a given run, or with its number."""
        tag, value = (BATCH_TAG, self.number) if self.given is None else (PARENT_TAG, self.given)
        token = None
        while True:
            where = f"tags.`{tag}` = '{value}'"
            page = self.client.search_runs([self.experiment], where, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _create_parent(self, began_at: str) -> str:
        tags = {BATCH_TAG: self.number, "mlflow.source.name": "seq2seq-job"}
        name = f"batch of {began_at[:16].replace('T', ' ')}"
        return str(self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id)

    def create_run(self, name: str, tags: Mapping[str, str], began: int) -> str:
        """Create the run of a job and return its id.

        Args:
            name: of the job.
            tags: besides those of all runs of the batch.
            began: when it began, in milliseconds since 1970.
        """
        given = {BATCH_TAG: self.number, PARENT_TAG: self.parent, **tags}
        run = self.client.create_run(self.experiment, start_time=began, tags=given, run_name=name)
        return str(run.info.run_id)

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        from mlflow.entities import RunTag

        if tags:
            self.client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_params(self, run: str, params: Mapping[str, str]) -> None:
        """Log parameters; those that are there already must have the same values."""
        from mlflow.entities import Param

        rows = [Param(key, value) for key, value in params.items()]
        for first in range(0, len(rows), _PARAMS_AT_ONCE):
            self.client.log_batch(run, params=rows[first : first + _PARAMS_AT_ONCE])

    def log_points(self, run: str, points: Iterable[MetricPoint], at: int) -> None:
        """Log points of metrics.

        Args:
            run: its id.
            points: none of them is there.
            at: their time, in milliseconds since 1970.
        """
        from mlflow.entities import Metric

        rows = [Metric(point.name, point.value, at, point.step) for point in points]
        for first in range(0, len(rows), _METRICS_AT_ONCE):
            self.client.log_batch(run, metrics=rows[first : first + _METRICS_AT_ONCE])

    def logged(self, run: str, names: Collection[str]) -> set[tuple[str, int]]:
        """Return name and step of all points of some metrics that a run has."""
        return {(name, row.step) for name in names for row in self.client.get_metric_history(run, name)}


@contextmanager
def alone(output: OutputPaths) -> Iterator[None]:
    """Wait until no other process logs this output directory: runs are looked for before they are created."""
    while True:
        try:
            with lock_file(output.root / _LOCK):
                yield
                return
        except OutputError:
            time.sleep(0.5)
