"""The files of a job that a baseline keeps: its result and its predictions."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from job.errors import DamagedResultError
from job.results.job_result import JobResult
from job.storage.artifacts import JobPaths, write_bytes, write_text
from job.storage.documents import read_regular, why
from job.storage.store_address import is_copy


def copy_to_baseline(source: JobPaths, target: JobPaths, result: JobResult) -> None:
    """Copy what a comparison needs of a job: its result, and its predictions as they were recorded.

    Args:
        source: the job in the output directory of the batch.
        target: the job in the baseline; its directory does not exist yet.
        result: of the job.

    Raises:
        DamagedResultError: the predictions have changed since they were recorded.
        OSError: a file cannot be written.
    """
    target.directory.mkdir()
    write_text(target.result, result.to_json())
    recorded = {artifact.path: artifact.sha256 for artifact in result.artifacts}.get(source.predictions.name)
    if recorded is None:
        return
    try:
        content = read_regular(source.predictions)
    except OSError as error:
        raise DamagedResultError(f"{source.predictions} cannot be read ({why(error)})") from error
    if hashlib.sha256(content).hexdigest() != recorded:
        raise DamagedResultError(
            f"{source.predictions} has changed since it was recorded; run the batch again"
        )
    write_bytes(target.predictions, content)


def is_baseline_copy(paths: JobPaths) -> bool:
    """Return whether a job directory has only the files that a baseline keeps: result and predictions.

    Or it is one of the copy of a store, which lacks what reading results does not need, such as models.
    """
    if is_copy(paths.directory.parent.parent):
        return True
    with suppress(OSError):
        return {path.name for path in paths.directory.iterdir()} == {
            paths.result.name,
            paths.predictions.name,
        }
    return False
