"""The problem `text_pairs`: pairs of a source text and a target text from files, as batches of ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from job.errors import DataError
from job.problems.base import Examples, Ids, Split, batch_rows
from job.problems.batch_order import chosen_subset, order_by_length
from job.problems.length_buckets import TokenBatches, length_buckets
from job.problems.mixture import Mixture
from job.problems.pair_cache import open_store
from job.problems.pair_splits import first_sources
from job.problems.parallel_text import placed_pairs
from job.problems.ragged_rows import RaggedRows
from job.problems.vocabulary import END, UNKNOWN, EarlierTokens, Vocabulary
from job.spec.file_locations import PlannedData
from job.spec.text_pairs_section import TextPairsSpec

WIDTH_MULTIPLE = 2
"""Batches are padded to a multiple of this width, so that fewer different shapes occur."""


class TextPairs:
    """Pairs of a source text and a target text from files; implements `TokenProblem`.

    Vocabularies have the tokens of the model that training starts from, if there is one, and are otherwise
    learned from the training pairs only; tokens that occur only in other splits are unknown.
    A token may be spelled like a reserved symbol, such as `<end>`.

    Attributes:
        spec: the problem's section.
        seed: the job's seed.
        mixture: how the training pairs are drawn from mixed data; None if the data are not mixed.

    Args:
        spec: the problem's section: files, split and tokens.
        seed: determines the order of training pairs, and the subset if not all pairs are used; it does not
            affect the split of a pair.
        directory: the spec directory; relative file names start there.
        planned: checksums that the files must have, None to accept any content.
        cache: the directory of the cache of tokenized pairs, which large data are written to and
            memory-mapped from, see `pair_cache`; None to have them in memory.
        copies: whether unknown tokens have ids of their own, for a model that copies tokens.
        earlier: the tokens of the model that training starts from: they come first in the vocabularies, and
            decoding does not stop before its longest target. None if there is none.

    Raises:
        ChangedDataError: a file differs from `planned`.
        DataErrors: all errors in the files, or a split without pairs.
        OutputError: the cache cannot be written.
    """

    target_kind: Literal["tokens"] = "tokens"
    fixed_length: bool = False
    fresh_each_epoch: bool = False
    source_space: int | None = None

    def __init__(
        self,
        spec: TextPairsSpec,
        seed: int,
        directory: Path,
        planned: PlannedData | None = None,
        cache: Path | None = None,
        *,
        copies: bool = False,
        earlier: EarlierTokens | None = None,
    ) -> None:
        self.seed, self.spec, self._directory = seed, spec, directory
        files = planned.files if planned else {}
        self._store, self._checksums = open_store(
            spec, directory, files, cache, copies=copies, earlier=earlier
        )
        self.source_vocabulary = self._store.source_vocabulary
        self.target_vocabulary = self._store.target_vocabulary
        before = 0 if earlier is None else earlier.longest_target(spec.target_tokens)
        self.max_target_length = max(self._store.longest_target + 1, before)
        weights = tuple(part.weight for part in spec.mixture)
        self.mixture = Mixture(self._store.parts, weights, seed) if weights else None
        self._order_arguments: tuple[int, int, int] | None = None
        self._order = np.empty(0, np.int32)
        self._token_batches: dict[tuple[int, int, int], TokenBatches] = {}

    def examples_per_epoch(self, asked: int | Literal["all"]) -> int:
        """Return `asked`, but at most the number of training pairs; mixed data may repeat pairs."""
        count = self._store.count
        if asked == "all":
            return count
        return asked if self.mixture else min(asked, count)

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Ids, Ids]:
        """Return batch `index` of `epoch`: pairs of similar length, padded to the longest of the batch
        (rounded up to a multiple of `WIDTH_MULTIPLE`).

        Each pair occurs once per epoch. If `examples` is less than the number of pairs, every epoch uses the
        same subset. Of mixed data, every epoch draws its pairs anew, see `Mixture`. The order of the most
        recent epoch is cached.
        """
        start, stop = batch_rows(index, batch_size, examples)
        source, target = self._store.source, self._store.target
        arguments = (epoch, batch_size, examples)
        if self._order_arguments != arguments:
            chosen = self.epoch_rows(epoch, examples)
            self._order = order_by_length(
                (source, target), chosen, seed=self.seed, epoch=epoch, batch_size=batch_size
            )
            self._order_arguments = arguments
        rows = self._order[start:stop]
        return source.padded(rows, WIDTH_MULTIPLE), target.padded(rows, WIDTH_MULTIPLE)

    def epoch_rows(self, epoch: int, examples: int) -> NDArray[np.int32]:
        """Return the pairs of an epoch, shape (examples,): indices of rows. A mixture may repeat some."""
        if self.mixture:
            return self.mixture.rows(epoch, examples)
        return chosen_subset(self._store.count, self.seed, examples)

    @property
    def training_sources(self) -> RaggedRows:
        """The sources of all training pairs."""
        return self._store.source

    def unknown_sources(self, examples: int) -> NDArray[np.uint64]:
        """Return the hashes of the trained sources that have an unknown token, see `text_hashes`.

        Args:
            examples: number of examples of an epoch; of mixed data, all pairs of all files count.
        """
        encoded = self._store.training.encoded
        if self.mixture or examples >= self._store.count:
            return encoded.unknown_hashes
        trained = chosen_subset(self._store.count, self.seed, examples)
        return encoded.unknown_hashes[np.isin(encoded.unknown_rows, trained)]

    @property
    def training_targets(self) -> RaggedRows:
        """The targets of all training pairs, each with its end."""
        return self._store.target

    def token_batches(self, tokens: int, accumulate: int, examples: int) -> TokenBatches:
        """Return the batches of `training.tokens_per_batch`; `examples` are the same subset as in `batch`.

        Args:
            tokens: number of tokens of a batch at most.
            accumulate: number of batches of a step.
            examples: number of examples of an epoch.

        Raises:
            DataError: a pair is longer than a batch; names its file and line.
        """
        key = (tokens, accumulate, examples)
        if key not in self._token_batches:
            source, target = self._store.source, self._store.target
            rows = chosen_subset(source.count, self.seed, examples)
            lengths = source.lengths_of(rows), target.lengths_of(rows)
            self._check_longest(rows, lengths, tokens)
            buckets = length_buckets(*lengths, rows, tokens, accumulate)
            self._token_batches[key] = TokenBatches(source, target, buckets, self.seed)
        return self._token_batches[key]

    def _check_longest(
        self, rows: NDArray[np.integer], lengths: tuple[NDArray[np.integer], ...], tokens: int
    ) -> None:
        """Raise `DataError` if the longest of some training pairs has more than `tokens`."""
        place = np.argmax(lengths[0] + lengths[1])
        longest = [int(of_side[place]) for of_side in lengths]
        if sum(longest) <= tokens:
            return
        source, target = self._store.source.row(rows[place]), self._store.target.row(rows[place])
        file, line = self._place([source, target[:-1]])
        raise DataError(
            f"tokens_per_batch {tokens} is less than the {sum(longest)} tokens of this pair (source "
            f"{longest[0]}, target {longest[1]} with its end); raise it, or lower problem.max_length",
            file=file,
            line=line,
        )

    def _place(self, ids: list[list[int]]) -> tuple[Path | None, int]:
        """Return file and line of the first training pair with these ids of source and target."""
        vocabularies = self.source_vocabulary, self.target_vocabulary
        for file, line, pair in placed_pairs(self.spec, self._directory):
            if ids == [v.encode(v.model_tokens(text)) for v, text in zip(vocabularies, pair, strict=True)]:
                return file, line
        return None, 0

    def examples(self, split: Split, count: int) -> Examples:
        """Return the first `count` sources of a split, ordered by their hashes.

        The order by hash prefers no part of the file. `target` is the first reference target in the file.
        """
        chosen = first_sources(self._store.held_out[split], count)
        references = tuple(example.targets for example in chosen)
        sources = tuple(example.source for example in chosen)
        source = RaggedRows.encode(sources, self.source_vocabulary)
        first_targets = [targets[0] for targets in references]
        target = RaggedRows.encode(first_targets, self.target_vocabulary, END)
        ids_suffice = all(len(targets) == 1 for targets in references) and not _has_unknown(
            target, self.target_vocabulary
        )
        rows = np.arange(len(chosen))
        return Examples(
            source.padded(rows),
            target.padded(rows),
            references=() if ids_suffice else references,
            sources=sources if _has_unknown(source, self.source_vocabulary) else (),
        )

    def describe(self) -> dict[str, Any]:
        """Return the numbers of pairs and sources, maximum lengths, vocabulary sizes, checksums.

        Lengths are in tokens, but in words for subwords.
        """
        sizes = {"source": len(self.source_vocabulary), "target": len(self.target_vocabulary)}
        return {**self._store.facts, "files": self._checksums, "vocabulary": sizes}


def _has_unknown(rows: RaggedRows, vocabulary: Vocabulary) -> bool:
    """Return whether a token of some row is not in the vocabulary."""
    return bool((rows.ids == UNKNOWN).any() or (rows.ids >= len(vocabulary)).any())
