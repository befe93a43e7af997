"""Checkpoint files: the state of an unfinished training, written atomically and verified when read.

A checkpoint is one `.npz` file with arrays of numbers, a JSON header and a SHA-256 of both. Nothing in it is
pickled.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.storage import artifacts
from job.storage.documents import open_regular, parse_json, why
from job.storage.file_names import short_fingerprint

KEPT = 2
"""Number of checkpoints to keep: if the last one is damaged, the one before it is used."""

MIN_INTERVAL_COSTS = 20
"""Shortest time between checkpoints at the ends of epochs, as a multiple of the time to write one, so
that writing takes at most a twentieth of the time."""

_VERSION = 1
_HEADER, _CHECKSUM = "header", "sha256"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """Everything on which the rest of a training depends.

    Args:
        step: number of training steps taken.
        facts: name -> JSON value.
        arrays: name -> array.
    """

    step: int
    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Checkpoints:
    """The checkpoints of one job.

    Args:
        directory: their directory, made when the first one is written.
        fingerprint: the job's training fingerprint; checkpoints with another one are skipped.
        every_seconds: time between checkpoints within an epoch.
    """

    def __init__(self, directory: Path, fingerprint: str, every_seconds: float) -> None:
        self._directory, self._fingerprint, self._every = directory, fingerprint, every_seconds
        self._saved_at, self._cost = time.monotonic(), 0.0
        self._unusable: set[Path] = set()

    def due(self, *, epoch_ended: bool = False) -> bool:
        """Return whether a checkpoint is due; `epoch_ended` allows one sooner."""
        passed = time.monotonic() - self._saved_at
        return passed >= (min(self._every, MIN_INTERVAL_COSTS * self._cost) if epoch_ended else self._every)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and remove all but the last `KEPT`, and those that could not be read.

        Raises:
            OSError: it cannot be written; the earlier ones are unchanged.
        """
        began = time.monotonic()
        self._directory.mkdir(exist_ok=True)
        header = {
            "version": _VERSION,
            "fingerprint": self._fingerprint,
            "step": checkpoint.step,
            "facts": dict(checkpoint.facts),
        }
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        content = {_HEADER: text, **checkpoint.arrays}
        name = f"{short_fingerprint(self._fingerprint)}-{checkpoint.step:010d}.npz"
        with artifacts.replacing(self._directory / name) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = {**content, _CHECKSUM: _digest(content)}
            np.savez(file, **arrays)
        usable = [path for path in self._paths() if path not in self._unusable]
        for path in [*self._unusable, *usable[KEPT:]]:
            path.unlink(missing_ok=True)
        self._unusable.clear()
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began

    def found(self) -> Iterator[Checkpoint]:
        """Yield the readable checkpoints, the last one first; log a warning for each damaged one."""
        for path in self._paths():
            try:
                checkpoint = _read(path, self._fingerprint)
            except Exception as error:  # for a damaged file NumPy and zipfile raise almost anything
                self._unusable.add(path)
                _log.warning("checkpoint %s is skipped: %s", path.name, why(error))
            else:
                if checkpoint is not None:
                    yield checkpoint

    def _paths(self) -> list[Path]:
        return sorted(self._directory.glob(f"{short_fingerprint(self._fingerprint)}-*.npz"), reverse=True)


def checkpointed_fingerprints(directory: Path) -> frozenset[str]:
    """Return the short fingerprints of all checkpoint files in a directory, damaged or not."""
    return frozenset(path.name.partition("-")[0] for path in directory.glob("[0-9a-f]*-*.npz"))


def _read(path: Path, fingerprint: str) -> Checkpoint | None:
    """Read a checkpoint; return None if it has another fingerprint.

    Raises:
        Exception: the file is damaged or has another version.
    """
    # opened here because NumPy leaves a file that is not a zip to the garbage collector
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        _check_members(archive)
    with open_regular(path) as file, np.load(file, allow_pickle=False) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    checksum = content.pop(_CHECKSUM)
    if not np.array_equal(checksum, _digest(content)):
        raise ValueError("its checksum does not match its content")
    header = parse_json(content.pop(_HEADER).tobytes(), finite=False)  # the best loss is infinite at first
    if header["version"] != _VERSION:
        raise ValueError(f"it has version {header['version']}, this program reads {_VERSION}")
    if header["fingerprint"] != fingerprint:
        return None
    return Checkpoint(header["step"], header["facts"], content)


def _check_members(archive: zipfile.ZipFile) -> None:
    """Refuse compressed members: this program writes none, and one could expand to fill the memory."""
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"its member {member.filename[:60]!r} is compressed")


def _digest(content: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Return the SHA-256 of names, types, shapes and values, (32,) uint8."""
    digest = hashlib.sha256()
    for name, array in sorted(content.items()):
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(np.ascontiguousarray(array).data)
    return np.frombuffer(digest.digest(), np.uint8)
