"""Fetch a job's result, or the model to evaluate again, from the directory that has it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import yaml

from job.batch.derived_files import (
    model_damage,
    of_evaluation,
    recorded_history,
    restore,
    result_damage,
)
from job.batch.earlier_results import EarlierResult
from job.batch.planning import PlannedJob
from job.batch.resume import read_recorded_result
from job.reports.model_card_file import write_card
from job.results.batch_report import SetAside
from job.results.job_files import list_files
from job.results.job_result import JobResult
from job.spec.schema import JobSpec
from job.storage.artifacts import JobPaths, OutputPaths, write_text
from job.storage.job_replacement import copy_job, put_in_place, take_back


def fetch_result(planned: PlannedJob, output: OutputPaths) -> tuple[JobResult | None, SetAside | None]:
    """Bring the finished result that a job reuses from another directory to the job's own.

    A result of the job's own in `superseded/` is moved back. Results of other jobs are copied, because those
    jobs may need them, and their name is corrected.

    Args:
        planned: a job whose decision has a result to reuse and a source.
        output: the output directory.

    Returns:
        the result, None if another process has moved or replaced it meanwhile; and what was in its place.

    Raises:
        OSError: a directory cannot be moved.
    """
    source, name = planned.decision.source, planned.job.name
    assert source is not None
    if source.movable:
        result, place = source.result, take_back(source.directory, output, name)
    else:
        copy = _copy_whole(source, output, name)
        if copy is None:
            return None, None
        result = rename_result(copy, source.result, planned.job)
        place = put_in_place(copy, output, name)
    if place is None:
        return result, None
    reason = planned.decision.previous.reason or f"the result in {source.directory.name} took its place"
    return result, SetAside(name, reason, place.relative_to(output.root).as_posix())


def _copy_whole(source: EarlierResult, output: OutputPaths, name: str) -> JobPaths | None:
    """Copy the directory of another job; return None if that job's process has changed it meanwhile."""
    try:
        copy = copy_job(source.directory, output, name, lambda path: path == "checkpoint")
    except FileNotFoundError:
        return None
    if read_recorded_result(copy)[0] == source.result and not result_damage(copy, source.result):
        return copy
    shutil.rmtree(copy.directory)
    return None


def rename_result(paths: JobPaths, result: JobResult, job: JobSpec) -> JobResult:
    """Make a finished result that of a job with another name: its spec, pictures, card and `result.json`.

    Args:
        paths: of the job directory with the result's files.
        result: of the same training and evaluation.
        job: the job.

    Raises:
        OSError: a file cannot be read or written.
    """
    from job.reports.plots import write_plots  # a second of matplotlib

    spec = job.model_dump(mode="json")
    renamed = replace(restore(paths, result).result, name=job.name, spec=spec)
    write_text(paths.spec, yaml.safe_dump(spec, sort_keys=False))
    write_plots(paths, renamed)
    write_card(paths, renamed)
    renamed = replace(renamed, artifacts=list_files(paths.directory))
    write_text(paths.result, renamed.to_json())
    return renamed


def _not_of_training(path: str) -> bool:
    return path in ("result.json", "checkpoint") or of_evaluation(path)


def copy_model(planned: PlannedJob, output: OutputPaths) -> JobPaths | None:
    """Copy everything that training left to a temporary job directory, in which to evaluate the model again.

    Args:
        planned: a job that is to be evaluated again.
        output: the output directory.

    Returns:
        its paths, see `job_replacement.put_in_place`; None if another process has moved the model meanwhile.

    Raises:
        OSError: a file cannot be read or written.
    """
    model, source = planned.decision.model, planned.decision.source
    assert model is not None
    directory = source.directory if source else planned.paths.directory
    try:
        copy = copy_job(directory, output, planned.job.name, _not_of_training)
    except FileNotFoundError:
        return None
    if model_damage(copy, model):
        shutil.rmtree(copy.directory)
        return None
    if not copy.history.exists():
        write_text(copy.history, recorded_history(model))
    return copy
