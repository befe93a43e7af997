"""The SHA-256 checksums that a result records of its files, and their verification."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from job.errors import ModelDirectoryError
from job.results.job_result import Artifact, JobResult
from job.storage.documents import read_regular, why
from job.storage.file_names import short_fingerprint

_CHUNK_BYTES = 1 << 20
_DERIVED_SUFFIX, _DERIVED_FOLDER = ".svg", "tensorboard"
_MODEL = "model"
CARD = f"{_MODEL}/README.md"
"""The model card, which people edit before they publish a model."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; raises `OSError` as `open` does."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def is_derived(path: str) -> bool:
    """Return whether a file follows from the other files of a job: picture, model card, TensorBoard events.

    Args:
        path: relative to the job directory.
    """
    parts = PurePosixPath(path)
    return path == CARD or parts.suffix == _DERIVED_SUFFIX or parts.parts[:1] == (_DERIVED_FOLDER,)


def damages(
    directory: Path, recorded: Iterable[Artifact], may_lack: Callable[[Artifact], bool]
) -> Iterator[str]:
    """Yield a clause for each file that differs from its recorded checksum; skip derived files.

    Args:
        directory: the job directory.
        recorded: the files that its result lists.
        may_lack: whether a missing file counts as undamaged.
    """
    for artifact in recorded:
        if is_derived(artifact.path):
            continue
        problem = _damage(directory, artifact)
        if problem and not (problem == MISSING and may_lack(artifact)):
            yield f"{artifact.path} {problem}"


MISSING = "is missing"


def _damage(directory: Path, artifact: Artifact) -> str:
    """Say what is wrong with a file, '' where nothing is."""
    relative = PurePosixPath(artifact.path)
    if relative.is_absolute() or ".." in relative.parts:
        return "lies outside the job's directory"
    path = directory / relative
    try:
        if not path.is_file():
            return MISSING
        size = path.stat().st_size
        if size != artifact.bytes:
            return f"has changed since it was recorded ({artifact.bytes:,} bytes then, {size:,} now)"
        found = sha256_of(path)
    except (OSError, ValueError) as error:
        return f"cannot be read ({why(error)})"
    if found != artifact.sha256:
        then, now = short_fingerprint(artifact.sha256), short_fingerprint(found)
        return f"has changed since it was recorded (SHA-256 {then} then, {now} now)"
    return ""


class CheckedFiles:
    """The files of a model directory, verified as they are read against the checksums in `result.json`.

    A directory that was copied without its job's result is read as it is.

    Args:
        directory: `model/` of a job.

    Raises:
        ModelDirectoryError: the result cannot be read, or a file is not the one that it tells of; at the end
            of the block also where a file changed in it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory = Path(os.path.abspath(directory))
        self._recorded = _recorded_of_model(directory)
        self._seen: dict[Path, tuple[int, ...]] = {}

    def __enter__(self) -> CheckedFiles:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for path, state in self._seen.items():
            if kind is None and _state(path) != state:
                raise ModelDirectoryError(f"{path} changed while it was read; run the command again")

    def check(self, name: str) -> Path:
        """Return the path of a file that is as it was recorded, if it was."""
        path = self._directory / name
        self._seen[path] = _state(path)
        artifact = self._recorded.get(f"{_MODEL}/{name}")
        problem = _damage(self._directory.parent, artifact) if artifact else ""
        if problem:
            raise ModelDirectoryError(f"{path} {problem}; train the job again, or fetch the file anew")
        return path


def _state(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _recorded_of_model(directory: Path) -> dict[str, Artifact]:
    """Return by path what the result beside a model directory records, nothing where there is none."""
    path = directory.parent / "result.json"
    if directory.name != _MODEL:
        return {}
    try:
        result = JobResult.from_json(read_regular(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelDirectoryError(
            f"{path} cannot be read ({why(error)}), so it is not known whether the model beside it is "
            "whole; train the job again, or copy model/ elsewhere to use it unchecked"
        ) from error
    return {artifact.path: artifact for artifact in result.artifacts}
