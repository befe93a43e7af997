"""Fetch from a store what an output directory lacks, before a batch is planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from job.batch.resume import read_recorded_result
from job.results.checksums import sha256_of
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths
from job.storage.file_names import short_fingerprint
from job.storage.job_directories import set_aside
from job.storage.links import refuse_link
from job.storage.manifests import Manifest
from job.storage.moving import clear_leftovers
from job.storage.remote_files import RemoteFiles
from job.storage.stored_units import fetch_directory, fetch_file

_RESULT, _CHECKPOINT = "result.json", "checkpoint/"


def fetch_top_files(
    remote: RemoteFiles, stored: Mapping[str, Manifest], output: OutputPaths, wanted: Callable[[str], bool]
) -> list[str]:
    """Fetch files at the top of the output directory, such as `plan.json`, that it does not have.

    Args:
        remote: the files of the store.
        stored: its manifests.
        output: prepared and locked.
        wanted: whether to fetch a file, by its name.

    Returns:
        a sentence for each file that cannot be used.

    Raises:
        StoreError: the store cannot be read.
        OSError: a file cannot be written.
    """
    problems = []
    for unit, manifest in stored.items():
        target = output.root / unit
        if "/" not in unit and wanted(unit) and manifest.files.keys() == {unit} and not target.exists():
            problems += fetch_file(remote, manifest, target)
    return problems


def fetch_directories(
    remote: RemoteFiles, stored: Mapping[str, Manifest], output: OutputPaths, wanted: Callable[[str], bool]
) -> list[str]:
    """Fetch job directories and other directories in which the store is ahead of the output directory.

    A job directory that is there is replaced (and set aside) only by the same training with more steps, or
    by a finished result in place of an unfinished one. Another finished result goes to `superseded/`, where
    planning finds it if it is the one of the spec.

    Args, returns and raises as `fetch_top_files`.
    """
    problems = []
    for unit, manifest in stored.items():
        folder, _, name = unit.partition("/")
        if not name or not wanted(unit) or not manifest.files:
            continue
        place = _place_of_job(remote, manifest, output, name) if folder == "jobs" else output.root / unit
        if place is not None and not place.exists():
            refuse_link(place.parent)
            place.parent.mkdir(parents=True, exist_ok=True)
            clear_leftovers(place.parent, place.name)
            problems += fetch_directory(remote, manifest, place)
    return problems


def _place_of_job(remote: RemoteFiles, manifest: Manifest, output: OutputPaths, name: str) -> Path | None:
    """Return where to put the store's directory of a job, and make room; None if it is not needed."""
    local = output.job(name)
    if not local.directory.exists():
        return local.directory
    result, _ = read_recorded_result(local)
    if result is not None and result.finished:
        if not _is_finished(remote, manifest) or sha256_of(local.result) in _checksums(manifest):
            return None
        return output.superseded / f"{name}-{short_fingerprint(min(_checksums(manifest)))}"
    ours = _steps(path.name for path in local.checkpoint.glob("*.npz"))
    theirs = _steps(path.removeprefix(_CHECKPOINT) for path in manifest.files if path.startswith(_CHECKPOINT))
    if not _is_finished(remote, manifest) and not _is_ahead(theirs, ours):
        return None
    set_aside(output, name)
    return local.directory


def _is_finished(remote: RemoteFiles, manifest: Manifest) -> bool:
    """Return whether the store has a finished result of a job."""
    if _RESULT not in manifest.files:
        return False
    place = manifest.place(_RESULT)
    try:
        return JobResult.from_json(remote.read([place])[place]).finished
    except (LookupError, ValueError):
        return False


def _checksums(manifest: Manifest) -> set[str]:
    """Return the checksums that the store's result of a job may have."""
    return {content.sha256 for content in manifest.files[_RESULT]}


def _steps(names: Iterable[str]) -> dict[str, int]:
    """Return the largest step of checkpoints, from their file names, by short fingerprint."""
    steps: dict[str, int] = {}
    for name in names:
        fingerprint, _, step = name.removesuffix(".npz").partition("-")
        if step.isdecimal():
            steps[fingerprint] = max(int(step), steps.get(fingerprint, 0))
    return steps


def _is_ahead(theirs: Mapping[str, int], ours: Mapping[str, int]) -> bool:
    """Return whether a training can be resumed from a later step with the other checkpoints."""
    if not ours:
        return bool(theirs)
    return any(step > ours.get(fingerprint, step) for fingerprint, step in theirs.items())
