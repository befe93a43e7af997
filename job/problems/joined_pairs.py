"""Training batches in which some pairs are continued by another pair, `training.joined_pairs`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from job.problems.base import Ids, batch_rows
from job.problems.batch_order import order_by_length
from job.problems.generated import Stream, generator
from job.problems.ragged_rows import RaggedRows
from job.problems.text_pairs import WIDTH_MULTIPLE, TextPairs
from job.problems.vocabulary import END, START

_Rows = NDArray[np.integer]


@dataclass(frozen=True)
class JoinedRows:
    """Rows of ids, some of which are continued by a second row, with the id `START` between the two.

    Args:
        rows: the ids of all rows.
        second: the row that continues each row, (rows,); negative for rows that stay as they are.
        end: the id at the end of each row, which a row that is continued loses; None if rows have none.
    """

    rows: RaggedRows
    second: _Rows
    end: int | None = None

    def lengths_of(self, chosen: _Rows) -> NDArray[np.int64]:
        """Return the number of ids of each of the rows with indices `chosen`, shape (len(chosen),)."""
        second = self.second[chosen]
        more = self.rows.lengths_of(np.maximum(second, 0)) + (self.end is None)
        return self.rows.lengths_of(chosen) + np.where(second < 0, 0, more)

    def padded(self, chosen: _Rows, multiple: int = 1) -> Ids:
        """Return rows, padded on the right; see `RaggedRows.padded`."""
        width = -(-int(self.lengths_of(chosen).max(initial=0)) // multiple) * multiple
        out = self.rows.padded(chosen, width=width)
        first_lengths = self.rows.lengths_of(chosen) - (self.end is not None)
        for i in np.flatnonzero(self.second[chosen] >= 0).tolist():
            at, added = int(first_lengths[i]), self.rows.row(self.second[chosen[i]])
            out[i, at] = START
            out[i, at + 1 : at + 1 + len(added)] = added
        return out


class JoinedBatches:
    """Batches of text pairs of which a share is continued by another pair; implements `TrainingBatches`.

    In each epoch every chosen pair occurs once. A share of them, drawn anew, is continued: the source by the
    source of another chosen pair and the target by its target, with the id `START` between the two on both
    sides, which no text has. So short examples teach to keep the place in long ones, and no other symbol of
    a text gets a neighbour that it does not have in the data. (Concatenation with a separator: Kondo et al.
    2021, "Sentence concatenation approach to data augmentation for neural machine translation".) Where mixed
    files repeat a pair within an epoch, all of its repetitions are continued alike.

    Args:
        problem: the source of the pairs.
        share: share of the pairs that are continued, from 0 to 1.
        size: number of pairs of a batch.
        examples: number of pairs of an epoch.
    """

    def __init__(self, problem: TextPairs, share: float, size: int, examples: int) -> None:
        self._problem, self._share, self._size, self.examples = problem, share, size, examples
        self.steps = -(-examples // size)
        self._epoch: int | None = None
        self._order: _Rows = np.empty(0, np.int32)
        self._joined: tuple[JoinedRows, JoinedRows]

    def batch(self, epoch: int, index: int) -> tuple[Ids, Ids]:
        """Return the batch of step `index` (0-based) of `epoch` (0-based): pairs of similar length.

        Raises:
            IndexError: the epoch has no such step.
        """
        start, stop = batch_rows(index, self._size, self.examples)
        if self._epoch != epoch:
            self._begin(epoch)
        rows = self._order[start:stop]
        source, target = self._joined
        return source.padded(rows, WIDTH_MULTIPLE), target.padded(rows, WIDTH_MULTIPLE)

    def _begin(self, epoch: int) -> None:
        """Draw the pairs of an epoch that are continued, and its order."""
        problem, chosen = self._problem, self._problem.epoch_rows(epoch, self.examples)
        rng = generator(problem.seed, Stream.JOINED_PAIRS, epoch)
        second = np.full(problem.training_sources.count, -1, np.int32)
        continued = rng.permutation(chosen)[: round(self._share * len(chosen))]
        second[continued] = rng.choice(chosen, len(continued))
        self._joined = (
            JoinedRows(problem.training_sources, second),
            JoinedRows(problem.training_targets, second, END),
        )
        self._order = order_by_length(
            self._joined, chosen, seed=problem.seed, epoch=epoch, batch_size=self._size
        )
        self._epoch = epoch
