"""One node of `--queue`: it takes the next job from the output directory that all nodes share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from job.batch.balanced_shards import longest_first
from job.batch.cancelling import CancelControl
from job.batch.planning import PlannedJob, decide_again
from job.batch.queue_batch import Ended, QueueBatch
from job.batch.queue_recorder import QueueRecorder
from job.batch.resume import read_recorded_result
from job.batch.reuse import PreparedJob, prepare_jobs, reuse_results
from job.gating import gates
from job.results.batch_report import SetAside
from job.results.job_result import JobResult
from job.running.task import Task
from job.storage.lease import Lease
from job.workers.job_control import Intent
from job.workers.run_task import LEASE_CHECK_SECONDS


class JobQueue(CancelControl):
    """The jobs of a batch that several nodes share, as one node sees them.

    Args:
        plan: the jobs of the batch.
        batch: what the nodes share.
        recorder: records the jobs of this node.
        results: by job name, of all nodes.
        make_task: makes a task of a prepared job.
        costs: estimated seconds by job name: the job that takes longest is taken first.
    """

    def __init__(
        self,
        plan: Sequence[PlannedJob],
        batch: QueueBatch,
        recorder: QueueRecorder,
        results: dict[str, JobResult],
        make_task: Callable[[PreparedJob], Task],
        costs: Mapping[str, float],
    ) -> None:
        super().__init__(recorder.output, recorder)
        by_name = {planned.job.name: planned for planned in plan}
        order = longest_first({name: costs.get(name, 1.0) for name in by_name})
        self._plan = {name: by_name[name] for name in order}
        self._batch, self._queue_recorder, self._make_task = batch, recorder, make_task
        self.results = results
        self.unusable: dict[str, str] = {}
        self._mine: set[str] = set()
        self._looked_at = -math.inf
        self._checked: dict[str, float] = {}
        self._unread_since: dict[str, float] = {}

    @property
    def open(self) -> bool:
        """Whether a job of any node has no result yet."""
        return any(name not in self.results and name not in self.unusable for name in self._plan)

    @property
    def failed(self) -> bool:
        """Whether a job of any node has failed."""
        return any(result.status == "failed" for result in self.results.values())

    def take(self) -> Task | None:
        """Return a task for the next job that no living node works on, with a lease; None if there is none.

        Collects the results of other nodes, and reuses those of jobs that were done before.

        Raises:
            OSError: the output directory cannot be read or written to.
        """
        now = time.monotonic()
        if now - self._looked_at < self._batch.beat_seconds:
            return None
        ended = self._batch.ended()
        for name, planned in self._plan.items():
            if name in self.results or name in self.unusable or name in self._mine:
                continue
            if name in ended:
                self._collect(name)
                continue
            lease = self._batch.take(name)
            if lease is not None and name in self._batch.ended():  # meanwhile
                self._collect(name)
            elif lease is not None and (task := self._begin(planned, lease)) is not None:
                return task
        self._looked_at = now
        return None

    def intent(self, task: Task) -> Intent:
        """Return `drop` if another node has taken the job over, else as for any batch."""
        now, name = time.monotonic(), task.job.name
        if now - self._checked.get(name, -math.inf) >= LEASE_CHECK_SECONDS:
            if task.lease is not None and not task.lease.held:
                return "drop"
            self._checked[name] = now
        return super().intent(task)

    def dropped(self, task: Task) -> None:
        """Note that another node has taken a job over, whose result will be collected."""
        self._mine.discard(task.job.name)
        self._queue_recorder.dropped(task)

    def _begin(self, planned: PlannedJob, lease: Lease) -> Task | None:
        """Return the task of a job that this node has a lease of; None if its result is reused."""
        recorder, name = self._queue_recorder, planned.job.name
        planned = decide_again(planned, recorder.output)
        asides: list[SetAside] = []
        reused = reuse_results([planned], recorder.output, recorder.log, asides)
        recorder.set_aside_by_job[name] = asides
        if reused:
            self.results |= reused
            self._batch.end(name, Ended(reused=lease.number == 1, set_aside=tuple(asides)))
            return None
        (prepared,) = prepare_jobs([planned], recorder.output, recorder.log, asides, fresh=False)
        recorder.reasons[name] = prepared.reason
        self._mine.add(name)
        return replace(self._make_task(prepared), lease=lease)

    def _collect(self, name: str) -> None:
        """Take over the result of a job that another node has ended.

        A file server may show it later than that it has ended.
        """
        planned, since = self._plan[name], self._unread_since.setdefault(name, time.monotonic())
        result, unreadable = read_recorded_result(self._queue_recorder.output.job(name))
        if result is not None and result.fingerprint == planned.fingerprint:
            self.results[name] = gates.judge_result(result, planned.job.gate, planned.job.seeds)
            self._queue_recorder.log.finished(self.results[name])
        elif time.monotonic() - since > self._batch.lease_seconds:
            self.unusable[name] = unreadable or "another node has left no result of this spec"
