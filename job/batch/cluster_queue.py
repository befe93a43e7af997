"""One process of `--cluster`: a node of a queue, some of whose jobs all processes train together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from job.batch.cluster_jobs import HANG_SECONDS, ClusterJobs, attempt_key
from job.batch.planning import PlannedJob
from job.batch.queue import JobQueue
from job.batch.queue_batch import QueueBatch
from job.batch.queue_nodes import LOOK_SECONDS
from job.batch.queue_recorder import QueueRecorder
from job.batch.queue_results import QueueResults
from job.batch.reuse import PreparedJob
from job.results.job_result import Failure
from job.running.task import Task
from job.storage.artifacts import JobPaths, PartPaths
from job.workers.job_control import Intent


class ClusterQueue(JobQueue):
    """The jobs of a batch as one process of a cluster sees them.

    First the processes share the jobs without `multi_worker` as the nodes of a queue do. Then all of them
    train the others together, or evaluate their models again, one after the other.

    Args:
        plan, batch, recorder, results, make_task: see `JobQueue`.
        cluster: the processes, and what they tell each other.
    """

    def __init__(
        self,
        plan: Sequence[PlannedJob],
        batch: QueueBatch,
        recorder: QueueRecorder,
        results: QueueResults,
        make_task: Callable[[PreparedJob], Task],
        cluster: ClusterJobs,
    ) -> None:
        super().__init__(plan, batch, recorder, results, make_task)
        self._cluster = cluster
        self._looked_for_end = -math.inf
        self._begun: list[str] = []
        self._over: set[str] = set()

    def take_job(self, planned: PlannedJob) -> Task | None:
        """Return the task of a job, or this process's part in one that all processes train together.

        The chief takes such a job; the others take part in each attempt that it announces. If the chief is
        lost, the job is.
        """
        if not _is_shared(planned):
            return super().take_job(planned)
        if not self._cluster.cluster.is_chief:
            return self._take_part(planned)
        if not self._is_next(planned):
            return None
        task = super().take_job(planned)
        return None if task is None else replace(task, cluster=self._cluster.place(""))

    def _is_next(self, planned: PlannedJob) -> bool:
        """Return whether no job is left that is not shared, and no shared one before this.

        Jobs that wait for this one, or for a later one, do not count.
        """
        left = [p for p in self._plan if not self._results.known(p.job.name) and not self._waits(p)]
        return all(map(_is_shared, left)) and left[0] is planned

    def _take_part(self, planned: PlannedJob) -> Task | None:
        key = self._cluster.announced(planned.job.name)
        if key is None:
            if missing := self._cluster.missing():
                self._results.unusable[planned.job.name] = missing
            return None
        self._cluster.join(key)
        evaluated = self._cluster.evaluated(key)
        whole = planned.paths if evaluated is None else JobPaths(planned.paths.directory.with_name(evaluated))
        prepared = PreparedJob(planned=planned, paths=self._part_paths(whole, key))
        place = replace(self._cluster.place(key), evaluates=evaluated is not None)
        return replace(self._make_task(prepared), cluster=place)

    def _part_paths(self, whole: JobPaths, key: str) -> JobPaths:
        """Return the files of this process's part: its own log, and the checkpoint or model that all read."""
        folder = self._cluster.folder / f"{key}.{self._cluster.cluster.rank}"
        folder.mkdir(parents=True, exist_ok=True)
        return PartPaths(folder, whole)

    def intent(self, task: Task) -> Intent:
        """Return what to do with a running task, see `JobControl.intent`.

        A part is dropped if the job has ended, the chief has begun another attempt, or a process is lost. The
        chief's worker hangs if it has not noticed for `HANG_SECONDS` that another part has failed.
        """
        name = task.job.name
        if task.is_member:
            return "drop" if self._cluster.missing() or self._is_over(name) else "run"
        if task.cluster is not None and self._cluster.missing():
            return "lost"
        if task.cluster is not None and self._cluster.parts.failed_for(attempt_key(task)) >= HANG_SECONDS:
            return "hung"
        return super().intent(task)

    def _is_over(self, name: str) -> bool:
        """Return whether a job has ended or the chief has begun another attempt.

        The directory is read at most once in `LOOK_SECONDS`, for all tasks together.
        """
        now = time.monotonic()
        if now - self._looked_for_end >= LOOK_SECONDS:
            self._looked_for_end = now
            self._begun, self._over = self._cluster.begun(), self._batch.ended()
        return name in self._over or self._cluster.newest(name, self._begun) is not None

    def lost(self, task: Task) -> Failure:
        """Return the failure of a task whose cluster has lost a process."""
        return Failure("WorkerLost", f"{self._cluster.missing()}; start it again, and the run resumes")

    def peer_failure(self, task: Task, failure: Failure) -> Failure | None:
        """Return the failure if another process of the cluster made the task fail, else None."""
        return self._cluster.parts.peer_failure(attempt_key(task), failure)

    def hung(self, task: Task) -> Failure:
        """Return the failure of a task whose worker has not noticed that another part has failed."""
        return self._cluster.parts.hung(attempt_key(task))

    def worker_lost(self, task: Task, failure: Failure, *, joining: bool = False) -> Failure:
        """Return the failure of a task whose worker was lost; of a shared one with the processes' names."""
        if task.cluster is None:
            return failure
        return self._cluster.parts.not_joined(failure) if joining else self._cluster.parts.lost(failure)

    def member_ended(self, task: Task, failure: Failure | None) -> None:
        """Leave how this process's part in a task ended; it may take part in another attempt."""
        assert task.cluster is not None
        self._cluster.parts.end(task.cluster.key, failure)

    def dropped(self, task: Task) -> None:
        """Forget a task, see `JobQueue.dropped`; of a part nothing is recorded."""
        if not task.is_member:
            super().dropped(task)


def node_queue(
    plan: Sequence[PlannedJob],
    batch: QueueBatch,
    recorder: QueueRecorder,
    results: QueueResults,
    make_task: Callable[[PreparedJob], Task],
    cluster: ClusterJobs | None,
) -> JobQueue:
    """Return the queue of a node, or of a process of a cluster; arguments as of the classes."""
    if cluster is None:
        return JobQueue(plan, batch, recorder, results, make_task)
    return ClusterQueue(plan, batch, recorder, results, make_task, cluster)


def _is_shared(planned: PlannedJob) -> bool:
    """Return whether all processes of the cluster train a job together."""
    return planned.job.training.distribution == "multi_worker"
