"""Lines of text to the token ids of sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from job.errors import InputError
from job.inference.model_facts import ModelFacts
from job.problems.vocabulary import PAD, Vocabulary


class Source(list[int]):
    """Ids of a source, with its tokens, which a model may copy.

    Args:
        ids: The ids.
        tokens: The tokens, as many.
    """

    def __init__(self, ids: Iterable[int], tokens: Sequence[str]) -> None:
        super().__init__(ids)
        self.tokens = tokens


MAX_SOURCE_LENGTH = 32_768
"""Maximum number of tokens of a line; proportionally fewer for a beam wider than 4."""


def read_sources(
    lines: Iterable[str], facts: ModelFacts, name: str, first: int = 1, max_length: int = MAX_SOURCE_LENGTH
) -> Iterator[Source]:
    """Yield the source on each line; an empty line is an empty source.

    Args:
        lines: Lines of text, with or without line ends.
        facts: Facts of the model.
        name: Name of the input, for errors.
        first: Number of the first line, for errors.
        max_length: Maximum number of tokens of a line.

    Raises:
        InputError: A token is not in the vocabulary, or a line has the wrong number of tokens for the model
            or would need too much memory.
    """
    for number, line in enumerate(lines, first):
        yield source_ids(facts.source.read(line), facts, f"{name}:{number}", max_length)


def source_ids(
    tokens: Sequence[str], facts: ModelFacts, place: str, max_length: int = MAX_SOURCE_LENGTH
) -> Source:
    """Return the ids of the tokens of a source, with the tokens.

    Args:
        tokens: Tokens of the model's source vocabulary; none for an empty source.
        facts: Facts of the model.
        place: Name of the source, for errors.
        max_length: Maximum number of tokens.

    Raises:
        InputError: See `read_sources`.
    """
    ids = known_ids(tokens, facts.source, place)
    if ids and facts.fixed_length and len(ids) != facts.source_length:
        raise InputError(f"{place}: {len(ids)} tokens, but this model reads exactly {facts.source_length}")
    if len(ids) > max_length:
        raise InputError(
            f"{place}: {len(ids):,} tokens, but a line may have {max_length:,} at most; split it"
        )
    return Source(ids, tokens)


def known_ids(tokens: Sequence[str], vocabulary: Vocabulary, place: str) -> list[int]:
    """Return the ids of tokens; raise `InputError` for a token that the vocabulary does not have."""
    try:
        return vocabulary.encode(tokens)
    except KeyError as error:
        raise InputError(
            f"{place}: token {error.args[0]!r} is not one the model knows; known are {_shown(vocabulary)}"
        ) from error


def _shown(vocabulary: Vocabulary) -> str:
    tokens = [t for i, t in enumerate(vocabulary.tokens) if i not in (PAD, vocabulary.start, vocabulary.end)]
    return ", ".join(tokens) if len(tokens) <= 12 else f"{tokens[0]}, {tokens[1]}, ..., {tokens[-1]}"
