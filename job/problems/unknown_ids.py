"""Copies of source tokens: ids for tokens that a vocabulary lacks, and which target id each source id has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from job.problems.vocabulary import FEATURE, Vocabulary, spelling_number


def numbered(source: Vocabulary, target: Vocabulary) -> tuple[Vocabulary, Vocabulary]:
    """Return both vocabularies with ids for unknown tokens, see `Vocabulary.numbered`.

    A shared vocabulary stays shared. They are unchanged if one of them has no unknown tokens, or consists of
    subwords, whose unknown pieces are no tokens of a text.
    """
    if any(side.unknown is None or side.subwords is not None for side in (source, target)):
        return source, target
    first = replace(source, numbered=True)
    return first, first if target is source else replace(target, numbered=True)


def copy_table(source: Vocabulary, target: Vocabulary, nowhere: int) -> NDArray[np.int32]:
    """Return the target id of the token of each source id, (number of source ids,).

    Tokens correspond by their spelling. Reserved ids and features cannot be copied, nor can tokens that the
    target vocabulary lacks, unless it is `numbered`.

    Args:
        source, target: the vocabularies.
        nowhere: the entry of tokens that cannot be copied.
    """
    return np.array([_copied(i, source, target, nowhere) for i in range(len(source))], np.int32)


def _copied(i: int, source: Vocabulary, target: Vocabulary, nowhere: int) -> int:
    token = source.tokens[i]
    if i in source.reserved or token.startswith(FEATURE):
        return nowhere
    try:
        (found,) = target.encode([token])
    except KeyError:
        return nowhere
    return nowhere if found == target.unknown else found


def spelled(
    vocabulary: Vocabulary, ids: NDArray[np.integer] | Sequence[int], source: Iterable[str]
) -> tuple[Vocabulary, NDArray[np.integer] | Sequence[int]]:
    """Return a vocabulary with the tokens that a row has copied from its source, and the row's ids in it.

    Args:
        vocabulary: the target vocabulary.
        ids: a row of target ids.
        source: the tokens of the source.
    """
    size = len(vocabulary)
    copied = sorted({int(i) for i in ids if i >= size})
    if not copied or vocabulary.unknown is None:
        return vocabulary, ids
    spelling = {size + spelling_number(token): token for token in source}
    there = [i for i in copied if i in spelling]
    new = {i: size + place for place, i in enumerate(there)}
    tokens = (*vocabulary.tokens, *(spelling[i] for i in there))
    row = [int(i) if i < size else new.get(int(i), vocabulary.unknown) for i in ids]
    return replace(vocabulary, tokens=tokens), row
