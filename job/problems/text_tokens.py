"""Tokens of texts, by `source_tokens` and `target_tokens`: whitespace, counts and vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from job.errors import no_implementation
from job.problems.normalization import UNCHANGED, TextNormalization
from job.problems.vocabulary import Vocabulary
from job.spec.text_pairs_section import SEPARATORS, TextPairsSpec, Tokens

_WITH_CANONICAL_SPACES: dict[Tokens, Callable[[str], str]] = {
    "characters": str.strip,
    "words": lambda text: " ".join(text.split()),
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


def token_counts(texts: Iterable[str], tokens: Tokens) -> list[int]:
    """Return the number of tokens of each normalized text."""
    match tokens:
        case "characters":
            return [len(text) for text in texts]
        case "words":
            return [text.count(" ") + 1 for text in texts]
        case unknown:
            no_implementation("problem.source_tokens or problem.target_tokens", unknown)


def learn_vocabularies(
    sources: Sequence[str], targets: Sequence[str], spec: TextPairsSpec
) -> tuple[Vocabulary, Vocabulary]:
    """Learn the vocabularies of sources and targets; they are the same object if `spec` says so.

    Args:
        sources, targets: the normalized texts of the training pairs.
        spec: the section of the problem.
    """
    if spec.shared_vocabulary:
        shared = _learn(chain(sources, targets), spec.source_tokens, spec)
        return shared, shared
    return _learn(sources, spec.source_tokens, spec), _learn(targets, spec.target_tokens, spec)


def _learn(texts: Iterable[str], tokens: Tokens, spec: TextPairsSpec) -> Vocabulary:
    separator = SEPARATORS[tokens]
    rows = map(str.split, texts) if separator else texts
    return Vocabulary.learn(chain.from_iterable(rows), separator, reading=text_normalization(spec))
