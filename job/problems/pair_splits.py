"""The pairs of a `text_pairs` section, divided into training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from job.errors import DataError, DataErrors
from job.problems.pair_formats import Pair
from job.problems.parallel_text import Pairs, read_pairs
from job.problems.text_tokens import source_counts, token_counts
from job.spec.text_pairs_section import SplitSpec, TextPairsSpec

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class SplitPairs:
    """The pairs of each split, and facts about them.

    Args:
        pairs: by `train`, `validation` and `test`; none is empty.
        longest_target: number of tokens of the longest target of all splits.
        facts: the facts of `TextPairs.describe` that do not depend on a vocabulary.
    """

    pairs: dict[str, list[Pair]]
    longest_target: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class ReferencePairs:
    """A source of the validation or test split, and its different targets in the order of the file."""

    source: str
    targets: tuple[str, ...]


def read_splits(spec: TextPairsSpec, directory: Path, planned: Mapping[str, str]) -> SplitPairs:
    """Read all files of a section, leave out pairs that are too long, and divide the others.

    Args:
        spec: the section.
        directory: the spec directory; relative file names start there.
        planned: the SHA-256 that files must have, by name in the spec.

    Raises:
        ChangedDataError: a file has another SHA-256 than `planned`.
        DataErrors: all errors in the files, or a split without pairs.
    """
    groups = _read_groups(spec, directory, planned)
    kept = {key: _short_enough(group.pairs, spec) for key, group in groups.items()}
    _check_some_kept(groups, kept, spec.max_length)
    splits = kept if spec.data is None else _split_by_hash(kept["data"], spec.split, groups["data"].file)
    pairs = list(chain(*splits.values()))
    longest_source = max(source_counts([source for source, _ in pairs], spec))
    longest_target = max(token_counts([target for _, target in pairs], spec.target_tokens))
    repeated = sum(group.repeated for group in groups.values())
    too_long = sum(len(group.pairs) for group in groups.values()) - len(pairs)
    facts = {
        "pairs": {
            "read": len(pairs) + too_long + repeated,
            "repeated": repeated,
            "too_long": too_long,
            **{split: len(splits[split]) for split in _SPLITS},
        },
        "sources": {split: _count_sources(splits[split]) for split in _SPLITS},
        "longest": {"source": longest_source, "target": longest_target},
        "files": {name: sha256 for group in groups.values() for name, sha256 in group.checksums.items()},
    }
    return SplitPairs(pairs=splits, longest_target=longest_target, facts=facts)


def group_by_source(pairs: Sequence[Pair]) -> tuple[ReferencePairs, ...]:
    """Return each source with all its targets, ordered by the hash of the source.

    The first n sources are thus not those of one part of the file.
    """
    targets: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        targets.setdefault(source, {})[target] = None
    ordered = sorted(targets, key=lambda source: (_hash_fraction(source), source))
    return tuple(ReferencePairs(source, tuple(targets[source])) for source in ordered)


def _read_groups(spec: TextPairsSpec, directory: Path, planned: Mapping[str, str]) -> dict[str, Pairs]:
    """Read all groups of files, and collect the errors of all of them."""
    groups: dict[str, Pairs] = {}
    errors: list[DataError] = []
    for key, files in spec.files.items():
        try:
            groups[key] = read_pairs(files, key, spec, directory, planned)
        except DataErrors as found:
            errors.extend(found.errors)
    if errors:
        raise DataErrors(errors)
    return groups


def _short_enough(pairs: list[Pair], spec: TextPairsSpec) -> list[Pair]:
    sources = source_counts([source for source, _ in pairs], spec)
    targets = token_counts([target for _, target in pairs], spec.target_tokens)
    limit = spec.max_length
    return [pair for pair, m, n in zip(pairs, sources, targets, strict=True) if m <= limit and n <= limit]


def _check_some_kept(groups: dict[str, Pairs], kept: dict[str, list[Pair]], max_length: int) -> None:
    message = f"no pair has at most max_length {max_length} tokens on both sides; raise max_length"
    errors = [DataError(message, file=groups[key].file, key="max_length") for key in kept if not kept[key]]
    if errors:
        raise DataErrors(errors)


def _split_by_hash(pairs: list[Pair], fractions: SplitSpec, file: Path) -> dict[str, list[Pair]]:
    """Divide pairs by the hash of their sources, so that all targets of a source are in one split."""
    splits: dict[str, list[Pair]] = {split: [] for split in _SPLITS}
    test, held_out = fractions.test, fractions.test + fractions.validation
    for pair in pairs:
        position = _hash_fraction(pair[0])
        splits["train" if position >= held_out else "test" if position < test else "validation"].append(pair)
    empty = [split for split in _SPLITS if not splits[split]]
    if empty:
        sources = _count_sources(pairs)
        raise DataErrors([_empty_split(split, sources, file) for split in empty])
    return splits


def _empty_split(split: str, sources: int, file: Path) -> DataError:
    return DataError(
        f"the {split} split is empty: the hash of a source determines its split, and none of the {sources:,} "
        "different sources is in this one; add data or change the fractions in split",
        file=file,
        key="split" if split == "train" else f"split.{split}",
    )


def _hash_fraction(text: str) -> float:
    """Return a text's hash as a fraction in [0, 1): the same on every machine and for every seed."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # a float represents 53 bits exactly


def _count_sources(pairs: Sequence[Pair]) -> int:
    return len({source for source, _ in pairs})
