"""Whether an export predicts what its model predicts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from job.inference.export.comparison import count_near_ties, partings
from job.inference.tokens import TrainedModel
from job.problems.base import Ids


def compare(model: TrainedModel, sources: Ids, expected: Ids, found: Ids) -> int:
    """Compare the ids of an export with those of the model; return the number of near ties.

    Args:
        model: the model.
        sources: (n, S) int32.
        expected, found: ids by the model and by the export, (n, T) int32, 0 after the end of each.

    Raises:
        ExportError: they part where there is no near tie.
    """
    target = model.facts.target
    size, excluded = len(target), {0, target.start}

    def score(rows: NDArray[np.intp], targets: Ids) -> NDArray[np.float32]:
        return model.forced_scores(sources[rows], targets)

    def possible(row: int, number: int) -> bool:
        if number < size:
            return number > 0 and number not in excluded
        return model.copies and number in model.facts.copying.ids(sources[row : row + 1]).numpy()

    def token(number: int) -> str:
        return target.tokens[number] if number < size else "a token of the source"

    return count_near_ties(partings(expected, found, score, possible), len(sources), token)
