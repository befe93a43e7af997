"""Tokenized pairs: the ids of the training pairs and the text of the others, in memory or memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from job.errors import DataError
from job.problems.pair_splits import SplitPairs, split_pairs
from job.problems.pair_spool import PairSpool, SpooledTexts
from job.problems.pair_storage import Storage
from job.problems.parallel_text import OpenedGroup
from job.problems.ragged_rows import RaggedRows
from job.problems.text_tokens import learn_vocabularies
from job.problems.training_rows import TrainingRows, encode_pairs
from job.problems.vocabulary import EarlierTokens, Vocabulary
from job.spec.text_pairs_section import TextPairsSpec


@dataclass(frozen=True, kw_only=True)
class PairStore:
    """The tokenized pairs of a `text_pairs` section.

    Args:
        training: the ids of the training pairs.
        count: number of training pairs.
        held_out: the pairs of `validation` and of `test` as text.
        source_vocabulary, target_vocabulary: the same object if they are shared.
        longest_target: number of tokens of the longest target of all splits, without the end.
        parts: see `SplitPairs.parts`.
        facts: see `SplitPairs.facts`.
    """

    training: TrainingRows
    count: int
    held_out: Mapping[str, PairSpool]
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    longest_target: int
    parts: tuple[int, ...]
    facts: Mapping[str, Any]

    @property
    def source(self) -> RaggedRows:
        """The ids of the training sources."""
        return self.training.sides[0]

    @property
    def target(self) -> RaggedRows:
        """The ids of the training targets; each ends with the end id."""
        return self.training.sides[1]


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
    # an id is of at least one byte, but for the end and the mark of a subword's space
    most = splits.bytes["train"] + 2 * splits.counts["train"]
    training = TrainingRows(partial(encode_pairs, train, most, vocabularies, storage))
    return PairStore(
        training=training,
        count=splits.counts["train"],
        held_out={split: splits.spools[split] for split in ("validation", "test")},
        source_vocabulary=vocabularies[0],
        target_vocabulary=vocabularies[1],
        longest_target=_longest_target(splits, training, vocabularies[1]),
        parts=splits.parts,
        facts=splits.facts,
    )


def _longest_target(splits: SplitPairs, training: TrainingRows, vocabulary: Vocabulary) -> int:
    """Return the number of tokens of the longest target, which for subwords is known only now."""
    if vocabulary.subwords is None:
        return splits.longest_target
    others = (text for split in ("validation", "test") for text in SpooledTexts(splits.spools[split], 1))
    longest = max(len(vocabulary.model_tokens(text)) for text in others)
    return max(longest, int(training.sides[1].lengths.max()) - 1)
