"""Before training: reuse the results of finished jobs, and make room for the others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress

from job.batch.derived_files import restore_and_record
from job.batch.planning import PlannedJob
from job.batch.progress import Log
from job.batch.resume import make_room
from job.gating import gates
from job.results.batch_report import SetAside
from job.results.job_result import JobResult
from job.storage import artifacts
from job.storage.artifacts import OutputPaths


def reuse_results(plan: Sequence[PlannedJob], log: Log) -> dict[str, JobResult]:
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


def prepare_directories(
    todo: Sequence[PlannedJob], output: OutputPaths, log: Log, *, fresh: bool
) -> Iterator[SetAside]:
    """Prepare the job directories for training; yield what was set aside."""
    for planned in todo:
        aside = make_room(output, planned.job.name, planned.fingerprint, fresh=fresh)
        if aside is not None:
            log.set_aside(aside)
            yield aside
