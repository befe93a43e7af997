"""A plan -> results on disk and a report."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from job import artifacts, environment, gates
from job.artifacts import OutputPaths
from job.batch.plan import PlannedJob
from job.batch.progress import Log
from job.batch.resume import make_room
from job.batch.schedule import run_tasks, worker_pool
from job.reports.build import build_report
from job.reports.plots import curves_svg
from job.reports.writing import write_reports
from job.results import Failure, JobResult, Progress, Report
from job.task import Task


class Stopped(BaseException):
    """A signal asked the batch to stop; a `BaseException`, as `KeyboardInterrupt` is."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


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

    def finished(self, task: Task, outcome: JobResult | Failure) -> JobResult:
        result = self.record(task, outcome)
        del self.running[task.job.name]
        self._log.finished(result)
        return result

    def tick(self) -> None:
        self._log.tick()

    def record(self, task: Task, outcome: JobResult | Failure, *, interrupted: bool = False) -> JobResult:
        """Judge an outcome and write `result.json`, after all other files."""
        if isinstance(outcome, Failure):
            status = "interrupted" if interrupted else "failed"
            result = JobResult(
                name=task.job.name,
                status=status,  # type: ignore[arg-type]
                fingerprint=task.fingerprint,
                seed=task.job.seed,
                spec=task.job.model_dump(mode="json"),
                environment=environment.describe([], task.commit),
                error=outcome,
            )
        else:
            history = task.paths.history.read_text("utf-8")
            artifacts.write_text(task.paths.curves, curves_svg(history, title=task.job.name))
            outcomes = gates.judge({**outcome.timings, **outcome.metrics}, task.job.gate.thresholds())
            result = replace(
                outcome,
                status=gates.status(outcomes),
                gates=outcomes,
                artifacts=artifacts.describe(task.paths.directory),
            )
        artifacts.write_text(task.paths.result, result.to_json())
        return result


def run_batch(
    plan: Sequence[PlannedJob],
    output: OutputPaths,
    directory: Path,
    log: Log,
    *,
    workers: int,
    fresh: bool = False,
    fail_fast: bool = False,
    may_be_empty: bool = False,
) -> Report:
    """Do what is to do, write the reports, and return the batch's report.

    Args:
        plan: the jobs to be run or found done, in the spec's order.
        output: prepared, see `artifacts.prepare_output`.
        directory: where the spec lies.
        log: told how it goes.
        workers: processes at once; no more are started than there are jobs.
        fresh: train all jobs again.
        fail_fast: stop at the first job that fails.
        may_be_empty: an empty plan is no failure: the batch has more shards than jobs.

    Raises:
        DependencyError: TensorFlow does not work.
        OSError: the output directory can no longer be written to.
    """
    began = datetime.now(timezone.utc)
    done = {} if fresh else {p.job.name: p.result for p in plan if p.result is not None}
    todo = [p for p in plan if p.job.name not in done]
    commit = environment.git_commit(directory)
    tasks = [Task(p.job, p.fingerprint, directory, p.paths, commit) for p in todo]
    recorder = _Recorder(log)
    results: dict[str, JobResult] = dict(done)
    stopped_by = None
    for name in done:
        log.reused(name)
    try:
        with _signals_raise(), worker_pool(min(workers, len(tasks))) as pool:
            for planned in todo:
                make_room(output, planned.job.name, planned.fingerprint, fresh=fresh)
            run_tasks(tasks, pool, recorder, results, fail_fast=fail_fast)
    except Stopped as stop:
        stopped_by = stop.signal
        for task in recorder.running.values():
            cause = Failure("Interrupted", f"stopped by {stopped_by.name}")
            results[task.job.name] = recorder.record(task, cause, interrupted=True)
    names = [p.job.name for p in plan]
    report = build_report(
        [results[name] for name in names if name in results],
        started_at=began,
        finished_at=datetime.now(timezone.utc),
        verdict=gates.decide(names, list(results.values()), stopped_by=stopped_by, may_be_empty=may_be_empty),
        missing=[name for name in names if name not in results],
        reused=list(done),
    )
    write_reports(output, report)
    return report


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Have SIGINT and SIGTERM raise `Stopped` in the block."""

    def stop(number: int, _: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_DFL)  # a second signal ends at once
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
