"""A plan -> results on disk and a report."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from job.batch.batch_options import BatchOptions
from job.batch.derived_files import restore_and_record
from job.batch.plan import PlannedJob, entry_of
from job.batch.progress import Log
from job.batch.resume import make_room
from job.gating import batch_verdict, gates
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.process import environment
from job.process.stopping import Request
from job.reports.report_files import build_report, write_reports
from job.results.job_files import list_files
from job.results.records import FINISHED, Failure, JobResult, Progress, Report, SetAside, Status
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.storage import artifacts
from job.storage.artifacts import OutputPaths
from job.storage.links import open_to_append
from job.workers.limits import thread_count
from job.workers.pool import worker_pool
from job.workers.schedule import run_tasks


class _Recorder:
    """Writes a job's last files and its `result.json`, and tells the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.running: dict[str, Task] = {}

    def started(self, task: Task) -> None:
        self.running[task.job.name] = task
        self._log.started(task.job.name)

    def advanced(self, name: str, progress: Progress) -> None:
        self._log.advanced(name, progress)

    def lost(self, task: Task, failure: Failure) -> None:
        with suppress(OSError), open_to_append(task.paths.log) as log:
            log.write(f"attempt {task.attempt}: {failure.summary}\n")
        self._log.retried(task.job.name, failure)

    def finished(self, task: Task, outcome: TrainedJob | Failure) -> JobResult:
        result = self.record(task, outcome)
        del self.running[task.job.name]
        self._log.finished(result)
        return result

    def interrupted(self, task: Task, request: Request) -> JobResult:
        """Return the result of a job that was not finished; write it where the job was begun."""
        begun = task.job.name in self.running
        how = "" if begun else " before it was begun"
        failure = Failure("Interrupted", f"stopped by {request.cause}{how}; run the batch again to go on")
        result = _unfinished(task, failure, "interrupted")
        if begun:
            artifacts.write_text(task.paths.result, result.to_json())
            self._log.finished(result)
        return result

    def tick(self) -> None:
        self._log.tick()

    def record(self, task: Task, outcome: TrainedJob | Failure) -> JobResult:
        """Judge an outcome and write `result.json`, after all other files; nothing is left to go on from."""
        result = self._judged(task, outcome)
        artifacts.write_text(task.paths.result, result.to_json())
        if result.status in FINISHED:
            shutil.rmtree(task.paths.checkpoint, ignore_errors=True)
        return result

    def _judged(self, task: Task, outcome: TrainedJob | Failure) -> JobResult:
        """Return what is to be recorded; whatever is wrong with an outcome fails its job, not the batch."""
        if isinstance(outcome, Failure):
            return _unfinished(task, outcome, "failed")
        try:
            from job.reports.plots import write_plots  # loaded by `_run`, while the workers loaded TensorFlow

            result = gates.judge_trained(outcome, task.job.gate, task.job.seeds)
            write_plots(task.paths, result)
            result = replace(result, artifacts=list_files(task.paths.directory))
            result.to_json()
        except OSError:  # the output directory's fault
            raise
        except Exception as error:
            with suppress(OSError), open_to_append(task.paths.log) as log:
                traceback.print_exc(file=log)
            return _unfinished(
                task, Failure(type(error).__name__, str(error), traceback_file=task.paths.log.name), "failed"
            )
        return result


def _unfinished(task: Task, failure: Failure, status: Status) -> JobResult:
    return JobResult(
        name=task.job.name,
        status=status,
        fingerprint=task.fingerprint,
        seed=task.job.seed,
        spec=task.job.model_dump(mode="json"),
        environment=environment.describe([], task.commit),
        error=failure,
        attempts=task.attempt,
        problem_fingerprint=task.problem_fingerprint,
    )


def run_batch(
    plan: Sequence[PlannedJob], output: OutputPaths, directory: Path, log: Log, options: BatchOptions
) -> Report:
    """Train the jobs that are not done, write the reports, and return the batch's report.

    Args:
        plan: the jobs to run or reuse, in the spec's order.
        output: prepared, see `artifacts.prepare_output`.
        directory: the spec directory.
        log: receives the batch's progress.
        options: of the batch.

    Raises:
        DependencyError: TensorFlow does not work.
        OutputError: a job directory is a symbolic link.
        OSError: the output directory can no longer be written to.
        Stopped: it was asked to stop twice.
    """
    started_at = datetime.now(timezone.utc)
    artifacts.refuse_links(output, [p.job.name for p in plan])
    log.begun(len(plan))
    reused = {} if options.fresh else _reuse(plan, log)
    todo = [p for p in plan if p.job.name not in reused]
    set_aside = [*_make_room(todo, output, log, fresh=options.fresh)]
    results = dict(reused)
    stopped_by = _run(_tasks(todo, directory, options), log, results, options)
    found = [results[p.job.name] for p in plan if p.job.name in results]
    comparison = None
    if options.baseline is not None and stopped_by is None:
        comparison = options.baseline.compare(found, output, plan)
    seeds = summarize_seeds(found, seed_families([entry_of(p.job, p.fingerprint) for p in plan]))
    names = [p.job.name for p in plan]
    verdict = batch_verdict.decide(
        names,
        found,
        stopped_by=stopped_by,
        may_be_empty=options.may_be_empty,
        comparison=comparison,
        seeds=seeds,
    )
    report = build_report(
        found,
        started_at=started_at,
        finished_at=datetime.now(timezone.utc),
        verdict=verdict,
        missing=[name for name in names if name not in results],
        reused=list(reused),
        comparison=comparison,
        seeds=seeds,
        set_aside=set_aside,
    )
    write_reports(output, report)
    log.ended(report, output.report)
    return report


def _reuse(plan: Sequence[PlannedJob], log: Log) -> dict[str, JobResult]:
    """Return by name the results of finished jobs: missing files restored, judged by the current gates."""
    reused = {}
    for planned in plan:
        if planned.result is None:
            continue
        restored = restore_and_record(planned.paths, planned.result)
        reused[planned.job.name] = _judge_again(planned, restored.result)
        log.reused(planned.job.name, restored.note)
        shutil.rmtree(planned.paths.checkpoint, ignore_errors=True)  # left by a kill just before its removal
    return reused


def _judge_again(planned: PlannedJob, result: JobResult) -> JobResult:
    """Judge a reused result by the gate that the spec has now, and record that."""
    judged = gates.judge_result(result, planned.job.gate, planned.job.seeds)
    if judged != result:
        with suppress(OSError):  # where the directory cannot be written to, only the report has the verdict
            artifacts.write_text(planned.paths.result, judged.to_json())
    return judged


def _make_room(
    todo: Sequence[PlannedJob], output: OutputPaths, log: Log, *, fresh: bool
) -> Iterator[SetAside]:
    """Get the directories of jobs ready for training; yield what was set aside."""
    for planned in todo:
        aside = make_room(output, planned.job.name, planned.fingerprint, fresh=fresh)
        if aside is not None:
            log.set_aside(aside)
            yield aside


def _tasks(todo: Sequence[PlannedJob], directory: Path, options: BatchOptions) -> list[Task]:
    commit = environment.git_commit(directory)
    return [
        Task(
            job=planned.job,
            fingerprint=planned.fingerprint,
            directory=directory,
            paths=planned.paths,
            commit=commit,
            tensorboard=options.tensorboard,
            threads=thread_count(options.cores, min(options.workers, len(todo))),
            problem_fingerprint=planned.problem_fingerprint,
            data=planned.data,
        )
        for planned in todo
    ]


def _run(
    tasks: Sequence[Task], log: Log, results: dict[str, JobResult], options: BatchOptions
) -> Request | None:
    """Run the tasks and add their results; return the request to stop if it left tasks unfinished."""
    recorder = _Recorder(log)
    stop = options.stop
    count = min(options.workers, len(tasks))
    with stop.deferring_signals(), worker_pool(count, options.gpus, options.first_worker) as workers:
        # a second of matplotlib and a tenth of Jinja2, while the workers load TensorFlow
        import job.reports.html
        import job.reports.plots  # noqa: F401

        run_tasks(tasks, workers, recorder, results, fail_fast=options.fail_fast, stop=stop)
    request = stop.request
    unfinished = [task for task in tasks if task.job.name not in results]
    if request is None or not unfinished:
        return None
    for task in unfinished:
        results[task.job.name] = recorder.interrupted(task, request)
    return request
