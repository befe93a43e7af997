"""An entry of the cache of tokenized pairs: a directory of arrays and texts with a record of their checksums.

An entry appears complete, by a rename; any entry may be removed at any time.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from job.problems.pair_spool import PairSpool
from job.problems.pair_storage import DirectoryStorage, mapped
from job.problems.pair_store import PairStore
from job.problems.training_rows import TrainingRows
from job.problems.vocabulary import Vocabulary
from job.spec.file_locations import checksum
from job.storage.documents import read_json, why
from job.storage.moving import TEMPORARY, temporary_path

_LEFTOVER_SECONDS = 86_400.0
_RECORD_BYTES = 1 << 30
_RECORD = "store.json"
_ARRAYS = ("source-ids", "source-starts", "target-ids", "target-starts", "unknown-rows", "unknown-hashes")
_TEXTS = ("validation", "test")

_log = logging.getLogger(__name__)


def write_entry(entry: Path, build: Callable[[DirectoryStorage], PairStore]) -> None:
    """Write an entry; another process may write the same one at the same time.

    Args:
        entry: its directory.
        build: tokenizes the pairs into a storage.

    Raises:
        OSError: it cannot be written.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(entry.parent)
    temporary = temporary_path(entry)
    temporary.mkdir()
    try:
        store = build(DirectoryStorage(temporary))
        types = [array.dtype.str for array in store.training.arrays]  # this encodes the texts
        for spool in store.held_out.values():
            spool.flush()
        (temporary / "train.txt").unlink()
        (temporary / _RECORD).write_text(json.dumps(_record(store, types, temporary)), "utf-8")
        _put_in_place(temporary, entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, entry: Path) -> None:
    """Rename a complete entry; one that is there already was damaged, or another process has just put it."""
    try:
        if entry.exists():
            before = temporary_path(entry)
            entry.rename(before)
            shutil.rmtree(before, ignore_errors=True)
        temporary.rename(entry)
    except OSError:
        if not (entry / _RECORD).exists():
            raise


def _clear_leftovers(cache: Path) -> None:
    """Remove what a killed process was writing a day ago."""
    for path in cache.glob(f"{TEMPORARY}*"):
        try:
            age = time.time() - path.stat().st_mtime
        except OSError:  # another process has just removed it
            continue
        if age > _LEFTOVER_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _record(store: PairStore, types: Sequence[str], directory: Path) -> dict[str, Any]:
    """Return the content of an entry's record, from which `load_entry` reads it."""
    vocabularies = [store.source_vocabulary, store.target_vocabulary]
    shared = vocabularies[0] is vocabularies[1]
    return {
        "facts": dict(store.facts),
        "longest_target": store.longest_target,
        "parts": list(store.parts),
        "vocabularies": [v.to_json() for v in vocabularies[: 1 if shared else 2]],
        "types": dict(zip(_ARRAYS, types, strict=True)),
        "sha256": {path.name: checksum(path) for path in sorted(directory.iterdir())},
    }


# --- reading ------------------------------------------------------------------------------------------------


def load_entry(entry: Path) -> PairStore | None:
    """Return an entry; None if there is none or it is damaged."""
    if not entry.exists():
        return None
    try:
        record = read_json(entry / _RECORD, _RECORD_BYTES)
        for name in (*(f"{name}.bin" for name in _ARRAYS), *(f"{name}.txt" for name in _TEXTS)):
            if checksum(entry / name) != record["sha256"][name]:
                raise ValueError(f"{name} does not have its checksum")
        arrays = [mapped(entry / f"{name}.bin", np.dtype(record["types"][name])) for name in _ARRAYS]
        vocabularies = [Vocabulary.from_json(one) for one in record["vocabularies"]]
        return PairStore(
            training=TrainingRows.of_arrays(arrays),
            count=len(arrays[1]) - 1,
            held_out={name: PairSpool((entry / f"{name}.txt").open("rb")) for name in _TEXTS},
            source_vocabulary=vocabularies[0],
            target_vocabulary=vocabularies[-1],
            longest_target=record["longest_target"],
            parts=tuple(record["parts"]),
            facts=record["facts"],
        )
    except (KeyError, IndexError, OSError, TypeError, ValueError) as error:
        _log.warning("the cache of tokenized pairs %s is made anew: %s", entry, why(error))
        return None
