"""Detection of evaluation sources that also occur in the training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count

import numpy as np
from numpy.typing import NDArray

from job.problems.base import Ids, TokenProblem
from job.problems.text_hashes import text_hashes
from job.problems.text_pairs import TextPairs


def seen_in_training(
    problem: TokenProblem,
    sources: Ids,
    epochs: int,
    batch_size: int,
    examples: int,
    texts: Sequence[str] = (),
) -> NDArray[np.bool_]:
    """Return which sources also occur in the training data, regardless of padding.

    The ids of a source with an unknown token do not determine it. Those of `text_pairs` are looked up by the
    64-bit hash of their text; those of other problems do not count.

    The training batches are generated again and looked up by a 64-bit hash; of mixed data, all pairs of all
    files count, also those that no epoch has drawn. Rows with equal hashes are
    compared id by id, so the result is exact. Memory is that of the sources and one batch.

    Args:
        problem: the problem of the training.
        sources: shape (n, any length), int32, padded on the right with 0.
        epochs: number of trained epochs.
        batch_size, examples: as in `Problem.batch`.
        texts: the normalized text of each source; may be empty if none has an unknown token.

    Returns:
        Shape (n,), true where the source occurs in the training data.
    """
    index = _Index(sources)
    seen = np.zeros(len(index.rows), np.bool_)
    for trained in _trained_sources(problem, epochs, batch_size, examples):
        if seen.all():
            break
        seen[index.find(trained)] = True
    vocabulary = problem.source_vocabulary
    known = (sources < len(vocabulary)).all(axis=1)
    if vocabulary.unknown is not None:
        known &= (sources != vocabulary.unknown).all(axis=1)
    found: NDArray[np.bool_] = seen[index.number] & known
    if epochs and texts and isinstance(problem, TextPairs):
        others = np.flatnonzero(~known)
        hashes = text_hashes([texts[i] for i in others.tolist()])
        found[others] = np.isin(hashes, problem.unknown_sources(examples))
    return found


def _trained_sources(problem: TokenProblem, epochs: int, batch_size: int, examples: int) -> Iterator[Ids]:
    """Yield the sources of the training data in blocks; see `seen_in_training` for the arguments."""
    if epochs and isinstance(problem, TextPairs) and problem.mixture:
        yield from problem.training_sources.blocks()
        return
    different_epochs = epochs if problem.fresh_each_epoch else min(epochs, 1)
    for epoch, batch in np.ndindex(different_epochs, -(-examples // batch_size)):
        yield problem.batch(epoch, batch, batch_size, examples)[0]


class _Index:
    """The distinct rows of an array, indexed by their hashes.

    Attributes:
        rows: shape (distinct rows, length), int32, in the order of their hashes.
        number: shape (n,): the index in `rows` of each given row.
    """

    def __init__(self, rows: Ids) -> None:
        for self._attempt in count():
            hashes = _hashes(rows, self._attempt)
            self._hashes, first, self.number = np.unique(hashes, return_index=True, return_inverse=True)
            self.rows = rows[first]
            if np.array_equal(self.rows[self.number], rows):  # no two different rows have the same hash
                break

    def find(self, rows: Ids) -> NDArray[np.intp]:
        """Return the indices of those of `self.rows` that are among the given rows."""
        hashes = _hashes(rows, self._attempt)
        at = np.searchsorted(self._hashes, hashes)
        at[at == len(self._hashes)] = 0
        hit = np.flatnonzero(self._hashes[at] == hashes)
        return at[hit][_equal(rows[hit], self.rows[at[hit]])]


@lru_cache(maxsize=64)
def _multipliers(length: int, attempt: int) -> NDArray[np.uint64]:
    """Return a random odd number for each position; the numbers of a shorter length come first."""
    return np.random.Philox(key=attempt).random_raw(length) | np.uint64(1)


def _hashes(rows: Ids, attempt: int) -> NDArray[np.uint64]:
    """Return a hash of each row, modulo 2**64; padding does not change it, because its id is 0."""
    hashes: NDArray[np.uint64] = rows.astype(np.uint64) @ _multipliers(rows.shape[1], attempt)
    return hashes


def _equal(a: Ids, b: Ids) -> NDArray[np.bool_]:
    """Return which rows of `a` and `b` are equal apart from padding, shape (n,)."""
    width = min(a.shape[1], b.shape[1])
    longer = a[:, width:].any(axis=1) | b[:, width:].any(axis=1)
    same: NDArray[np.bool_] = (a[:, :width] == b[:, :width]).all(axis=1) & ~longer
    return same
