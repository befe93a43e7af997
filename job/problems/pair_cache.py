"""The cache of tokenized pairs: each large data set is tokenized once for all jobs and runs.

An entry is a directory `KEY`, see `pair_cache_entry`. The key is a digest of the data files and of
everything that decides how they are tokenized.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from job import __version__
from job.errors import DataError, DataErrors, OutputError
from job.problems.pair_cache_entry import load_entry, write_entry
from job.problems.pair_storage import MemoryStorage, Storage
from job.problems.pair_store import PairStore, build_store
from job.problems.parallel_text import OpenedGroup, open_group
from job.problems.vocabulary import EarlierTokens
from job.process.installed_versions import installed
from job.spec.text_pairs_section import TextPairsSpec, group_name
from job.storage.links import refuse_link

MIN_CACHED_BYTES = 8 << 20
"""Smallest size of the data files, together, from which the cache is used: less is quickly tokenized."""

_FORMAT = 3


def open_store(
    spec: TextPairsSpec,
    directory: Path,
    planned: Mapping[str, str],
    cache: Path | None,
    *,
    copies: bool = False,
    earlier: EarlierTokens | None = None,
) -> tuple[PairStore, dict[str, str]]:
    """Return the tokenized pairs of a section, from the cache if the data are large and it has them.

    Args:
        spec: the section.
        directory: the spec directory; relative file names start there.
        planned: the SHA-256 that files must have, by name in the spec.
        cache: the directory of the cache, created if needed; None to tokenize in memory.
        copies: whether unknown tokens have ids of their own, see `numbered`.
        earlier: the tokens of the model that training starts from, if there is one.

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

    def build(storage: Storage) -> PairStore:
        return build_store(spec, groups, storage, errors, copies=copies, earlier=earlier)

    if errors or cache is None or size < MIN_CACHED_BYTES:
        return build(MemoryStorage()), checksums
    refuse_link(cache)
    entry = cache / _key(spec, groups, copies, earlier)
    store = load_entry(entry)
    if store is None:
        try:
            write_entry(entry, build)
        except OSError as error:
            raise OutputError(
                f"the cache of tokenized pairs {cache} cannot be written ({error.strerror}): free some "
                "space, or choose another directory with --output-dir"
            ) from error
        store = load_entry(entry)
    if store is None:  # removed at this moment
        return build(MemoryStorage()), checksums
    return store, checksums


def _key(
    spec: TextPairsSpec, groups: Mapping[str, OpenedGroup], copies: bool, earlier: EarlierTokens | None
) -> str:
    """Return the digest of everything that an entry depends on."""
    subwords = "subwords" in (spec.source_tokens, spec.target_tokens)
    facts = {
        "format": _FORMAT,
        "version": __version__,
        "unicode": unicodedata.unidata_version,
        "sentencepiece": installed("sentencepiece") if subwords else None,
        "copies": copies,
        "spec": spec.model_dump(mode="json", exclude={"licence", *map(group_name, spec.files)}),
        "files": {
            place: file.sha256
            for group in groups.values()
            for place, file in zip(group.keys, group.files, strict=True)
        },
    }
    if earlier is not None:
        facts["earlier"] = earlier.digest
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
