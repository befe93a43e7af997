"""Lines of text to the token ids of sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from job.errors import InputError
from job.inference.model_facts import ModelFacts
from job.problems.vocabulary import PAD, Vocabulary

MAX_SOURCE_LENGTH = 32_768
"""Maximum number of tokens of a line; proportionally fewer for a beam wider than 4."""


def read_sources(
    lines: Iterable[str], facts: ModelFacts, name: str, first: int = 1, max_length: int = MAX_SOURCE_LENGTH
) -> Iterator[list[int]]:
    """Yield the token ids of the source on each line; an empty line is an empty source.

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
        tokens = facts.source.read(line)
        try:
            ids = facts.source.encode(tokens)
        except KeyError as error:
            raise InputError(
                f"{name}:{number}: token {error.args[0]!r} is not one the model knows; "
                f"known are {_shown(facts.source)}"
            ) from error
        if ids and facts.fixed_length and len(ids) != facts.source_length:
            raise InputError(
                f"{name}:{number}: {len(ids)} tokens, but this model reads exactly {facts.source_length}"
            )
        if len(ids) > max_length:
            raise InputError(
                f"{name}:{number}: {len(ids):,} tokens, but a line may have {max_length:,} at most; split it"
            )
        yield ids


def _shown(vocabulary: Vocabulary) -> str:
    tokens = [t for i, t in enumerate(vocabulary.tokens) if i not in (PAD, vocabulary.start, vocabulary.end)]
    return ", ".join(tokens) if len(tokens) <= 12 else f"{tokens[0]}, {tokens[1]}, ..., {tokens[-1]}"
