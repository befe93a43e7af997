"""The problem `addition`: sums written as characters, `12+345` -> `357`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.problems.base import Ids
from job.problems.generated import GeneratedProblem
from job.problems.vocabulary import END, PAD, Vocabulary
from job.spec.problem_sections import AdditionSpec

_POWERS = 10 ** np.arange(19, dtype=np.int64)


class Addition(GeneratedProblem):
    """Sums of two operands of 1..`digits` digits.

    The number of digits is drawn uniformly, then the operand uniformly from the numbers with that many digits
    (0 has one digit). Sources are padded to 2 * digits + 1 columns. Targets end with the end id and are
    padded to digits + 2 columns.

    Args:
        spec: the problem's section, with `digits`.
        seed: determines every example.
    """

    fixed_length: bool = False

    def __init__(self, spec: AdditionSpec, seed: int) -> None:
        super().__init__(seed)
        self._digits = spec.digits
        # closed: a sum has no other characters
        vocabulary = Vocabulary.learn("0123456789+", "", closed=True)
        self.source_vocabulary = self.target_vocabulary = vocabulary
        self._digit_ids = np.array(vocabulary.encode("0123456789"), np.int32)
        self._plus_id = vocabulary.encode("+")[0]
        self.max_target_length = spec.digits + 2
        self.source_space: int | None = (10**spec.digits) ** 2

    def draw(self, generator: np.random.Generator, count: int) -> tuple[Ids, Ids]:
        """Draw `count` sums."""
        uniform = generator.random((count, 4))
        lengths = 1 + (uniform[:, :2] * self._digits).astype(np.int64)
        least = np.where(lengths == 1, 0, _POWERS[lengths - 1])
        operands = least + (uniform[:, 2:] * (_POWERS[lengths] - least)).astype(np.int64)
        return self._sources(operands, lengths), self._targets(operands.sum(axis=1))

    def describe(self) -> dict[str, Any]:
        """Return the maximum number of digits and the size of the vocabulary."""
        return {"digits": self._digits, "vocabulary": len(self.source_vocabulary)}

    def _sources(self, operands: NDArray[np.int64], lengths: NDArray[np.int64]) -> Ids:
        """Return the ids of `a+b` for operands and their numbers of digits, both of shape (n, 2)."""
        column = np.arange(2 * self._digits + 1)
        # the power of ten of each column's digit; -1 in the column after the units
        left = lengths[:, :1] - 1 - column
        right = lengths.sum(axis=1, keepdims=True) - column
        second = np.where(left == -1, self._plus_id, self._numerals(operands[:, 1:], right))
        return np.where(left >= 0, self._numerals(operands[:, :1], left), second).astype(np.int32)

    def _targets(self, total: NDArray[np.int64]) -> Ids:
        """Return the ids of sums of shape (n,), each with the end id."""
        length = np.searchsorted(_POWERS[1:], total, side="right") + 1
        power = length[:, None] - 1 - np.arange(self.max_target_length)
        target = self._numerals(total[:, None], power)
        target[power == -1] = END
        return target

    def _numerals(self, numbers: NDArray[np.int64], power: NDArray[np.int64]) -> Ids:
        """Return the ids of the digits of numbers (n, 1) at powers of ten (n, columns); padding where a power
        is negative.
        """
        digits = numbers // _POWERS[np.maximum(power, 0)] % 10
        return np.where(power >= 0, self._digit_ids[digits], np.int32(PAD))
