"""A plan -> results on disk and a report."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from job.batch.baseline import RunBaseline
from job.batch.derived_files import restore_and_record
from job.batch.plan import PlannedJob, entry_of
from job.batch.progress import Log
from job.batch.resume import make_room
from job.gating import batch_verdict, gates
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.process import environment
from job.process.stopping import Request, Stop
from job.reports.build import build_report
from job.reports.report_files import write_reports
from job.results.job_files import list_files
from job.results.records import FINISHED, Failure, JobResult, Progress, Report, SetAside, Status
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.storage import artifacts
from job.storage.artifacts import OutputPaths
from job.storage.links import open_to_append
from job.workers.limits import thread_count
from job.workers.pool import Worker, worker_pool
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
    plan: Sequence[PlannedJob],
    output: OutputPaths,
    directory: Path,
    log: Log,
    *,
    workers: int,
    cores: int = 1,
    gpus: Sequence[str] = (),
    first: Worker | None = None,
    stop: Stop | None = None,
    fresh: bool = False,
    fail_fast: bool = False,
    tensorboard: bool = False,
    may_be_empty: bool = False,
    baseline: RunBaseline | None = None,
) -> Report:
    """Do what is to do, write the reports, and return the batch's report.

    Args:
        plan: the jobs to be run or found done, in the spec's order.
        output: prepared, see `artifacts.prepare_output`.
        directory: where the spec lies.
        log: told how it goes.
        workers: processes at once; no more are started than there are jobs.
        cores: what the workers share.
        gpus: what the workers share, see `resources.device_variables`.
        first: a worker that was started before, see `first_worker`.
        stop: whether to stop; running jobs then save their state, and the reports are still written.
        fresh: train all jobs again.
        fail_fast: stop at the first job that fails.
        tensorboard: write event files.
        may_be_empty: an empty plan is no failure: the batch has more shards than jobs.
        baseline: what the results are held against, unless the batch is stopped.

    Raises:
        DependencyError: TensorFlow does not work.
        OutputError: a job's directory is a symbolic link.
        OSError: the output directory can no longer be written to.
        Stopped: it was asked to stop twice.
    """
    began = datetime.now(timezone.utc)
    artifacts.refuse_links(output, [p.job.name for p in plan])
    restored = {
        p.job.name: restore_and_record(p.paths, p.result) for p in plan if p.result is not None and not fresh
    }
    done = {p.job.name: _judged_again(p, restored[p.job.name].result) for p in plan if p.job.name in restored}
    todo = [p for p in plan if p.job.name not in done]
    commit = environment.git_commit(directory)
    workers = min(workers, len(todo))
    threads = thread_count(cores, workers)
    tasks = [_task(p, directory, commit, tensorboard=tensorboard, threads=threads) for p in todo]
    results: dict[str, JobResult] = dict(done)
    log.begun(len(plan))
    for name in done:
        log.reused(name, restored[name].note)
        shutil.rmtree(output.job(name).checkpoint, ignore_errors=True)  # killed just before it was removed
    aside = [*_make_room(todo, output, log, fresh=fresh)]
    pool = worker_pool(workers, gpus, first)
    stopped_by = _run(tasks, log, results, stop or Stop(), pool=pool, fail_fast=fail_fast)
    names = [p.job.name for p in plan]
    found = [results[name] for name in names if name in results]
    seeds = summarize_seeds(found, seed_families([entry_of(p.job, p.fingerprint) for p in plan]))
    against = baseline.compare(found, output, plan) if baseline and not stopped_by else None
    report = build_report(
        found,
        started_at=began,
        finished_at=datetime.now(timezone.utc),
        verdict=batch_verdict.decide(
            names, found, stopped_by=stopped_by, may_be_empty=may_be_empty, comparison=against, seeds=seeds
        ),
        missing=[name for name in names if name not in results],
        reused=list(done),
        comparison=against,
        seeds=seeds,
        set_aside=aside,
    )
    write_reports(output, report)
    log.ended(report, output.report)
    return report


def _make_room(
    todo: Sequence[PlannedJob], output: OutputPaths, log: Log, *, fresh: bool
) -> Iterator[SetAside]:
    """Get the directories of jobs ready for training; yield what was set aside."""
    for planned in todo:
        aside = make_room(output, planned.job.name, planned.fingerprint, fresh=fresh)
        if aside is not None:
            log.set_aside(aside)
            yield aside


def _judged_again(planned: PlannedJob, result: JobResult) -> JobResult:
    """Judge a result that is reused by the gate that the spec has now, and record that."""
    found = gates.judge_result(result, planned.job.gate, planned.job.seeds)
    if found != result:
        with suppress(OSError):  # in a directory that cannot be written to, the report alone has it
            artifacts.write_text(planned.paths.result, found.to_json())
    return found


def _task(planned: PlannedJob, directory: Path, commit: str | None, **options: Any) -> Task:
    mark, problem_mark = planned.fingerprint, planned.problem_fingerprint
    paths = planned.paths
    options |= {"problem_fingerprint": problem_mark, "data": planned.data}
    return Task(planned.job, mark, directory, paths, commit, **options)


def _run(
    tasks: Sequence[Task],
    log: Log,
    results: dict[str, JobResult],
    stop: Stop,
    *,
    pool: AbstractContextManager[list[Worker]],
    fail_fast: bool,
) -> Request | None:
    """Run the tasks, add their results, and return why they were stopped if some are unfinished for that."""
    recorder = _Recorder(log)
    with stop.noting(), pool as workers:
        # a second of matplotlib and a tenth of Jinja2, while the workers load TensorFlow
        import job.reports.html
        import job.reports.plots  # noqa: F401

        run_tasks(tasks, workers, recorder, results, fail_fast=fail_fast, stop=stop)
    request = stop.request
    unfinished = [task for task in tasks if task.job.name not in results]
    if request is None or not unfinished:
        return None
    for task in unfinished:
        results[task.job.name] = recorder.interrupted(task, request)
    return request
