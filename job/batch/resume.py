"""What is already done, and what becomes of files that are in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from job.batch.derived_files import result_damage
from job.results.checksums import MISSING
from job.results.records import JobResult, SetAside
from job.storage import artifacts
from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.documents import read_regular, why
from job.storage.file_names import short_fingerprint
from job.storage.links import clear_way
from job.training import checkpoints

State = Literal["done", "to do", "failed before", "interrupted", "changed", "incomplete", "damaged"]


@dataclass(frozen=True)
class Standing:
    """How a job stands in an output directory.

    Args:
        state: see `PlannedJob`.
        result: the finished result that makes training it again needless, else None.
        reason: why what is there cannot be used and will be set aside, as a clause; empty where it is not.
    """

    state: State
    result: JobResult | None = None
    reason: str = ""


def standing(paths: JobPaths, fingerprint: str, *, verify: bool = True) -> Standing:
    """Return how a job stands.

    Args:
        paths: the job's.
        fingerprint: of the job as it is to be trained.
        verify: hold the files of a finished job against their recorded sums; else they are taken for whole.
    """
    result, unreadable = read_recorded_result(paths)
    if unreadable:
        return Standing("damaged", reason=unreadable)
    if result is None:
        return _without_result(paths, fingerprint)
    if result.fingerprint != fingerprint:
        return Standing("changed", reason=_other(result.fingerprint, fingerprint))
    if not result.finished:
        return Standing("interrupted" if result.status == "interrupted" else "failed before")
    damage = result_damage(paths, result) if verify else ""
    if damage:
        return Standing("incomplete" if f" {MISSING}" in damage else "damaged", reason=damage)
    return Standing("done", result)


def _without_result(paths: JobPaths, fingerprint: str) -> Standing:
    marks = checkpoints.checkpointed_fingerprints(paths.checkpoint)
    if short_fingerprint(fingerprint) in marks:
        return Standing("interrupted")
    return Standing("changed", reason=_other(min(marks), fingerprint)) if marks else Standing("to do")


def _other(found: str, fingerprint: str) -> str:
    found, fingerprint = short_fingerprint(found), short_fingerprint(fingerprint)
    return f"it is of another spec, data or version (fingerprint {found}, now {fingerprint})"


def finished_result(paths: JobPaths, fingerprint: str) -> JobResult | None:
    """Return the result of a job that need not be trained again, else None.

    It counts when it is of the same fingerprint, came to an end that training again would come to again, and
    has every file that it cannot do without (see `derived_files`), as it was recorded.
    """
    return standing(paths, fingerprint).result


def incomplete(paths: JobPaths, fingerprint: str) -> bool:
    """Return whether a job of this fingerprint was finished, but lacks files that it cannot do without."""
    return standing(paths, fingerprint).state == "incomplete"


def recorded_result(paths: JobPaths) -> JobResult | None:
    """Return what `result.json` says, None where there is none that can be read."""
    return read_recorded_result(paths)[0]


def read_recorded_result(paths: JobPaths) -> tuple[JobResult | None, str]:
    """Return what `result.json` says, None where there is none; and why one that is there cannot be read."""
    try:
        return JobResult.from_json(read_regular(paths.result)), ""
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except (OSError, ValueError) as error:
        return None, f"{paths.result.name} cannot be read ({why(error)})"


def make_room(output: OutputPaths, name: str, fingerprint: str, *, fresh: bool) -> SetAside | None:
    """Get a job's directory ready for training: what cannot be gone on with is set aside, not deleted.

    That is what is of another fingerprint, what cannot be read, and what is finished but not whole.

    Args:
        output: where.
        name: the job's.
        fingerprint: of the job as it is to be trained.
        fresh: set aside what is of the same fingerprint too.

    Returns:
        what was set aside, None where nothing was.

    Raises:
        OSError: the directory cannot be moved or made.
    """
    artifacts.clear_job_leftovers(output, name)
    paths = output.job(name)
    found = standing(paths, fingerprint, verify=not fresh)
    reason = found.reason or ("it is to be trained again" if fresh and found.state != "to do" else "")
    aside = None
    if reason:
        place = artifacts.set_aside(output, name)
        aside = SetAside(name, reason, place.relative_to(output.root).as_posix())
    paths.directory.mkdir(parents=True, exist_ok=True)
    artifacts.clear_temporaries(paths.directory)
    clear_way(paths.log)
    paths.result.unlink(missing_ok=True)
    return aside
