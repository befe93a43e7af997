"""The jobs of one process that wait for the model of another job with the same training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from job.batch.cancelling import CancelControl
from job.batch.job_recorder import JobRecorder
from job.batch.reuse import PreparedJob, prepare_jobs
from job.batch.shared_trainings import with_model
from job.results.job_result import JobResult
from job.running.task import Task


class WaitingJobs(CancelControl):
    """Prepares the jobs that wait, when the first of those with the same training has ended.

    Args:
        jobs: the jobs that wait.
        recorder: records the jobs.
        results: of the jobs that have ended, by name; it grows.
        make_task: makes a task of a prepared job.
    """

    def __init__(
        self,
        jobs: Sequence[PreparedJob],
        recorder: JobRecorder,
        results: Mapping[str, JobResult],
        make_task: Callable[[PreparedJob], Task],
    ) -> None:
        super().__init__(recorder.output, recorder)
        self._jobs = {prepared.planned.job.name: prepared.planned for prepared in jobs}
        self._results, self._make_task = results, make_task

    def prepare(self, task: Task) -> Task:
        """Return the task of a job that has waited: to evaluate a model, or to train.

        Raises:
            OSError: a file cannot be read or written.
        """
        recorder = self.recorder
        planned = with_model(self._jobs[task.job.name], self._results, recorder.output)
        (prepared,) = prepare_jobs([planned], recorder.output, recorder.log, recorder.asides, fresh=False)
        recorder.reasons[task.job.name] = prepared.reason
        return self._make_task(prepared)
