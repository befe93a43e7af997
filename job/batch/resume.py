"""What is already done, and what becomes of files that are in the way."""

from __future__ import annotations

from job.batch.derived_files import complete
from job.results.records import JobResult
from job.storage import artifacts
from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.documents import read_regular
from job.storage.links import clear_way
from job.training import checkpoints


def finished_result(paths: JobPaths, fingerprint: str) -> JobResult | None:
    """Return the result of a job that need not be trained again, else None.

    It counts when it is of the same fingerprint, came to an end that training again would come to again, and
    is complete (see `derived_files`).
    """
    result = recorded_result(paths)
    if result is None or result.fingerprint != fingerprint or not result.finished:
        return None
    return result if complete(paths, result) else None


def incomplete(paths: JobPaths, fingerprint: str) -> bool:
    """Return whether a job of this fingerprint was finished, but lacks files that it cannot do without."""
    result = recorded_result(paths)
    finished = result is not None and result.fingerprint == fingerprint and result.finished
    return finished and finished_result(paths, fingerprint) is None


def recorded_result(paths: JobPaths) -> JobResult | None:
    """Return what `result.json` says, None where there is none that can be read."""
    try:
        return JobResult.from_json(read_regular(paths.result))
    except (OSError, ValueError):
        return None


def superseded(paths: JobPaths, fingerprint: str) -> bool:
    """Return whether what is there, a result or an unfinished training, is of another fingerprint."""
    result = recorded_result(paths)
    if result is not None:
        return result.fingerprint != fingerprint
    marks = checkpoints.marks(paths.checkpoint)
    return bool(marks) and fingerprint[:8] not in marks


def interrupted(paths: JobPaths, fingerprint: str) -> bool:
    """Return whether there is work of this fingerprint to go on with: the batch was stopped, or killed."""
    result = recorded_result(paths)
    if result is not None:
        return result.fingerprint == fingerprint and result.status == "interrupted"
    return fingerprint[:8] in checkpoints.marks(paths.checkpoint)


def make_room(output: OutputPaths, name: str, fingerprint: str, *, fresh: bool) -> None:
    """Get a job's directory ready for training: what is of another fingerprint, or finished but
    incomplete, is set aside, not deleted.

    Args:
        output: where.
        name: the job's.
        fingerprint: of the job as it is to be trained.
        fresh: set aside what is of the same fingerprint too.

    Raises:
        OSError: the directory cannot be moved or made.
    """
    artifacts.clear_job_leftovers(output, name)
    paths = output.job(name)
    begun = recorded_result(paths) is not None or paths.checkpoint.is_dir()
    if superseded(paths, fingerprint) or incomplete(paths, fingerprint) or (fresh and begun):
        artifacts.set_aside(output, name)
    paths.directory.mkdir(parents=True, exist_ok=True)
    artifacts.clear_temporaries(paths.directory)
    clear_way(paths.log)
    paths.result.unlink(missing_ok=True)
