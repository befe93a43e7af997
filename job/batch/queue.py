"""One node of `--queue`: it takes the next job from the output directory that all nodes share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from job.batch.cancelling import CancelControl
from job.batch.planning import PlannedJob, decide_again
from job.batch.queue_batch import REPORTS, Ended, QueueBatch
from job.batch.queue_recorder import QueueRecorder
from job.batch.queue_results import QueueResults
from job.batch.reuse import PreparedJob, prepare_jobs, reuse_results
from job.batch.shared_trainings import with_model
from job.results.batch_report import SetAside
from job.running.task import Task
from job.storage.lease import Lease
from job.workers.job_control import Intent
from job.workers.run_task import LEASE_CHECK_SECONDS

COLLECT_SECONDS = 10.0
"""Interval in which a node whose workers are busy collects the results of other nodes, for its log."""


class JobQueue(CancelControl):
    """The jobs of a batch that several nodes share, as one node sees them.

    Args:
        plan: the jobs of the batch, in the order in which they are taken.
        batch: what the nodes share.
        recorder: records the jobs of this node.
        results: of all nodes.
        make_task: makes a task of a prepared job.
    """

    def __init__(
        self,
        plan: Sequence[PlannedJob],
        batch: QueueBatch,
        recorder: QueueRecorder,
        results: QueueResults,
        make_task: Callable[[PreparedJob], Task],
    ) -> None:
        super().__init__(recorder.output, recorder)
        self._plan, self._batch, self._make_task = plan, batch, make_task
        self._names = {planned.job.name for planned in plan}
        self._queue_recorder, self._results = recorder, results
        self._mine: set[str] = set()
        self._looked_at = -math.inf
        self._collected_at = -math.inf
        self._checked: dict[str, float] = {}

    @property
    def open(self) -> bool:
        """Whether a job of any node has no result yet, or one of this node may not count."""
        known = all(self._results.known(planned.job.name) for planned in self._plan)
        return not known or self._batch.place.unsettled

    @property
    def failed(self) -> bool:
        """Whether a job of any node has failed."""
        return self._results.failed

    def take(self) -> Task | None:
        """Return a task for the next job that no living node works on, with a lease; None if there is none.

        Collects the results of other nodes, and reuses those of jobs that were done before.

        Raises:
            OSError: the output directory cannot be read or written to.
        """
        now = time.monotonic()
        for planned in self._plan:
            if planned.job.name in self._batch.taking:
                return self.take_job(planned)
        if now - self._looked_at < self._batch.nodes.beat_seconds:
            return None
        self._learn()
        ended = self._collect_ended()
        for planned in self._plan:
            name = planned.job.name
            if self._results.known(name) or name in self._mine or name in ended:
                continue
            if self._waits(planned):
                continue
            if (task := self.take_job(planned)) is not None:
                return task
            if self._batch.taking:
                return None
        self._looked_at = now
        return None

    def _collect_ended(self) -> set[str]:
        """Collect the results of other nodes, and count the jobs they work on; return what has ended."""
        ended = self._batch.ended()
        for planned in self._plan:
            name = planned.job.name
            if name in ended and name not in self._mine and not self._results.known(name):
                self._collect(planned)
        self._results.log.elsewhere(len(self._batch.leased() - ended - self._mine))
        return ended

    def _collect(self, planned: PlannedJob) -> None:
        cancelled = self._batch.read_ended(planned.job.name).cancelled
        self._results.collect(planned, cancelled=cancelled)

    def _learn(self) -> None:
        """Forget results that do not count; give up if nothing can be learned of the other nodes any more."""
        if self._batch.one_reports:
            self._batch.take(REPORTS)
        for name in self._batch.place.refuted():
            self._results.by_name.pop(name, None)
            self._mine.discard(name)
        if why := self._batch.place.unreachable():
            names = (name for name in self._names - self._mine if not self._results.known(name))
            self._results.unusable |= dict.fromkeys(names, why)

    def take_job(self, planned: PlannedJob) -> Task | None:
        """Return the task of a job, with a lease; None if another node has it, or its result is reused."""
        lease = self._batch.take(planned.job.name)
        if lease is None:
            return None
        if planned.job.name in self._batch.ended():  # meanwhile
            self._collect(planned)
            return None
        return self._begin(planned, lease)

    def _waits(self, planned: PlannedJob) -> bool:
        """Return whether a job takes or starts from the model of one of the batch that has no result yet."""
        if self._results.lack_model_of(planned.decision.after):
            return True
        parent = planned.start.job if planned.start is not None else None
        if parent is None or self._results.known(parent):
            return False
        return parent in self._names

    def intent(self, task: Task) -> Intent:
        """Return `drop` if another node has taken the job over, else as for any batch."""
        now, name = time.monotonic(), task.job.name
        self._collect_while_busy(now)
        if now - self._checked.get(name, -math.inf) >= LEASE_CHECK_SECONDS:
            if task.is_lost:
                return "drop"
            self._checked[name] = now
        return super().intent(task)

    def _collect_while_busy(self, now: float) -> None:
        """Collect once in `COLLECT_SECONDS`; what cannot be read then is read the next time."""
        if now - self._collected_at < COLLECT_SECONDS:
            return
        self._collected_at = now
        try:
            self._collect_ended()
        except OSError:
            return

    def dropped(self, task: Task) -> None:
        """Note that another node has taken a job over, whose result will be collected."""
        self._mine.discard(task.job.name)
        self._queue_recorder.dropped(task)

    def _begin(self, planned: PlannedJob, lease: Lease) -> Task | None:
        """Return the task of a job that this node has a lease of; None if its result is reused."""
        recorder, name = self._queue_recorder, planned.job.name
        planned = decide_again(planned, recorder.output)
        if planned.decision.after:
            planned = with_model(planned, self._results.by_name, recorder.output)
        asides: list[SetAside] = []
        reused = reuse_results([planned], recorder.output, recorder.log, asides)
        recorder.set_aside_by_job[name] = asides
        if reused:
            self._results.by_name |= reused
            self._batch.end(name, Ended(reused=lease.number == 1, set_aside=tuple(asides)))
            return None
        (prepared,) = prepare_jobs([planned], recorder.output, recorder.log, asides, fresh=False)
        recorder.reasons[name] = prepared.reason
        self._mine.add(name)
        return replace(self._make_task(prepared), lease=lease)
