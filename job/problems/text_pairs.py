"""The problem `text_pairs`: splits, vocabularies and batches of parallel text from files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from job.errors import DataError, DataErrors, no_implementation
from job.problems.base import Examples, Ids, Split, batch_rows
from job.problems.generated import Stream, generator
from job.problems.normalization import TextNormalization
from job.problems.parallel_text import Pair, Pairs, read_pairs, text_normalization
from job.problems.ragged_rows import RaggedRows
from job.problems.vocabulary import END, UNKNOWN, Vocabulary
from job.spec.base_section import Separator
from job.spec.file_locations import PlannedData
from job.spec.text_pairs_section import SEPARATORS, SplitSpec, TextPairsSpec, Tokens

POOL_BATCHES = 64
"""How many batches' pairs are sorted by length together: enough for little padding, few enough that
different pairs share a batch in each epoch."""

WIDTH_MULTIPLE = 2
"""Batches are padded to a multiple of this, so that fewer different shapes arise."""

_SIDES = ("train", "validation", "test")


class TextPairs:
    """Pairs of a source text and a target text, from files; see `Problem` for what each method promises.

    Vocabularies are learned from the training side alone; a token that occurs elsewhere only is unknown. Any
    token can be learned, one spelled like a reserved symbol (`<end>`) too.

    Args:
        spec: the files, the split and the tokens.
        seed: decides the order of training pairs, and which are taken when not all are asked for; never
            which side a pair is on.
        directory: where relative file names start.
        planned: what the files must be, None where whatever there is will do.

    Raises:
        ChangedDataError: one is something else.
        DataErrors: everything that is wrong with the files, or a side without pairs.
    """

    target_kind: Literal["tokens"] = "tokens"
    fixed_length: bool = False
    fresh_each_epoch: bool = False
    source_space: int | None = None

    def __init__(
        self, spec: TextPairsSpec, seed: int, directory: Path, planned: PlannedData | None = None
    ) -> None:
        self._seed = seed
        loaded = _load(spec, directory, planned.files if planned else {})
        sources = [source for source, _ in loaded.sides["train"]]
        targets = [target for _, target in loaded.sides["train"]]
        self.source_vocabulary, self.target_vocabulary = _learn_both(sources, targets, spec)
        self.max_target_length = loaded.longest_target + 1
        self._sides = loaded.sides
        self._train_pairs = len(sources)
        self._facts = loaded.facts
        self._order_of: tuple[int, int, int] | None = None
        self._order = np.empty(0, np.intp)

    # Encoded when first asked for: whoever only checks a spec does not wait for it.

    @cached_property
    def _rows(self) -> tuple[RaggedRows, RaggedRows]:
        """The training pairs; their text is let go."""
        train = self._sides.pop("train")
        return (
            RaggedRows.encode([source for source, _ in train], self.source_vocabulary),
            RaggedRows.encode([target for _, target in train], self.target_vocabulary, END),
        )

    @cached_property
    def _held_out(self) -> dict[str, tuple[_HeldOut, ...]]:
        return {side: _by_source(self._sides.pop(side)) for side in ("validation", "test")}

    def examples_per_epoch(self, asked: int | Literal["all"]) -> int:
        """Return `asked`, or how many training pairs there are when that is less."""
        held = self._train_pairs
        return held if asked == "all" else min(asked, held)

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Ids, Ids]:
        """Return batch `index` of `epoch`: pairs of like length, padded to the longest of the batch
        (rounded up to a multiple of `WIDTH_MULTIPLE`).

        Every pair that is taken occurs once an epoch. Where `examples` is less than there are, the same
        ones are taken in every epoch. The order of the last epoch asked for is kept.
        """
        start, stop = batch_rows(index, batch_size, examples)
        if self._order_of != (epoch, batch_size, examples):
            self._order = self._order_epoch(epoch, batch_size, examples)
            self._order_of = (epoch, batch_size, examples)
        chosen = self._order[start:stop]
        source, target = self._rows
        return source.padded(chosen, WIDTH_MULTIPLE), target.padded(chosen, WIDTH_MULTIPLE)

    def examples(self, split: Split, count: int) -> Examples:
        """Return the first `count` sources of a side, in the order of their hashes: no part of the file
        is preferred. `target` is the first right target of the file.
        """
        held = self._held_out[split][:count]
        references = tuple(held_out.targets for held_out in held)
        texts = tuple(held_out.source for held_out in held)
        source = RaggedRows.encode(texts, self.source_vocabulary)
        first = [targets[0] for targets in references]
        target = RaggedRows.encode(first, self.target_vocabulary, END)
        target_says_all = all(len(targets) == 1 for targets in references) and UNKNOWN not in target.ids
        rows = np.arange(len(held))
        return Examples(
            source.padded(rows),
            target.padded(rows),
            references=() if target_says_all else references,
            sources=texts if UNKNOWN in source.ids else (),
        )

    def describe(self) -> dict[str, Any]:
        """Return how many pairs and sources there are of which kind, lengths in tokens, checksums."""
        sizes = {"source": len(self.source_vocabulary), "target": len(self.target_vocabulary)}
        return {**self._facts, "vocabulary": sizes}

    def _order_epoch(self, epoch: int, batch_size: int, examples: int) -> NDArray[np.intp]:
        """Return the training pairs of an epoch in the order of its batches, shape (examples,)."""
        held = self._train_pairs
        if examples > held:
            raise IndexError(f"{examples} examples were asked for, but there are {held} training pairs")
        taken = generator(self._seed, Stream.SUBSET).permutation(held)[:examples]
        rng = generator(self._seed, Stream.EPOCH_ORDER, epoch)
        shuffled = rng.permutation(taken)
        # The smaller batch at the end is left as it fell: sorted, it would always hold the longest pairs.
        full = examples // batch_size * batch_size
        pool = np.arange(full) // (POOL_BATCHES * batch_size)
        sortable = shuffled[:full]
        lengths = [rows.lengths[sortable] for rows in self._rows]
        batches = sortable[np.lexsort((*lengths, pool))].reshape(-1, batch_size)
        return np.concatenate([rng.permutation(batches).ravel(), shuffled[full:]])


# --- loading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Loaded:
    """The pairs of each side, none of them empty, and what there is to report of them."""

    sides: dict[str, list[Pair]]
    longest_target: int
    facts: dict[str, Any]


def _load(spec: TextPairsSpec, directory: Path, planned: Mapping[str, str]) -> _Loaded:
    groups = _read_groups(spec, directory, planned)
    kept = {key: _fitting(group.pairs, spec) for key, group in groups.items()}
    _check_not_all_too_long(groups, kept, spec.max_length)
    sides = kept if spec.data is None else _split_by_hash(kept["data"], spec.split, groups["data"].file)
    pairs = list(chain(*sides.values()))
    longest_source = max(_lengths([source for source, _ in pairs], spec.source_tokens))
    longest_target = max(_lengths([target for _, target in pairs], spec.target_tokens))
    usable = sum(map(len, kept.values()))
    repeated = sum(group.repeated for group in groups.values())
    too_long = sum(len(group.pairs) for group in groups.values()) - usable
    facts = {
        "pairs": {
            "read": usable + too_long + repeated,
            "repeated": repeated,
            "too_long": too_long,
            **{side: len(sides[side]) for side in _SIDES},
        },
        "sources": {side: len({source for source, _ in sides[side]}) for side in _SIDES},
        "longest": {"source": longest_source, "target": longest_target},
        "files": {name: sha for group in groups.values() for name, sha in group.checksums.items()},
    }
    return _Loaded(sides, longest_target, facts)


def _read_groups(spec: TextPairsSpec, directory: Path, planned: Mapping[str, str]) -> dict[str, Pairs]:
    """Read all files of a spec, or raise everything that is wrong with any of them."""
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


def _lengths(texts: list[str], tokens: Tokens) -> list[int]:
    match tokens:
        case "characters":
            return [len(text) for text in texts]
        case "words":
            return [text.count(" ") + 1 for text in texts]
        case unknown:
            no_implementation("problem.source_tokens or problem.target_tokens", unknown)


def _fitting(pairs: list[Pair], spec: TextPairsSpec) -> list[Pair]:
    sources = _lengths([source for source, _ in pairs], spec.source_tokens)
    targets = _lengths([target for _, target in pairs], spec.target_tokens)
    most = spec.max_length
    return [pair for pair, m, n in zip(pairs, sources, targets, strict=True) if m <= most and n <= most]


def _check_not_all_too_long(groups: dict[str, Pairs], kept: dict[str, list[Pair]], max_length: int) -> None:
    message = f"no pair has at most max_length {max_length} tokens on both sides; raise max_length"
    errors = [DataError(message, file=groups[key].file, key="max_length") for key in kept if not kept[key]]
    if errors:
        raise DataErrors(errors)


def _fraction(text: str) -> float:
    """Return a text's hash as a fraction in [0, 1): the same on every machine and for every seed."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # 53 bits: what a float holds exactly


def _split_by_hash(pairs: list[Pair], shares: SplitSpec, file: Path) -> dict[str, list[Pair]]:
    """Send every pair to the side of its source: all targets of a source are on one side."""
    sides: dict[str, list[Pair]] = {side: [] for side in _SIDES}
    test, held_out = shares.test, shares.test + shares.validation
    for pair in pairs:
        at = _fraction(pair[0])
        sides["train" if at >= held_out else "test" if at < test else "validation"].append(pair)

    def sources() -> int:
        return len({source for source, _ in pairs})

    errors = [
        DataError(
            f"none of the {sources():,} different sources falls to the {side} side, which a hash of the "
            "source decides; give more data or other shares in split",
            file=file,
            key="split" if side == "train" else f"split.{side}",
        )
        for side in _SIDES
        if not sides[side]
    ]
    if errors:
        raise DataErrors(errors)
    return sides


def _learn_both(sources: list[str], targets: list[str], spec: TextPairsSpec) -> tuple[Vocabulary, Vocabulary]:
    reading = text_normalization(spec)
    if spec.shared_vocabulary:
        shared = _learn(chain(sources, targets), SEPARATORS[spec.source_tokens], reading)
        return shared, shared
    return (
        _learn(sources, SEPARATORS[spec.source_tokens], reading),
        _learn(targets, SEPARATORS[spec.target_tokens], reading),
    )


def _learn(texts: Iterable[str], separator: Separator, reading: TextNormalization) -> Vocabulary:
    rows = map(str.split, texts) if separator else texts
    return Vocabulary.learn(chain.from_iterable(rows), separator, reading=reading)


@dataclass(frozen=True)
class _HeldOut:
    """A source of the validation or test side, and its different targets in the file's order."""

    source: str
    targets: tuple[str, ...]


def _by_source(pairs: list[Pair]) -> tuple[_HeldOut, ...]:
    targets: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        targets.setdefault(source, {})[target] = None
    ordered = sorted(targets, key=lambda source: (_fraction(source), source))
    return tuple(_HeldOut(source, tuple(targets[source])) for source in ordered)
