"""The pairs of a `text_pairs` section, divided into training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.errors import DataError, DataErrors
from job.problems.pair_formats import Pair
from job.problems.pair_spool import PairSpool
from job.problems.parallel_text import OpenedGroup, PairReader
from job.problems.text_hashes import text_hashes
from job.problems.text_tokens import source_counts, token_counts
from job.spec.text_pairs_section import TextPairsSpec, group_name

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ReferencePairs:
    """A source of the validation or test split, and its different targets in the order of the file."""

    source: str
    targets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SplitPairs:
    """The pairs of each split, and facts about them.

    Args:
        spools: by `train`, `validation` and `test`; none is empty.
        counts: number of pairs of each split.
        bytes: number of bytes of the text of each split.
        longest_target: number of tokens of the longest target of all splits.
        parts: number of training pairs of each group of files that has some, in their order.
        facts: facts of `TextPairs.describe` without vocabularies and the names of files.
    """

    spools: dict[str, PairSpool]
    counts: dict[str, int]
    bytes: dict[str, int]
    longest_target: int
    parts: tuple[int, ...]
    facts: dict[str, Any]


def split_pairs(
    spec: TextPairsSpec,
    groups: Mapping[str, OpenedGroup],
    new_spool: Callable[[str], PairSpool],
    errors: Mapping[str, Sequence[DataError]],
) -> SplitPairs:
    """Read all files of a section, leave out pairs that are too long, and divide the others.

    Args:
        spec: the section.
        groups: its files by the key of their group; those that cannot be opened are missing.
        new_spool: returns an empty spool for the pairs of a split.
        errors: errors of files that cannot be opened, by the key of their group.

    Raises:
        ChangedDataError: a file has changed since it was opened.
        DataErrors: all errors in the files, those of `errors` too, or a split without pairs.
    """
    found = {key: list(some) for key, some in errors.items()}
    splitter = _Splitter(spec, {split: new_spool(split) for split in SPLITS})
    for key, group in groups.items():
        reader = PairReader(group, spec)
        try:
            for block in reader.blocks():
                splitter.add(key, block)
        except DataErrors as more:
            found[key] = list(more.errors)
        splitter.repeated += reader.repeated
    if found:
        raise DataErrors([error for key in spec.files for error in found.get(key, ())])
    return splitter.finish(groups)


@dataclass
class _Splitter:
    """Divides blocks of pairs, and counts them.

    Args:
        spec: the section.
        spools: the spool of each split.
    """

    spec: TextPairsSpec
    spools: dict[str, PairSpool]
    read: int = 0
    repeated: int = 0
    longest_source: int = 0
    longest_target: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    trained: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    hashes: dict[str, list[NDArray[np.uint64]]] = field(default_factory=lambda: {s: [] for s in SPLITS})

    def add(self, key: str, pairs: list[Pair]) -> None:
        """Divide pairs of a group of files."""
        self.read += len(pairs)
        pairs, sources = self._short_enough(pairs)
        self.kept[key] = self.kept.get(key, 0) + len(pairs)
        before = self.counts["train"]
        self._divide(key, pairs, text_hashes(sources))
        self.trained[key] = self.trained.get(key, 0) + self.counts["train"] - before

    def _divide(self, key: str, pairs: list[Pair], hashes: NDArray[np.uint64]) -> None:
        if self.spec.data is None:
            self._append(group_name(key), pairs, hashes)
            return
        fractions = _fractions(hashes)
        test = fractions < self.spec.split.test
        train = fractions >= self.spec.split.test + self.spec.split.validation
        for split, chosen in (("train", train), ("validation", ~train & ~test), ("test", test & ~train)):
            rows = np.flatnonzero(chosen)
            self._append(split, [pairs[row] for row in rows.tolist()], hashes[rows])

    def _short_enough(self, pairs: list[Pair]) -> tuple[list[Pair], list[str]]:
        """Return the pairs that are not too long, and their sources."""
        sources = [source for source, _ in pairs]
        of_source = source_counts(sources, self.spec)
        of_target = token_counts([target for _, target in pairs], self.spec.target_tokens)
        short = (of_source <= self.spec.max_length) & (of_target <= self.spec.max_length)
        self.longest_source = max(self.longest_source, int(of_source[short].max(initial=0)))
        self.longest_target = max(self.longest_target, int(of_target[short].max(initial=0)))
        if short.all():
            return pairs, sources
        chosen = short.tolist()
        return list(compress(pairs, chosen)), list(compress(sources, chosen))

    def _append(self, split: str, pairs: list[Pair], hashes: NDArray[np.uint64]) -> None:
        self.bytes[split] += self.spools[split].append(pairs)
        self.counts[split] += len(pairs)
        self.hashes[split].append(hashes)

    def finish(self, groups: Mapping[str, OpenedGroup]) -> SplitPairs:
        """Return what was added.

        Raises:
            DataErrors: no pair of a group is short enough, or a split is empty.
        """
        message = (
            f"no pair has at most max_length {self.spec.max_length} tokens on both sides; raise max_length"
        )
        errors = [
            DataError(message, file=group.files[0].path, key="max_length")
            for key, group in groups.items()
            if not self.kept.get(key)
        ]
        sources = {split: _distinct(self.hashes[split]) for split in SPLITS}
        if not errors:
            total, file = sum(sources.values()), next(iter(groups.values())).files[0].path
            errors = [_empty_split(split, total, file) for split in SPLITS if not self.counts[split]]
        errors = errors or [
            _never_trained(key, groups[key].files[0].path)
            for key in self.spec.training_files
            if not self.trained[key]
        ]
        if errors:
            raise DataErrors(errors)
        facts = {
            "pairs": {
                "read": self.read + self.repeated,
                "repeated": self.repeated,
                "too_long": self.read - sum(self.counts.values()),
                **self.counts,
            },
            "sources": sources,
            "longest": {"source": self.longest_source, "target": self.longest_target},
        }
        return SplitPairs(
            spools=self.spools,
            counts=self.counts,
            bytes=self.bytes,
            longest_target=self.longest_target,
            parts=tuple(self.trained[key] for key in self.spec.training_files),
            facts=facts,
        )


def first_sources(spool: PairSpool, count: int) -> tuple[ReferencePairs, ...]:
    """Return the first `count` sources of a split with all their targets, ordered by the hash of the source.

    The first n sources are thus not those of one part of the file.
    """
    hashes = [text_hashes(sources) for sources, _ in spool.blocks()]
    fractions = _fractions(np.concatenate(hashes))
    different = np.unique(fractions)
    last = different[min(count, len(different)) - 1] if count else -1.0
    return _group_by_source(spool.chosen(np.flatnonzero(fractions <= last).tolist()))[:count]


def _group_by_source(pairs: Sequence[Pair]) -> tuple[ReferencePairs, ...]:
    targets: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        targets.setdefault(source, {})[target] = None
    ordered = sorted(targets, key=lambda source: (_hash_fraction(source), source))
    return tuple(ReferencePairs(source, tuple(targets[source])) for source in ordered)


def _empty_split(split: str, sources: int, file: Path) -> DataError:
    return DataError(
        f"the {split} split is empty: the hash of a source determines its split, and none of the {sources:,} "
        "different sources is in this one; add data or change the fractions in split",
        file=file,
        key="split" if split == "train" else f"split.{split}",
    )


def _never_trained(key: str, file: Path) -> DataError:
    return DataError(
        "none of these pairs is a training pair, so their weight has no effect: the hash of a source "
        "determines its split; give more pairs, or train, validation and test in place of data",
        file=file,
        key=key,
    )


def _fractions(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return hashes as fractions in [0, 1); a float represents 53 bits exactly."""
    fractions: NDArray[np.float64] = (hashes >> np.uint64(11)) / 2.0**53
    return fractions


def _hash_fraction(text: str) -> float:
    return float(_fractions(text_hashes([text]))[0])


def _distinct(parts: list[NDArray[np.uint64]]) -> int:
    """Return the number of different hashes."""
    if not parts:
        return 0
    hashes = np.concatenate(parts)
    parts.clear()
    hashes.sort()
    return int(np.count_nonzero(hashes[1:] != hashes[:-1])) + bool(len(hashes))
