"""token <-> id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PAD = 0
"""The id that pads every sequence on the right; never a symbol of its own in text."""

UnknownTokenError = KeyError


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one side of a problem.

    Args:
        tokens: the token of each id; position 0 is padding.
        separator: what joins tokens in a line of text: a space, or nothing for characters.
        start: id that the decoder sees first. Integer problems use the padding id, as the tutorial does.
        end: id that closes a target, None where lengths are fixed.
        unknown: id for a token that is not here, None where such a token is an error.
    """

    tokens: tuple[str, ...]
    separator: Literal["", " "]
    start: int = PAD
    end: int | None = None
    unknown: int | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(i for i in (PAD, self.start, self.end, self.unknown) if i is not None)

    @classmethod
    def integers(cls, cardinality: int) -> Vocabulary:
        """Ids that are the integers themselves: 1..cardinality-1, 0 for padding and start."""
        return cls(tokens=tuple(map(str, range(cardinality))), separator=" ")

    @classmethod
    def learn(cls, tokens: Iterable[str], separator: Literal["", " "]) -> Vocabulary:
        """Number the distinct tokens in sorted order, after padding, start, end and unknown."""
        special = ("<pad>", "<start>", "<end>", "<unk>")
        return cls(special + tuple(sorted(set(tokens) - set(special))), separator, start=1, end=2, unknown=3)

    def split(self, text: str) -> list[str]:
        """Split a line into tokens."""
        return text.split() if self.separator else list(text)

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Return the ids of tokens, without start or end.

        Raises:
            KeyError: a token is not in the vocabulary and there is no `unknown` id.
        """
        special = self._special
        ids = []
        for token in tokens:
            i = self._ids.get(token, self.unknown)
            if i is None or (i in special and i != self.unknown):
                if self.unknown is None:
                    raise UnknownTokenError(token)
                i = self.unknown
            ids.append(i)
        return ids

    def decode(self, ids: NDArray[np.integer] | Sequence[int]) -> str:
        """Return the line of text of a row of ids: up to the end id or the padding on the right."""
        row = [int(i) for i in ids]
        if self.end is not None:
            row = row[: row.index(self.end)] if self.end in row else row
            row = [i for i in row if i not in (PAD, self.start)]
        return self.separator.join(self.tokens[i] for i in row)


def pad(rows: Sequence[Sequence[int]], length: int | None = None) -> NDArray[np.int32]:
    """Return rows of ids as one array, shape (len(rows), length), int32, padded on the right with `PAD`."""
    width = max((len(row) for row in rows), default=0) if length is None else length
    out = np.full((len(rows), width), PAD, np.int32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
