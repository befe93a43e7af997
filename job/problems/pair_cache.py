"""The cache of tokenized pairs: each large data set is tokenized once for all jobs and runs.

An entry is a directory `KEY` of the cache with arrays of ids, the texts of validation and test, and a record
`store.json` with the SHA-256 of each file. The key is a digest of the data files and of everything that
decides how they are tokenized. An entry appears complete, by a rename; any entry may be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from job import __version__
from job.errors import DataError, DataErrors, OutputError
from job.problems.pair_spool import PairSpool
from job.problems.pair_store import DirectoryStorage, MemoryStorage, PairStore, build_store, mapped
from job.problems.parallel_text import OpenedGroup, open_group
from job.problems.ragged_rows import RaggedRows
from job.problems.vocabulary import Vocabulary
from job.process.installed_versions import installed
from job.spec.file_locations import checksum
from job.spec.text_pairs_section import TextPairsSpec
from job.storage.documents import read_json, why
from job.storage.links import refuse_link
from job.storage.moving import TEMPORARY, temporary_path

MIN_CACHED_BYTES = 8 << 20
"""Smallest size of the data files, together, from which the cache is used: less is quickly tokenized."""

_LEFTOVER_SECONDS = 86_400.0
_RECORD_BYTES = 1 << 30
_FORMAT = 1
_RECORD = "store.json"
_ARRAYS = ("source-ids", "source-starts", "target-ids", "target-starts")
_TEXTS = ("validation", "test")

_log = logging.getLogger(__name__)


def open_store(
    spec: TextPairsSpec, directory: Path, planned: Mapping[str, str], cache: Path | None
) -> tuple[PairStore, dict[str, str]]:
    """Return the tokenized pairs of a section, from the cache if the data are large and it has them.

    Args:
        spec: the section.
        directory: the spec directory; relative file names start there.
        planned: the SHA-256 that files must have, by name in the spec.
        cache: the directory of the cache, created if needed; None to tokenize in memory.

    Returns:
        the pairs, and the SHA-256 of each data file by its name in the spec.

    Raises:
        ChangedDataError: a file has another SHA-256 than `planned`.
        DataErrors: all errors in the files, or a split without pairs.
        OutputError: the cache cannot be written, or is a symbolic link.
    """
    groups: dict[str, OpenedGroup] = {}
    errors: dict[str, tuple[DataError, ...]] = {}
    for key, files in spec.files.items():
        try:
            groups[key] = open_group(files, key, directory, planned)
        except DataErrors as found:
            errors[key] = found.errors
    checksums = {name: sha256 for group in groups.values() for name, sha256 in group.checksums.items()}
    size = sum(file.size for group in groups.values() for file in group.files)
    if errors or cache is None or size < MIN_CACHED_BYTES:
        return build_store(spec, groups, MemoryStorage(), errors), checksums
    refuse_link(cache)
    entry = cache / _key(spec, groups)
    store = _load(entry)
    if store is None:
        try:
            _build(entry, spec, groups)
        except OSError as error:
            raise OutputError(
                f"the cache of tokenized pairs {cache} cannot be written ({error.strerror}): free some "
                "space, or choose another directory with --output-dir"
            ) from error
        store = _load(entry)
    if store is None:  # removed at this moment
        return build_store(spec, groups, MemoryStorage(), errors), checksums
    return store, checksums


def _key(spec: TextPairsSpec, groups: Mapping[str, OpenedGroup]) -> str:
    """Return the digest of everything that an entry depends on."""
    subwords = "subwords" in (spec.source_tokens, spec.target_tokens)
    facts = {
        "format": _FORMAT,
        "version": __version__,
        "unicode": unicodedata.unidata_version,
        "sentencepiece": installed("sentencepiece") if subwords else None,
        "spec": spec.model_dump(mode="json", exclude=set(spec.files)),
        "files": {
            place: file.sha256
            for group in groups.values()
            for place, file in zip(group.keys, group.files, strict=True)
        },
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


# --- writing ------------------------------------------------------------------------------------------------


def _build(entry: Path, spec: TextPairsSpec, groups: Mapping[str, OpenedGroup]) -> None:
    """Write an entry; another process may write the same one at the same time.

    Raises:
        OSError: it cannot be written.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(entry.parent)
    temporary = temporary_path(entry)
    temporary.mkdir()
    try:
        store = build_store(spec, groups, DirectoryStorage(temporary), {})
        for spool in store.held_out.values():
            spool.flush()
        (temporary / "train.txt").unlink()
        (temporary / _RECORD).write_text(json.dumps(_record(store, temporary)), "utf-8")
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
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _record(store: PairStore, directory: Path) -> dict[str, Any]:
    """Return the content of an entry's record, from which `_load` reads it."""
    sides = (store.source, store.target)
    arrays = [array for side in sides for array in (side.ids, side.starts)]
    vocabularies = [store.source_vocabulary, store.target_vocabulary]
    shared = vocabularies[0] is vocabularies[1]
    return {
        "facts": dict(store.facts),
        "longest_target": store.longest_target,
        "vocabularies": [v.to_json() for v in vocabularies[: 1 if shared else 2]],
        "types": {name: array.dtype.str for name, array in zip(_ARRAYS, arrays, strict=True)},
        "sha256": {path.name: checksum(path) for path in sorted(directory.iterdir())},
    }


# --- reading ------------------------------------------------------------------------------------------------


def _load(entry: Path) -> PairStore | None:
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
            source=RaggedRows(*arrays[:2]),
            target=RaggedRows(*arrays[2:]),
            held_out={name: PairSpool((entry / f"{name}.txt").open("rb")) for name in _TEXTS},
            source_vocabulary=vocabularies[0],
            target_vocabulary=vocabularies[-1],
            longest_target=record["longest_target"],
            facts=record["facts"],
        )
    except (KeyError, IndexError, OSError, TypeError, ValueError) as error:
        _log.warning("the cache of tokenized pairs %s is made anew: %s", entry, why(error))
        return None
