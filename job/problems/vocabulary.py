"""Vocabularies: conversion of tokens to ids and back, and of rows of ids to text."""

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
"""The id that pads sequences on the right; no token of a text has it."""

START, END, UNKNOWN = 1, 2, 3
"""The other reserved ids of a learned vocabulary."""

_LABELS = ("<pad>", "<start>", "<end>", "<unk>")
"""The names of the reserved ids in plots and files. A token of the data with the same spelling has another
id."""

UNREADABLE = "\ufffd"
"""Replaces an unknown token in a text that is decoded from ids."""

Span = tuple[int, int]
"""Part of a text: the index of its first character and the index after its last."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one side of a problem.

    The ids of padding, `start`, `end` and `unknown` are reserved: their entries in `tokens` are labels, which
    differ from tokens of the same spelling.

    Args:
        tokens: the token of each id, or the label of a reserved id; index 0 is padding.
        separator: the text between two tokens: a space, or empty for characters.
        start: id of the decoder's first input. Integer problems use the padding id, like the tutorial.
        end: id at the end of each target; None if lengths are fixed.
        unknown: id of tokens that are not in the vocabulary; None if such a token is an error.
        reading: the normalization of lines before they are split into tokens.
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
        """The ids that do not belong to a token of the data."""
        ids = (PAD, self.start, self.end, self.unknown)
        return frozenset(i for i in ids if i is not None)

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The id of each token that can occur in text."""
        return {token: i for i, token in enumerate(self.tokens) if i not in self.reserved}

    @classmethod
    def integers(cls, cardinality: int) -> Vocabulary:
        """Build a vocabulary of the integers 1..cardinality-1 as their own ids; 0 is padding and start."""
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
        """Build a vocabulary of the distinct tokens in sorted order, after padding, start, end and unknown.

        Args:
            tokens: the tokens of the training data, in any order, with repetitions.
            separator: see the class.
            closed: whether there are no other tokens; then there is no unknown id, and another token is an
                error.
            reading: the normalization of the lines that the tokens are from.
        """
        labels = _LABELS[:UNKNOWN] if closed else _LABELS
        unknown = None if closed else UNKNOWN
        known = labels + tuple(sorted(set(tokens)))
        return cls(known, separator, start=START, end=END, unknown=unknown, reading=reading)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Vocabulary:
        """Build a vocabulary from the result of `to_json`.

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
            raise ValueError("not a vocabulary: separator must be a space or empty")
        if not all(type(i) is int and 0 <= i < len(vocabulary) for i in ids):
            raise ValueError(f"not a vocabulary: start, end and unknown must be ids below {len(vocabulary)}")
        if len(vocabulary._ids) != len(vocabulary) - len(vocabulary.reserved):
            raise ValueError("not a vocabulary: a token occurs twice")
        return vocabulary

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary as JSON values, for `vocabulary.json`."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**record, "tokens": list(self.tokens), "reading": self.reading.to_json()}

    def read(self, line: str) -> list[str]:
        """Normalize a line like the lines of the training data, and return its tokens."""
        return self.split(self.reading.read(line).strip())

    def split(self, text: str) -> list[str]:
        """Return the tokens of a text that is already normalized, or decoded from ids."""
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
        """Return the number of tokens of a text that are not in the vocabulary."""
        return sum(token not in self._ids for token in self.split(text))

    def text_ids(self, ids: NDArray[np.integer] | Sequence[int]) -> list[int]:
        """Return the ids of a row up to the end id, without padding and start."""
        row = [int(i) for i in ids]
        if self.end is not None and self.end in row:
            row = row[: row.index(self.end)]
        return [i for i in row if i not in (PAD, self.start)]

    def decode(self, ids: NDArray[np.integer] | Sequence[int]) -> str:
        """Return the text of a row of ids up to the end id, without padding and start.

        An unknown token becomes its label, `<unk>`.
        """
        return self.separator.join(self.tokens[i] for i in self.text_ids(ids))

    def decode_readable(self, ids: NDArray[np.integer] | Sequence[int]) -> str:
        """Return the same as `decode`, but with the character `UNREADABLE` for each unknown token."""
        return self.separator.join(
            UNREADABLE if i == self.unknown else self.tokens[i] for i in self.text_ids(ids)
        )

    def unknown_spans(self, ids: NDArray[np.integer] | Sequence[int]) -> tuple[Span, ...]:
        """Return the positions of the labels of unknown tokens in the text that `decode` returns."""
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
    """Return rows of ids as an array of shape (len(rows), length), int32, padded on the right with `PAD`.

    Args:
        rows: ids; a row must not be longer than `length`.
        length: the number of columns; None for the length of the longest row.
    """
    width = max((len(row) for row in rows), default=0) if length is None else length
    out = np.full((len(rows), width), PAD, np.int32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
