"""Vocabularies: conversion of tokens to ids and back, and of rows of ids to text."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby, repeat
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from job.problems.normalization import UNCHANGED, TextNormalization
from job.problems.subwords import SPACE, Subwords

PAD = 0
"""The id that pads sequences on the right; no token of a text has it."""

START, END, UNKNOWN = 1, 2, 3
"""The other reserved ids of a learned vocabulary."""

_LABELS = ("<pad>", "<start>", "<end>", "<unk>")
"""The names of the reserved ids in plots and files. A token of the data with the same spelling has another
id."""

UNREADABLE = "\ufffd"
"""Replaces an unknown token in a text that is decoded from ids."""

FEATURE = "\t"
"""The beginning of a feature's token: no token of a text has it, because a tab separates columns."""

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
        subwords: the model that splits texts into tokens; None for characters and words.
        features: separator of the features that follow a tab in a text; None if a text has no features. The
            token of a feature is the feature after `FEATURE`.
        numbered: whether tokens that are not in the vocabulary have ids of their own, see `spelling_number`,
            instead of `unknown`; for models that copy tokens.
    """

    tokens: tuple[str, ...]
    separator: Literal["", " "]
    start: int = PAD
    end: int | None = None
    unknown: int | None = None
    reading: TextNormalization = UNCHANGED
    subwords: Subwords | None = None
    features: str | None = None
    numbered: bool = False

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def reserved(self) -> frozenset[int]:
        """The ids that do not belong to a token of the data."""
        ids = (PAD, self.start, self.end, self.unknown)
        return frozenset(i for i in ids if i is not None)

    @property
    def last_id(self) -> int:
        """The largest id that `encode` can return."""
        return len(self) - 1 + (SPELLING_NUMBERS if self.numbered else 0)

    @property
    def kind(self) -> Literal["characters", "words", "subwords"]:
        """The kind of its tokens."""
        if self.subwords is not None:
            return "subwords"
        return "words" if self.separator else "characters"

    @property
    def has_characters_only(self) -> bool:
        """Whether the tokens of every text are its characters, and all unknown ones have the id `unknown`."""
        plain = self.subwords is None and self.features is None and not self.numbered
        return plain and not self.separator and self.unknown is not None

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
        min_count: int = 1,
        max_size: int | None = None,
        features: str | None = None,
        earlier: Sequence[str] = (),
    ) -> Vocabulary:
        """Build a vocabulary of the distinct tokens in sorted order, after padding, start, end and unknown.

        Args:
            tokens: the tokens of the training data, in any order, with repetitions.
            separator: see the class.
            closed: whether there are no other tokens; then there is no unknown id, and another token is an
                error.
            reading: the normalization of the lines that the tokens are from.
            min_count: number of times that a token must occur.
            max_size: maximum number of tokens, without the reserved ones; of equally frequent tokens the
                first in sorted order are kept. None for no limit. Features are always kept.
            features: see the class.
            earlier: different tokens that come before all others, in this order, whether they occur or not;
                limits concern the others.
        """
        labels = _LABELS[:UNKNOWN] if closed else _LABELS
        unknown = None if closed else UNKNOWN
        there = frozenset(earlier)
        chosen = (
            set(tokens) - there
            if min_count == 1 and max_size is None
            else _frequent(tokens, min_count, max_size, there)
        )
        known = (*labels, *earlier, *sorted(chosen))
        return cls(
            known, separator, start=START, end=END, unknown=unknown, reading=reading, features=features
        )

    @classmethod
    def of_subwords(
        cls, subwords: Subwords, reading: TextNormalization = UNCHANGED, more: Sequence[str] = ()
    ) -> Vocabulary:
        """Build a vocabulary of all pieces of a subword model, in its order, after the reserved tokens.

        Args:
            subwords: the model.
            reading: see the class.
            more: characters that no piece has, each a token of its own after the pieces.
        """
        known = (*_LABELS, *subwords.pieces, *more)
        return cls(known, " ", start=START, end=END, unknown=UNKNOWN, reading=reading, subwords=subwords)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Vocabulary:
        """Build a vocabulary from the result of `to_json`.

        Raises:
            ValueError: `data` does not describe a vocabulary.
        """
        try:
            reading = TextNormalization.from_json(data.get("reading", {}))
            subwords = Subwords.from_json(data["subwords"]) if data.get("subwords") is not None else None
            values = {**data, "tokens": tuple(data["tokens"]), "reading": reading, "subwords": subwords}
            vocabulary = cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a vocabulary: {error}") from None
        ids = [vocabulary.start, *(i for i in (vocabulary.end, vocabulary.unknown) if i is not None)]
        if not all(isinstance(token, str) for token in vocabulary.tokens):
            raise ValueError("not a vocabulary: tokens must be strings")
        if vocabulary.separator not in ("", " "):
            raise ValueError("not a vocabulary: separator must be a space or empty")
        if not all(type(i) is int and 0 <= i < len(vocabulary) for i in ids):
            raise ValueError(f"not a vocabulary: start, end and unknown must be ids below {len(vocabulary)}")
        if type(vocabulary.numbered) is not bool or (vocabulary.numbered and vocabulary.unknown is None):
            raise ValueError("not a vocabulary: numbered must be true or false, and true only beside unknown")
        if len(vocabulary._ids) != len(vocabulary) - len(vocabulary.reserved):
            raise ValueError("not a vocabulary: a token occurs twice")
        return vocabulary

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary as JSON values, for `vocabulary.json`."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        record |= {"tokens": list(self.tokens), "reading": self.reading.to_json()}
        if self.subwords is not None:
            record["subwords"] = self.subwords.to_json()
        return {name: value for name, value in record.items() if value or name not in _OPTIONAL}

    def read(self, line: str) -> list[str]:
        """Normalize a line like the lines of the training data, and return its tokens."""
        if self.features is None:
            return self.model_tokens(self._normalized(line))
        text, tab, features = line.partition("\t")
        return self.model_tokens(self._normalized(text) + tab + features)

    def _normalized(self, text: str) -> str:
        text = self.reading.read(text).strip()
        return text if self.subwords is None else " ".join(text.split())  # words are split at any whitespace

    def split(self, text: str) -> list[str]:
        """Return the tokens of a text that is already normalized, or decoded from ids, as metrics count them.

        Those of a text in subwords are its words; all others are the same as `model_tokens`.
        """
        if self.features is not None:
            text, _, features = text.partition("\t")
            return self._split_text(text) + feature_tokens(features, self.features)
        return self._split_text(text)

    def _split_text(self, text: str) -> list[str]:
        return text.split() if self.separator else list(text)

    def model_tokens(self, text: str) -> list[str]:
        """Return the tokens of a normalized text, each of which has one id."""
        if self.subwords is None:
            return self.split(text)
        pieces = self.subwords.split(text)
        if not self._has_more_characters:
            return pieces
        return [token for piece in pieces for token in self._known_parts(piece)]

    @cached_property
    def _has_more_characters(self) -> bool:
        """Whether there are tokens besides the pieces of the subword model."""
        return self.subwords is not None and len(self._ids) > len(self.subwords.pieces)

    def _known_parts(self, piece: str) -> Iterator[str]:
        """Yield a piece; of several characters that no piece has, those that are tokens one by one."""
        if piece in self._ids:
            yield piece
            return
        for known, run in groupby(piece, self._ids.__contains__):
            characters = [*run]
            yield from characters if known else ["".join(characters)]

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Return the ids of tokens, without start or end.

        Raises:
            KeyError: a token is not in the vocabulary and there is no `unknown` id.
        """
        if self.unknown is None:
            return [self._ids[token] for token in tokens]
        if self.numbered:
            return [self._ids[token] if token in self._ids else self._number(token) for token in tokens]
        return list(map(self._ids.get, tokens, repeat(self.unknown)))

    def _number(self, token: str) -> int:
        """Return the id of a token that is not in the vocabulary; features have none of their own."""
        assert self.unknown is not None
        return self.unknown if token.startswith(FEATURE) else len(self) + spelling_number(token)

    def unknown_tokens(self, text: str) -> int:
        """Return the number of tokens of a text that are not in the vocabulary."""
        return sum(token not in self._ids for token in self.model_tokens(text))

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
        return "".join(self._parts(ids))

    def decode_readable(self, ids: NDArray[np.integer] | Sequence[int]) -> str:
        """Return the same as `decode`, but with the character `UNREADABLE` for each unknown token."""
        row = self.text_ids(ids)
        parts = self._parts(ids)
        return "".join(
            part[: len(part) - len(self.tokens[i])] + UNREADABLE if i == self.unknown else part
            for i, part in zip(row, parts, strict=True)
        )

    def unknown_spans(self, ids: NDArray[np.integer] | Sequence[int]) -> tuple[Span, ...]:
        """Return the positions of the labels of unknown tokens in the text that `decode` returns."""
        row = self.text_ids(ids)
        if self.unknown not in row:
            return ()
        spans, last = [], 0
        for i, part in zip(row, self._parts(ids), strict=True):
            last += len(part)
            if i == self.unknown:
                spans.append((last - len(self.tokens[i]), last))
        return tuple(spans)

    def _parts(self, ids: NDArray[np.integer] | Sequence[int]) -> list[str]:
        """Return what each token of a row adds to its text: the token, after the separator or a tab."""
        if self.subwords is None and self.features is None:
            tokens = [self.tokens[i] for i in self.text_ids(ids)]
            return tokens[:1] + [self.separator + token for token in tokens[1:]]
        parts: list[str] = []
        for i in self.text_ids(ids):
            token = self.tokens[i]
            if self.subwords is not None and i != self.unknown:
                token = token.replace(SPACE, " ")
                parts.append(token if any(parts) else token.lstrip(" "))
            elif self.features is not None and token.startswith(FEATURE):
                more = any(part.startswith(FEATURE) for part in parts)
                parts.append(self.features + token[len(FEATURE) :] if more else token)
            else:
                parts.append(self.separator + token if parts and self.subwords is None else token)
        return parts


@dataclass(frozen=True)
class EarlierTokens:
    """What the model that a training starts from reads and writes.

    Args:
        source, target: its vocabularies.
        max_target_length: maximum length of its targets, the end id included.
        complete: whether the data of the training add no tokens: the model was trained on them already.
    """

    source: Vocabulary
    target: Vocabulary
    max_target_length: int
    complete: bool = False

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of everything on which vocabularies with these tokens depend."""
        facts = [self.source.to_json(), self.target.to_json(), self.complete]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def longest_target(self, kind: str) -> int:
        """Return `max_target_length` if targets have tokens of this kind; 0 if lengths cannot be compared."""
        return self.max_target_length if self.target.kind == kind else 0


_OPTIONAL = ("subwords", "features", "numbered")
"""Fields that a file has only if they are neither None nor false, so that earlier versions read others."""


SPELLING_NUMBERS = 1 << 30
"""How many spelling numbers there are."""


def spelling_number(token: str) -> int:
    """Return a number from 0 to `SPELLING_NUMBERS` - 1 that depends on a token's spelling alone.

    The id of a token that is not in a vocabulary of n ids is n plus this number. Two different tokens have
    the same number with a probability of 1 in 10^9.
    """
    digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") % SPELLING_NUMBERS


def feature_tokens(column: str, separator: str) -> list[str]:
    """Return the tokens of a column of features, such as `N;NOM;PL`; empty ones are left out."""
    features = (feature.strip() for feature in column.split(separator))
    return [FEATURE + feature for feature in features if feature]


def _frequent(
    tokens: Iterable[str], min_count: int, max_size: int | None, without: frozenset[str]
) -> set[str]:
    """Return the tokens that occur at least `min_count` times, of these the `max_size` most frequent ones.

    Those of `without` are neither counted nor returned.
    """
    counts = Counter(token for token in tokens if token not in without) if without else Counter(tokens)
    features = {token for token in counts if token.startswith(FEATURE)}
    frequent = [token for token, n in counts.items() if n >= min_count and token not in features]
    frequent.sort(key=lambda token: (-counts[token], token))
    return features | set(frequent[:max_size])


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
