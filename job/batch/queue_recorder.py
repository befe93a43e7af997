"""Recording how the jobs of one node of `--queue` ended, so that the other nodes know."""

from __future__ import annotations

from job.batch.cluster_jobs import ClusterJobs
from job.batch.job_recorder import JobRecorder
from job.batch.progress import Log
from job.batch.queue_batch import Ended, QueueBatch
from job.results.batch_report import SetAside
from job.results.job_result import Failure, JobResult
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.storage.artifacts import OutputPaths


class QueueRecorder(JobRecorder):
    """A recorder of the jobs of one node, which tells the others when a job has ended.

    Args:
        log: receives the progress.
        output: the output directory.
        batch: what the nodes share.
        cluster: the jobs that all processes of a cluster train together, if there is one.
    """

    def __init__(
        self, log: Log, output: OutputPaths, batch: QueueBatch, cluster: ClusterJobs | None = None
    ) -> None:
        super().__init__(log, output, [], {})
        self.batch, self.cluster = batch, cluster
        self.set_aside_by_job: dict[str, list[SetAside]] = {}

    def started(self, task: Task) -> None:
        """Report that a worker has taken the job, and announce it to the processes that take part."""
        super().started(task)
        if task.cluster is not None and self.cluster is not None:
            self.cluster.announce(task)

    def finished(self, task: Task, outcome: TrainedJob | Failure) -> JobResult:
        """Record a trained or failed job, and that it has ended."""
        result = super().finished(task, outcome)
        self._end(task, failed=not result.finished)
        return result

    def cancelled(self, task: Task) -> JobResult:
        """Record a cancelled job, and that it has ended in this batch."""
        result = super().cancelled(task)
        self._end(task, failed=True, cancelled=task.trained is not None)
        return result

    def tick(self) -> None:
        """Write the heartbeats of this node and of its jobs."""
        if self.cluster is not None:
            self.cluster.follow_stop()
        self.batch.nodes.beat()
        super().tick()

    def _end(self, task: Task, *, failed: bool, cancelled: bool = False) -> None:
        replaced = [aside for aside in self.asides if aside.job == task.job.name]
        asides = (*self.set_aside_by_job.get(task.job.name, ()), *replaced)
        self.batch.end(task.job.name, Ended(failed=failed, set_aside=asides, cancelled=cancelled))
