"""The state of a job in an output directory, and making room for its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from job.batch.derived_files import result_damage
from job.results.batch_report import SetAside
from job.results.checksums import MISSING
from job.results.job_result import JobResult
from job.storage import artifacts
from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.documents import read_regular, why
from job.storage.file_names import short_fingerprint
from job.storage.links import clear_way
from job.training import checkpoints

State = Literal["done", "to do", "failed before", "interrupted", "changed", "incomplete", "damaged"]


@dataclass(frozen=True)
class PreviousJob:
    """What an earlier run has left of a job.

    Args:
        state: see `PlannedJob`.
        result: the finished result to reuse, None if the job is to be trained.
        reason: a clause that says why the job directory cannot be used and will be set aside; '' if it can.
    """

    state: State
    result: JobResult | None = None
    reason: str = ""


def find_previous(paths: JobPaths, fingerprint: str, *, verify: bool = True) -> PreviousJob:
    """Return what an earlier run has left of a job.

    A result is reused if it has the same fingerprint, training again would end in the same way, and every
    file that cannot be made again (see `derived_files`) is as it was recorded.

    Args:
        paths: files of the job directory.
        fingerprint: of the job in the spec.
        verify: compare the files of a finished job with their recorded checksums; else assume that they
            match.
    """
    result, unreadable = read_recorded_result(paths)
    if unreadable:
        return PreviousJob("damaged", reason=unreadable)
    if result is None:
        return _without_result(paths, fingerprint)
    if result.fingerprint != fingerprint:
        return PreviousJob("changed", reason=_changed(result.fingerprint, fingerprint))
    if not result.finished:
        return PreviousJob("interrupted" if result.status == "interrupted" else "failed before")
    damage = result_damage(paths, result) if verify else ""
    if damage:
        return PreviousJob("incomplete" if f" {MISSING}" in damage else "damaged", reason=damage)
    return PreviousJob("done", result)


def _without_result(paths: JobPaths, fingerprint: str) -> PreviousJob:
    checkpointed = checkpoints.checkpointed_fingerprints(paths.checkpoint)
    if not checkpointed:
        return PreviousJob("to do")
    if short_fingerprint(fingerprint) in checkpointed:
        return PreviousJob("interrupted")
    return PreviousJob("changed", reason=_changed(min(checkpointed), fingerprint))


def _changed(found: str, fingerprint: str) -> str:
    found, fingerprint = short_fingerprint(found), short_fingerprint(fingerprint)
    return f"it is of another spec, data or version (fingerprint {found}, now {fingerprint})"


def read_recorded_result(paths: JobPaths) -> tuple[JobResult | None, str]:
    """Return the content of `result.json`, None if there is none, and a clause if it cannot be read."""
    try:
        return JobResult.from_json(read_regular(paths.result)), ""
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except (OSError, ValueError) as error:
        return None, f"{paths.result.name} cannot be read ({why(error)})"


def make_room(output: OutputPaths, name: str, fingerprint: str, *, fresh: bool) -> SetAside | None:
    """Prepare a job directory for training; what training cannot resume is set aside, never deleted.

    That is what has another fingerprint, cannot be read, or was finished but has damaged or missing files.

    Args:
        output: the output directory.
        name: of the job.
        fingerprint: of the job in the spec.
        fresh: set aside also what has the same fingerprint.

    Returns:
        what was set aside, None if nothing was.

    Raises:
        OSError: the directory cannot be moved or made.
    """
    artifacts.clear_job_leftovers(output, name)
    paths = output.job(name)
    previous = find_previous(paths, fingerprint, verify=not fresh)
    reason = previous.reason or ("it is to be trained again" if fresh and previous.state != "to do" else "")
    aside = None
    if reason:
        place = artifacts.set_aside(output, name)
        aside = SetAside(name, reason, place.relative_to(output.root).as_posix())
    paths.directory.mkdir(parents=True, exist_ok=True)
    artifacts.clear_temporaries(paths.directory)
    clear_way(paths.log)
    paths.result.unlink(missing_ok=True)
    return aside
