"""Vocabularies: the mapping between tokens and ids, and between text and rows of ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import repeat
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from job.problems.normalization import UNCHANGED, TextNormalization

PAD = 0
"""The id that pads every sequence on the right; never a symbol of its own in text."""

START, END, UNKNOWN = 1, 2, 3
"""The other reserved ids of a learned vocabulary."""

_LABELS = ("<pad>", "<start>", "<end>", "<unk>")
"""What those ids are called in pictures and files. A token of the data may be spelled the same: it has an id
of its own."""

UNREADABLE = "\ufffd"
"""Stands in a text for a token that its vocabulary lacks, where the text itself is not known."""

Span = tuple[int, int]
"""A stretch of a text: its first character and one past its last."""

UnknownTokenError = KeyError


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one side of a problem.

    The padding, `start`, `end` and `unknown` ids are reserved: their names in `tokens` are labels, not
    tokens, and do not collide with a token of the same spelling.

    Args:
        tokens: the token of each id, the label of each reserved one; position 0 is padding.
        separator: what joins tokens in a line of text: a space, or nothing for characters.
        start: id that the decoder sees first. Integer problems use the padding id, as the tutorial does.
        end: id that closes a target, None where lengths are fixed.
        unknown: id for a token that is not here, None where such a token is an error.
        reading: how a line was read before its tokens were learned.
    """

    tokens: tuple[str, ...]
    separator: Literal["", " "]
    start: int = PAD
    end: int | None = None
    unknown: int | None = None
    reading: TextNormalization = UNCHANGED

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def reserved(self) -> frozenset[int]:
        """The ids that are no token of the data."""
        ids = (PAD, self.start, self.end, self.unknown)
        return frozenset(i for i in ids if i is not None)

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The tokens that can occur in text."""
        return {token: i for i, token in enumerate(self.tokens) if i not in self.reserved}

    @classmethod
    def integers(cls, cardinality: int) -> Vocabulary:
        """Ids that are the integers themselves: 1..cardinality-1, 0 for padding and start."""
        return cls(tokens=tuple(map(str, range(cardinality))), separator=" ")

    @classmethod
    def learn(
        cls,
        tokens: Iterable[str],
        separator: Literal["", " "],
        *,
        closed: bool = False,
        reading: TextNormalization = UNCHANGED,
    ) -> Vocabulary:
        """Number the distinct tokens in sorted order, after padding, start, end and unknown.

        Args:
            tokens: in any order, any number of times.
            separator: see the class.
            closed: there are no other tokens, so there is no unknown id: any other token is an error.
            reading: how the lines were read that the tokens are from.
        """
        labels = _LABELS[:UNKNOWN] if closed else _LABELS
        unknown = None if closed else UNKNOWN
        known = labels + tuple(sorted(set(tokens)))
        return cls(known, separator, start=START, end=END, unknown=unknown, reading=reading)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Vocabulary:
        """Build what `to_json` described.

        Raises:
            ValueError: `data` does not describe a vocabulary.
        """
        try:
            reading = TextNormalization.from_json(data.get("reading", {}))
            vocabulary = cls(**{**data, "tokens": tuple(data["tokens"]), "reading": reading})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a vocabulary: {error}") from None
        ids = [vocabulary.start, *(i for i in (vocabulary.end, vocabulary.unknown) if i is not None)]
        if not all(isinstance(token, str) for token in vocabulary.tokens):
            raise ValueError("not a vocabulary: tokens must be strings")
        if vocabulary.separator not in ("", " "):
            raise ValueError("not a vocabulary: separator must be a space or nothing")
        if not all(type(i) is int and 0 <= i < len(vocabulary) for i in ids):
            raise ValueError(f"not a vocabulary: start, end and unknown must be ids below {len(vocabulary)}")
        if len(vocabulary._ids) != len(vocabulary) - len(vocabulary.reserved):
            raise ValueError("not a vocabulary: a token stands twice")
        return vocabulary

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary as JSON values, for `vocabulary.json`."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**record, "tokens": list(self.tokens), "reading": self.reading.to_json()}

    def read(self, line: str) -> list[str]:
        """Return the tokens of a line as it may be written: as a data file's line was read for training."""
        return self.split(self.reading.read(line).strip())

    def split(self, text: str) -> list[str]:
        """Split a text that was read, or decoded, into tokens."""
        return text.split() if self.separator else list(text)

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Return the ids of tokens, without start or end.

        Raises:
            KeyError: a token is not in the vocabulary and there is no `unknown` id.
        """
        if self.unknown is None:
            return [self._ids[token] for token in tokens]
        return list(map(self._ids.get, tokens, repeat(self.unknown)))

    def unknown_tokens(self, text: str) -> int:
        """Return how many tokens of a text the vocabulary lacks."""
        return sum(token not in self._ids for token in self.split(text))

    def text_ids(self, ids: NDArray[np.integer] | Sequence[int]) -> list[int]:
        """Return the ids of a row that are text: up to the end id, without padding and start."""
        row = [int(i) for i in ids]
        if self.end is not None and self.end in row:
            row = row[: row.index(self.end)]
        return [i for i in row if i not in (PAD, self.start)]

    def decode(self, ids: NDArray[np.integer] | Sequence[int]) -> str:
        """Return the line of text of a row of ids: up to the end id or the padding on the right.

        An unknown token is written as its label, such as `<unk>`.
        """
        return self.separator.join(self.tokens[i] for i in self.text_ids(ids))

    def decode_readable(self, ids: NDArray[np.integer] | Sequence[int]) -> str:
        """Return the same with one character, `UNREADABLE`, for each unknown token."""
        return self.separator.join(
            UNREADABLE if i == self.unknown else self.tokens[i] for i in self.text_ids(ids)
        )

    def unknown_spans(self, ids: NDArray[np.integer] | Sequence[int]) -> tuple[Span, ...]:
        """Return where in the text that `decode` gives the labels of unknown tokens are."""
        row = self.text_ids(ids)
        if self.unknown not in row:
            return ()
        spans, first = [], 0
        for i in row:
            last = first + len(self.tokens[i])
            if i == self.unknown:
                spans.append((first, last))
            first = last + len(self.separator)
        return tuple(spans)


def pad(rows: Sequence[Sequence[int]], length: int | None = None) -> NDArray[np.int32]:
    """Return rows of ids as one array, shape (len(rows), length), int32, padded on the right with `PAD`."""
    width = max((len(row) for row in rows), default=0) if length is None else length
    out = np.full((len(rows), width), PAD, np.int32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
