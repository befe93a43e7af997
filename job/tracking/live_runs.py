"""The runs of jobs that are being trained: each point is sent once, also if the training is resumed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from job.storage.artifacts import OutputPaths
from job.storage.documents import read_object
from job.tracking.mlflow_batch import MlflowBatch, alone
from job.tracking.run_content import (
    JOB_TAG,
    LIVE_TAG,
    RESULT_TAG,
    history_points,
    spec_params,
)


@dataclass(frozen=True, kw_only=True)
class LiveJob:
    """A job that is being trained.

    Args:
        name: of the job.
        training: its training fingerprint.
        history: columns of `history.csv` so far.
        spec: the job's resolved spec.
    """

    name: str
    training: str
    history: Mapping[str, list[int | float | None]]
    spec: Mapping[str, Any]


class LiveRuns:
    """The runs of the jobs that one process trains.

    Args:
        output: the output directory of the batch.
    """

    def __init__(self, output: OutputPaths) -> None:
        self._output = output
        with alone(output):
            self._batch = MlflowBatch(output, datetime.now(timezone.utc).isoformat())
        self._runs: dict[str, str] = {}
        self._sent: dict[str, set[tuple[str, int]]] = {}

    def send(self, job: LiveJob) -> None:
        """Send the points of a job that its run does not have."""
        points = [*history_points(job.history)]
        if job.name not in self._runs:
            self._runs[job.name] = self._run_of(job)
        run = self._runs[job.name]
        if run not in self._sent:
            self._sent[run] = self._batch.logged(run, {point.name for point in points})
        new = [point for point in points if (point.name, point.step) not in self._sent[run]]
        self._batch.log_points(run, new, round(1000 * time.time()))
        self._sent[run].update((point.name, point.step) for point in new)

    def _run_of(self, job: LiveJob) -> str:
        """Return the run of a job, which is there if its training was resumed."""
        found = ""
        for run in self._batch.jobs:
            tags, number = run.data.tags, str(run.info.run_id)
            if tags.get(JOB_TAG) != job.name or RESULT_TAG in tags:
                continue
            if tags[LIVE_TAG] == job.training and not found:
                found = number
                self._batch.client.update_run(number, status="RUNNING")
            else:  # of an earlier spec: it will have no result
                self._batch.client.set_terminated(number, "KILLED")
        if found:
            return found
        tags = {LIVE_TAG: job.training, JOB_TAG: job.name}
        number = self._batch.create_run(job.name, tags, round(1000 * time.time()))
        self._batch.log_params(number, dict(spec_params(job.spec)))
        return number

    def close(self) -> None:
        """Mark the runs of jobs that have no result, as they were stopped."""
        for name, run in self._runs.items():
            status = read_object(self._output.job(name).result).get("status", "interrupted")
            if status == "interrupted":
                self._batch.client.set_terminated(run, "KILLED")
