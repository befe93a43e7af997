"""Before anything is computed: reuse the results of finished jobs, and make room for the others."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from job.batch.actions import Action
from job.batch.derived_files import restore_and_record
from job.batch.fetch import copy_model, fetch_result, rename_result
from job.batch.planning import PlannedJob
from job.batch.progress import Log
from job.batch.resume import make_room
from job.batch.shared_trainings import AFRESH
from job.gating import gates
from job.results.batch_report import SetAside
from job.results.job_result import JobResult
from job.storage import artifacts
from job.storage.artifacts import JobPaths, OutputPaths


@dataclass(frozen=True, kw_only=True)
class PreparedJob:
    """A job that a worker will train, or whose model it will evaluate again.

    Args:
        planned: the job.
        paths: where the worker writes its files.
        model: the finished result whose model is evaluated again; None to train. `paths` are then those of a
            temporary directory, which becomes the job directory once the evaluation is complete.
    """

    planned: PlannedJob
    paths: JobPaths
    model: JobResult | None = None

    @property
    def reason(self) -> str:
        """Why the evaluated job takes the place of what is in the job directory, as a clause."""
        how = f"the model of {self.planned.model_of}" if self.planned.model_of else "the model of this job"
        return self.planned.decision.previous.reason or f"{how} was evaluated again"


def reuse_results(
    plan: Sequence[PlannedJob], output: OutputPaths, log: Log, set_aside: list[SetAside]
) -> dict[str, JobResult]:
    """Return by name the results of finished jobs: missing files restored, judged by the current gates.

    Args:
        plan: the jobs to run or reuse.
        output: the output directory.
        log: receives what was reused.
        set_aside: receives the directories that were in the way of results from elsewhere.

    Raises:
        OSError: a directory cannot be moved.
    """
    reused = {}
    for planned in plan:
        result = planned.result
        if result is not None and planned.decision.source is not None:
            result, aside = fetch_result(planned, output)
            if aside is not None:
                log.set_aside(aside)
                set_aside.append(aside)
        if result is None:
            continue
        if result.name != planned.job.name:  # a directory that was renamed by hand
            result = rename_result(planned.paths, result, planned.job)
        restored = restore_and_record(planned.paths, result)
        reused[planned.job.name] = _judge_again(planned, restored.result)
        log.reused(planned.job.name, restored.note, action=planned.action, reason=planned.decision.why)
        shutil.rmtree(planned.paths.checkpoint, ignore_errors=True)  # left by a kill just before its removal
        with suppress(OSError):
            for path in planned.paths.passing:
                path.unlink(missing_ok=True)
    return reused


def _judge_again(planned: PlannedJob, result: JobResult) -> JobResult:
    """Judge a reused result by the gate that the spec has now, and record that."""
    judged = gates.judge_result(result, planned.job.gate, planned.job.seeds)
    if judged != result:
        with suppress(OSError):  # where the directory cannot be written to, only the report has the verdict
            artifacts.write_text(planned.paths.result, judged.to_json())
    return judged


def prepare_jobs(
    todo: Sequence[PlannedJob], output: OutputPaths, log: Log, set_aside: list[SetAside], *, fresh: bool
) -> list[PreparedJob]:
    """Prepare directories for the jobs that workers will train or evaluate.

    A job that waits for the model of another one is prepared when that is trained; see `with_model`.

    Args:
        todo: the jobs.
        output: the output directory.
        log: receives what will be done.
        set_aside: receives the directories that were in the way.
        fresh: train every job from the beginning.

    Raises:
        OSError: a directory cannot be moved or made.
    """
    prepared = []
    for planned in todo:
        waits = bool(planned.decision.after)
        copied = planned.action == "re-evaluate" and not fresh and not waits
        copy = copy_model(planned, output) if copied else None
        if copy is not None:
            log.planned(planned.job.name, planned.action, planned.decision.why)
            planned.paths.directory.mkdir(exist_ok=True)  # for its heartbeat
            prepared.append(PreparedJob(planned=planned, paths=copy, model=planned.decision.model))
            continue
        if fresh or not waits:
            aside = make_room(output, planned.job.name, planned.fingerprints, fresh=fresh)
            if aside is not None:
                log.set_aside(aside)
                set_aside.append(aside)
        if not waits:
            log.planned(planned.job.name, *_training(planned, fresh=fresh))
        prepared.append(PreparedJob(planned=planned, paths=planned.paths))
    return prepared


def _training(planned: PlannedJob, *, fresh: bool) -> tuple[Action, str]:
    """Return whether a job is trained or resumed, and why."""
    if fresh:
        return "train", AFRESH
    if planned.action in ("train", "resume"):
        return planned.action, planned.decision.why
    what = "model" if planned.action == "re-evaluate" else "result"
    return "train", f"the {what} of {planned.model_of or 'this job'} is gone or damaged"
