"""Tokenized pairs: the ids of the training pairs and the text of the others, in memory or memory-mapped."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from job.errors import DataError
from job.problems.pair_splits import SplitPairs, split_pairs
from job.problems.pair_spool import PairSpool, SpooledTexts
from job.problems.parallel_text import OpenedGroup
from job.problems.ragged_rows import RaggedRows
from job.problems.text_tokens import learn_vocabularies
from job.problems.vocabulary import END, EarlierTokens, Vocabulary
from job.spec.text_pairs_section import TextPairsSpec

_MEMORY_BYTES = 32 << 20
"""Largest size of a text that is kept in memory and not in a temporary file."""


class Storage(Protocol):
    """The place of a store's arrays and texts."""

    def spool(self, name: str) -> PairSpool:
        """Return a new spool of pairs."""

    def open(self, name: str) -> IO[bytes]:
        """Open a new array for writing."""

    def array(self, file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return what was written as a flat array, for reading; `file` is not used any more."""


class MemoryStorage:
    """Arrays in memory; texts too, or in temporary files if they are large."""

    def spool(self, name: str) -> PairSpool:  # noqa: D102
        return PairSpool(tempfile.SpooledTemporaryFile(_MEMORY_BYTES))

    def open(self, name: str) -> IO[bytes]:  # noqa: D102
        return io.BytesIO()

    def array(self, file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:  # noqa: D102
        assert isinstance(file, io.BytesIO)
        return np.frombuffer(file.getbuffer(), dtype)


@dataclass(frozen=True)
class DirectoryStorage:
    """Files in a directory; arrays are memory-mapped.

    Args:
        directory: exists.
    """

    directory: Path

    def spool(self, name: str) -> PairSpool:  # noqa: D102
        return PairSpool((self.directory / f"{name}.txt").open("w+b"))

    def open(self, name: str) -> IO[bytes]:  # noqa: D102
        return (self.directory / f"{name}.bin").open("w+b")

    def array(self, file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:  # noqa: D102
        file.close()
        return mapped(Path(file.name), dtype)


def mapped(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a file of numbers as a flat array, memory-mapped for reading."""
    return np.memmap(path, dtype, mode="r")


@dataclass(frozen=True, kw_only=True)
class PairStore:
    """The tokenized pairs of a `text_pairs` section.

    Args:
        source, target: the ids of the training pairs; each target ends with the end id.
        held_out: the pairs of `validation` and of `test` as text.
        source_vocabulary, target_vocabulary: the same object if they are shared.
        longest_target: number of tokens of the longest target of all splits, without the end.
        parts: see `SplitPairs.parts`.
        facts: see `SplitPairs.facts`.
    """

    source: RaggedRows
    target: RaggedRows
    held_out: Mapping[str, PairSpool]
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    longest_target: int
    parts: tuple[int, ...]
    facts: Mapping[str, Any]


def build_store(
    spec: TextPairsSpec,
    groups: Mapping[str, OpenedGroup],
    storage: Storage,
    errors: Mapping[str, Sequence[DataError]],
    *,
    copies: bool = False,
    earlier: EarlierTokens | None = None,
) -> PairStore:
    """Read and tokenize the files of a section, in blocks.

    Args:
        spec: the section.
        groups: its files by the key of their group.
        storage: the place of the result, empty.
        errors: errors of files that cannot be opened, by the key of their group.
        copies: whether unknown tokens have ids of their own, see `numbered`.
        earlier: the tokens of the model that training starts from, if there is one.

    Raises:
        ChangedDataError: a file has changed since it was opened.
        DataErrors: all errors in the files, or the vocabularies cannot be learned.
        OSError: the storage cannot be written.
    """
    splits = split_pairs(spec, groups, storage.spool, errors)
    train = splits.spools["train"]
    vocabularies = learn_vocabularies(
        SpooledTexts(train, 0), SpooledTexts(train, 1), spec, copies=copies, earlier=earlier
    )
    source, target = _encoded(splits, vocabularies, storage)
    return PairStore(
        source=source,
        target=target,
        held_out={split: splits.spools[split] for split in ("validation", "test")},
        source_vocabulary=vocabularies[0],
        target_vocabulary=vocabularies[1],
        longest_target=_longest_target(splits, target, vocabularies[1]),
        parts=splits.parts,
        facts=splits.facts,
    )


def _longest_target(splits: SplitPairs, train: RaggedRows, vocabulary: Vocabulary) -> int:
    """Return the number of tokens of the longest target, which for subwords is known only now."""
    if vocabulary.subwords is None:
        return splits.longest_target
    others = (text for split in ("validation", "test") for text in SpooledTexts(splits.spools[split], 1))
    longest = max(len(vocabulary.model_tokens(text)) for text in others)
    return max(longest, int(train.lengths.max()) - 1)


def _encoded(
    splits: SplitPairs, vocabularies: tuple[Vocabulary, Vocabulary], storage: Storage
) -> tuple[RaggedRows, RaggedRows]:
    """Encode the training pairs."""
    # an id is of at least one byte, but for the end and the mark of a subword's space
    most = splits.bytes["train"] + 2 * splits.counts["train"]
    writers = [
        _RowWriter(name, storage, vocabulary.last_id, most)
        for name, vocabulary in zip(("source", "target"), vocabularies, strict=True)
    ]
    for sources, targets in splits.spools["train"].blocks():
        writers[0].append(RaggedRows.encode(sources, vocabularies[0]))
        writers[1].append(RaggedRows.encode(targets, vocabularies[1], END))
    return writers[0].finish(), writers[1].finish()


class _RowWriter:
    """Writes rows of ids, with the smallest types that hold their numbers.

    Args:
        name: of the side.
        storage: the place of the arrays.
        last_id: the largest id that can occur.
        most: number of ids of all rows at most.
    """

    def __init__(self, name: str, storage: Storage, last_id: int, most: int) -> None:
        self._storage = storage
        self._ids, self._starts = storage.open(f"{name}-ids"), storage.open(f"{name}-starts")
        self._id_type, self._start_type = np.min_scalar_type(last_id), np.min_scalar_type(most)
        self._total = 0
        self._starts.write(np.zeros(1, self._start_type).tobytes())

    def append(self, rows: RaggedRows) -> None:
        """Write rows after the last one."""
        self._ids.write(rows.ids.astype(self._id_type).tobytes())
        self._starts.write((rows.starts[1:] + self._total).astype(self._start_type).tobytes())
        self._total += len(rows.ids)

    def finish(self) -> RaggedRows:
        """Return all rows."""
        return RaggedRows(
            self._storage.array(self._ids, self._id_type),
            self._storage.array(self._starts, self._start_type),
        )
