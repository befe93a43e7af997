"""The state of a job in an output directory, and making room for its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from job.batch.derived_files import model_damage, result_damage
from job.results.batch_report import SetAside
from job.results.checksums import MISSING
from job.results.job_result import JobResult
from job.spec.fingerprints import Fingerprints
from job.storage.artifacts import JobPaths, OutputPaths, clear_temporaries
from job.storage.documents import read_regular, why
from job.storage.file_names import short_fingerprint
from job.storage.job_directories import clear_job_leftovers, set_aside
from job.storage.links import clear_way
from job.training import checkpoints

State = Literal[
    "done", "to do", "failed before", "interrupted", "changed", "re-evaluable", "incomplete", "damaged"
]


@dataclass(frozen=True)
class PreviousJob:
    """What an earlier run has left of a job in its directory.

    Args:
        state: see `PlannedJob`.
        result: the finished result to reuse, None if there is something to compute.
        reason: a clause that says why the job directory cannot be used as it is and will be set aside; '' if
            it can.
        recorded: whatever result is recorded, None if there is none or it cannot be read.
        model: the recorded result if its model is that of the job's training and whole, so that it can be
            evaluated again.
        resumable: whether there is a checkpoint of the job's training.
    """

    state: State
    result: JobResult | None = None
    reason: str = ""
    recorded: JobResult | None = None
    model: JobResult | None = None
    resumable: bool = False


def find_previous(paths: JobPaths, fingerprints: Fingerprints, *, verify: bool = True) -> PreviousJob:
    """Return what an earlier run has left of a job.

    A result is reused if it has the same fingerprints, training again would end in the same way, and every
    file that cannot be made again (see `derived_files`) is as it was recorded. Its model is reused if that
    is so of the training fingerprint and of the files that training left.

    Args:
        paths: files of the job directory.
        fingerprints: of the job in the spec.
        verify: compare the files of a finished job with their recorded checksums; else assume that they
            match.
    """
    result, unreadable = read_recorded_result(paths)
    if unreadable:
        return PreviousJob("damaged", reason=unreadable)
    if result is None:
        return _without_result(paths, fingerprints)
    if result.training_fingerprint != fingerprints.training:
        reason = _changed(result.training_fingerprint or result.fingerprint, fingerprints.training)
        return PreviousJob("changed", reason=reason, recorded=result)
    if not result.finished:
        state: State = "interrupted" if result.status == "interrupted" else "failed before"
        return PreviousJob(state, recorded=result, resumable=_has_checkpoint(paths, fingerprints))
    return _finished(paths, result, fingerprints, verify=verify)


def _finished(paths: JobPaths, result: JobResult, fingerprints: Fingerprints, *, verify: bool) -> PreviousJob:
    """Return the state of a finished job whose training fingerprint is the same."""
    damage = result_damage(paths, result) if verify else ""
    if not damage and result.fingerprint == fingerprints.evaluation:
        return PreviousJob("done", result, recorded=result)
    if not (verify and model_damage(paths, result)):
        reason = damage or "it is of another evaluation section"
        return PreviousJob("re-evaluable", reason=reason, recorded=result, model=result)
    state: State = "incomplete" if f" {MISSING}" in damage else "damaged"
    return PreviousJob(state, reason=damage, recorded=result)


def _without_result(paths: JobPaths, fingerprints: Fingerprints) -> PreviousJob:
    checkpointed = checkpoints.checkpointed_fingerprints(paths.checkpoint)
    if not checkpointed:
        return PreviousJob("to do")
    if _has_checkpoint(paths, fingerprints):
        return PreviousJob("interrupted", resumable=True)
    return PreviousJob("changed", reason=_changed(min(checkpointed), fingerprints.training))


def _has_checkpoint(paths: JobPaths, fingerprints: Fingerprints) -> bool:
    found = checkpoints.checkpointed_fingerprints(paths.checkpoint)
    return short_fingerprint(fingerprints.training) in found


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


def read_recorded_spec(paths: JobPaths, recorded: JobResult | None) -> Mapping[str, Any]:
    """Return the resolved spec that a job directory was made for; empty if that is not known.

    Args:
        paths: of the job directory.
        recorded: its result, if there is a readable one.
    """
    if recorded is not None:
        return recorded.spec
    try:
        spec = yaml.safe_load(read_regular(paths.spec))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return spec if isinstance(spec, dict) else {}


def make_room(output: OutputPaths, name: str, fingerprints: Fingerprints, *, fresh: bool) -> SetAside | None:
    """Prepare a job directory for training; what training cannot resume is set aside, never deleted.

    That is what has another fingerprint, cannot be read, or was finished but has damaged or missing files.

    Args:
        output: the output directory.
        name: of the job.
        fingerprints: of the job in the spec.
        fresh: set aside also what has the same fingerprints.

    Returns:
        what was set aside, None if nothing was.

    Raises:
        OSError: the directory cannot be moved or made.
    """
    clear_job_leftovers(output, name)
    paths = output.job(name)
    previous = find_previous(paths, fingerprints, verify=not fresh)
    reason = previous.reason or ("it is to be trained again" if fresh and previous.state != "to do" else "")
    aside = None
    if reason:
        place = set_aside(output, name)
        aside = SetAside(name, reason, place.relative_to(output.root).as_posix())
    paths.directory.mkdir(parents=True, exist_ok=True)
    clear_temporaries(paths.directory)
    clear_way(paths.log)
    paths.result.unlink(missing_ok=True)
    return aside
