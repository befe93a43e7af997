"""The state of an unfinished training on disk: written whole, and read back only when it is whole.

A checkpoint is one `.npz` file: arrays of plain numbers, a header in JSON, and a SHA-256 of both. Nothing in
it is pickled.
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
from job.storage.file_names import short_fingerprint

KEPT = 2
"""Should the last one turn out torn, there is one before it."""

LEAST_INTERVAL = 20
"""At the ends of short epochs no more than a twentieth of the time goes into writing checkpoints."""

_VERSION = 1
_HEADER, _CHECKSUM = "header", "sha256"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """All that decides the rest of a training.

    Args:
        step: training steps taken.
        facts: JSON values.
        arrays: by name.
    """

    step: int
    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Checkpoints:
    """The checkpoints of one job.

    Args:
        directory: where they are; made when the first one is written.
        fingerprint: of the job; checkpoints of any other are passed over.
        every_seconds: how often one is due in the middle of an epoch.
    """

    def __init__(self, directory: Path, fingerprint: str, every_seconds: float) -> None:
        self._directory, self._fingerprint, self._every = directory, fingerprint, every_seconds
        self._saved_at, self._cost = time.monotonic(), 0.0

    def due(self, *, epoch_ended: bool = False) -> bool:
        """Return whether it is time to write one."""
        passed = time.monotonic() - self._saved_at
        return passed >= (min(self._every, LEAST_INTERVAL * self._cost) if epoch_ended else self._every)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write one, and remove all but the last `KEPT`.

        Raises:
            OSError: it cannot be written; the ones before are as they were.
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
        for path in self._paths()[KEPT:]:
            path.unlink(missing_ok=True)
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began

    def found(self) -> Iterator[Checkpoint]:
        """Yield those that can be read, the last one first; says in the log which cannot."""
        for path in self._paths():
            try:
                checkpoint = _read(path, self._fingerprint)
            except _UNREADABLE as error:
                _log.warning(
                    "checkpoint %s is passed over: %s", path.name, str(error) or type(error).__name__
                )
            else:
                if checkpoint is not None:
                    yield checkpoint

    def _paths(self) -> list[Path]:
        return sorted(self._directory.glob(f"{short_fingerprint(self._fingerprint)}-*.npz"), reverse=True)


def marks(directory: Path) -> frozenset[str]:
    """Return the first eight digits of the fingerprints of which there are checkpoints, whole or not."""
    return frozenset(path.name.partition("-")[0] for path in directory.glob("[0-9a-f]*-*.npz"))


def _read(path: Path, fingerprint: str) -> Checkpoint | None:
    """Read a checkpoint; None where it is of another job. Raises one of `_UNREADABLE` if it is not whole."""
    # opened here: NumPy leaves a file that is no zip for the garbage collector to close
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    checksum = content.pop(_CHECKSUM)
    if not np.array_equal(checksum, _digest(content)):
        raise ValueError("its checksum is not that of its content")
    header = json.loads(content.pop(_HEADER).tobytes())
    if header["version"] != _VERSION:
        raise ValueError(f"it is of version {header['version']}, this program reads {_VERSION}")
    if header["fingerprint"] != fingerprint:
        return None
    return Checkpoint(header["step"], header["facts"], content)


def _digest(content: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Return the SHA-256 of names, types, shapes and values, (32,)."""
    digest = hashlib.sha256()
    for name, array in sorted(content.items()):
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(np.ascontiguousarray(array).data)
    return np.frombuffer(digest.digest(), np.uint8)
