"""Tokens of texts, by `source_tokens` and `target_tokens`: whitespace, counts and vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from job.errors import DataError, DataErrors, no_implementation
from job.problems.earlier_tokens import kept_subwords, kept_tokens
from job.problems.normalization import UNCHANGED, TextNormalization
from job.problems.subwords import Subwords, require_sentencepiece
from job.problems.unknown_ids import numbered
from job.problems.vocabulary import EarlierTokens, Vocabulary, feature_tokens
from job.spec.base_section import Separator
from job.spec.text_pairs_section import SEPARATORS, TextPairsSpec, Tokens


class Texts(Protocol):
    """Normalized texts; they can be read repeatedly."""

    def __iter__(self) -> Iterator[str]: ...

    def blocks(self) -> Iterator[list[str]]:
        """Yield all texts in blocks."""


def _single_spaces(text: str) -> str:
    return " ".join(text.split())


_WITH_CANONICAL_SPACES: dict[Tokens, Callable[[str], str]] = {
    "characters": str.strip,
    "words": _single_spaces,
    "subwords": _single_spaces,
}
"""Removal of whitespace that does not separate tokens, by kind of tokens."""


def text_normalization(spec: TextPairsSpec) -> TextNormalization:
    """Return the normalization of both sides."""
    return TextNormalization(lowercase=spec.lowercase, normalize=spec.normalize)


def text_normalizer(spec: TextPairsSpec, tokens: Tokens) -> Callable[[str], str]:
    """Return a function that maps all texts with the same tokens to one text, which may be empty.

    Args:
        spec: the section of the problem.
        tokens: the kind of tokens of the side.
    """
    normalize_spaces = _WITH_CANONICAL_SPACES[tokens]
    normalization = text_normalization(spec)
    if normalization == UNCHANGED:
        return normalize_spaces  # the most frequent case, in which large files need one call less per text
    return lambda text: normalize_spaces(normalization.read(text))


def source_counts(sources: Sequence[str], spec: TextPairsSpec) -> NDArray[np.int64]:
    """Return the number of tokens of each normalized source, features included; words for subwords."""
    separator = spec.features
    if separator is None:
        return token_counts(sources, spec.source_tokens)
    parts = [source.partition("\t") for source in sources]
    counts = token_counts([text for text, _, _ in parts], spec.source_tokens)
    more = [len(feature_tokens(column, separator)) for _, _, column in parts]
    return counts + np.array(more, np.int64)


def token_counts(texts: Sequence[str], tokens: Tokens) -> NDArray[np.int64]:
    """Return the number of tokens of each normalized text; the number of words for subwords."""
    match tokens:
        case "characters":
            return np.fromiter(map(len, texts), np.int64, len(texts))
        case "words" | "subwords":
            return np.fromiter(map(str.count, texts, repeat(" ")), np.int64, len(texts)) + 1
        case unknown:
            no_implementation("problem.source_tokens or problem.target_tokens", unknown)


def learn_vocabularies(
    sources: Texts,
    targets: Texts,
    spec: TextPairsSpec,
    *,
    copies: bool = False,
    earlier: EarlierTokens | None = None,
) -> tuple[Vocabulary, Vocabulary]:
    """Learn the vocabularies of sources and targets; they are the same object if `spec` says so.

    With an earlier model, its tokens come first, and the limits of vocabularies concern the others. Subwords
    are split by its model.

    Args:
        sources, targets: the normalized texts of the training pairs; they are read several times.
        spec: the section of the problem.
        copies: whether unknown tokens have ids of their own, see `numbered`.
        earlier: the tokens of the model that training starts from, if there is one.

    Raises:
        DataErrors: subwords cannot be learned, their package is not installed, or the limits leave no token.
    """
    before = () if earlier is None else (earlier.source, earlier.target)
    if earlier is not None and earlier.complete:
        return earlier.source, earlier.source if spec.shared_vocabulary else earlier.target
    if spec.shared_vocabulary:
        shared = _learn(_Joined(sources, targets), spec.source_tokens, spec, "pairs", earlier=before)
        sides = shared, shared
    else:
        sides = (
            _learn(sources, spec.source_tokens, spec, "sources", spec.features, earlier=before[:1]),
            _learn(targets, spec.target_tokens, spec, "targets", earlier=before[1:]),
        )
    return numbered(*sides) if copies else sides


@dataclass(frozen=True)
class _Joined:
    """The texts of both sides, one after the other; they can be read repeatedly."""

    sources: Texts
    targets: Texts

    def __iter__(self) -> Iterator[str]:
        return chain(self.sources, self.targets)

    def blocks(self) -> Iterator[list[str]]:
        return chain(self.sources.blocks(), self.targets.blocks())


def _learn(
    texts: Texts,
    tokens: Tokens,
    spec: TextPairsSpec,
    side: str,
    features: str | None = None,
    *,
    earlier: Sequence[Vocabulary],
) -> Vocabulary:
    separator, limits, reading = SEPARATORS[tokens], spec.vocabulary, text_normalization(spec)
    if tokens == "subwords":
        try:
            require_sentencepiece("source_tokens" if spec.source_tokens == tokens else "target_tokens")
            return _learn_subwords(texts, spec, earlier)
        except DataError as error:
            raise DataErrors([error]) from None
    found = _tokens(texts, separator, features)
    if limits.min_count == 1 and limits.max_size is None:  # only which tokens there are matters
        found = map(set, found)
    vocabulary = Vocabulary.learn(
        chain.from_iterable(found),
        separator,
        reading=reading,
        min_count=limits.min_count,
        max_size=limits.max_size,
        features=features,
        earlier=kept_tokens(earlier, tokens, features=features is not None),
    )
    if len(vocabulary) == len(vocabulary.reserved):
        message = f"no token of the {side} occurs {limits.min_count} times on the training side; lower it"
        raise DataErrors([DataError(message, key="vocabulary.min_count")])
    return vocabulary


def _tokens(texts: Texts, separator: Separator, features: str | None) -> Iterator[Iterable[str]]:
    """Yield the tokens of many texts at a time."""
    for block in texts.blocks():
        if features is not None:
            yield chain.from_iterable(map(Vocabulary((), separator, features=features).split, block))
        else:
            yield " ".join(block).split() if separator else "".join(block)


def _learn_subwords(texts: Texts, spec: TextPairsSpec, earlier: Sequence[Vocabulary]) -> Vocabulary:
    reading, kept = text_normalization(spec), kept_subwords(earlier)
    if kept is None:
        return Vocabulary.of_subwords(Subwords.learn(texts, spec.subwords), reading)
    pieces, before = frozenset(kept.pieces), kept_tokens(earlier, "subwords", features=False)
    more = [token for token in before if token not in pieces]
    return Vocabulary.of_subwords(kept, reading, [*more, *sorted(kept.unknown_characters(texts) - {*more})])
