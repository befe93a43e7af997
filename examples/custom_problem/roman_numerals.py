"""Roman numerals, `1994` -> `MCMXCIV`: a problem for seq2seq-job from a package of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from job.problems.base import Ids
from job.problems.generated import GeneratedProblem
from job.problems.vocabulary import Vocabulary, pad

LARGEST = 3999
LETTERS = {
    1000: "M", 900: "CM", 500: "D", 400: "CD", 100: "C", 90: "XC",
    50: "L", 40: "XL", 10: "X", 9: "IX", 5: "V", 4: "IV", 1: "I",
}  # fmt: skip


def roman(number: int) -> str:
    """Return the Roman numeral of a number from 1 to 3999."""
    text = ""
    for value, letters in LETTERS.items():
        count, number = divmod(number, value)
        text += count * letters
    return text


def _checked(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse what is wrong; a sentence that begins with an option's name is shown where it stands."""
    for name, value in options.items():
        if name != "largest":
            raise ValueError(f"{name} is not an option of this problem; known here: largest")
        if type(value) is not int or not 1 <= value <= LARGEST:
            raise ValueError(f"largest must be a whole number from 1 to {LARGEST}, found {value!r}")
    return options


class RomanNumerals(GeneratedProblem):
    """Numbers from 1 to `largest`, each as likely, by character.

    Args:
        options: `largest`, from 1 to 3999; 3999 unless given.
        seed: decides every example.
        directory: where the spec lies; this problem reads no file.
    """

    fixed_length = False

    def __init__(self, options: Mapping[str, Any], seed: int, directory: Path) -> None:
        super().__init__(seed)
        self.largest = _checked(options).get("largest", LARGEST)
        numbers = range(1, self.largest + 1)
        digits, letters = "0123456789", "".join(LETTERS.values())
        self.source_vocabulary = Vocabulary.learn(digits, "", closed=True)
        self.target_vocabulary = Vocabulary.learn(letters, "", closed=True)
        end = [self.target_vocabulary.end]
        self._sources = pad([self.source_vocabulary.encode(str(n)) for n in numbers])
        self._targets = pad([self.target_vocabulary.encode(roman(n)) + end for n in numbers])
        self.max_target_length = self._targets.shape[1]
        self.source_space = self.largest

    def draw(self, generator: np.random.Generator, count: int) -> tuple[Ids, Ids]:
        """Draw `count` numbers."""
        rows = generator.integers(0, self.largest, count)
        return self._sources[rows], self._targets[rows]

    def describe(self) -> dict[str, Any]:
        """Return what a report says of the data."""
        return {"largest": self.largest}
