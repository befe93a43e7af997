"""Parsing of many lines at once: the same pairs as line by line (`pair_formats`), in a third of the time.

It is for well-formed lines. If any line is blank or malformed, the whole block is left to the parser of
single lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from job.problems.normalization import UNCHANGED
from job.problems.pair_formats import Normalizer, Pair
from job.problems.text_tokens import text_normalization, text_normalizer
from job.spec.text_pairs_section import TextPairsSpec

LinesParser: TypeAlias = Callable[[Sequence[str]], list[Pair] | None]
"""Returns the pair of each line, as a `PairParser` does; None if lines are to be parsed one by one."""

_ENTRIES = re.compile(r"^([^\s(;]+)(?:\(\d+\))? +([A-Z][A-Z0-2 ]*)(?: #.*)?\r?$", re.MULTILINE)
"""Most entries of a pronouncing dictionary: not all that `pair_formats` reads, and none of them differently.
The order of letters and stress marks is checked apart, which is quicker."""

_LETTER, _MARK, _SPACE, _END = range(4)
_KINDS = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012 \n", bytes([_LETTER] * 26 + [_MARK] * 3 + [_SPACE, _END])
)
_MAY_FOLLOW = np.zeros((4, 4), np.bool_)
"""Whether a character of one kind may precede one of another in phonemes that need no normalization."""
_MAY_FOLLOW[_LETTER] = True
_MAY_FOLLOW[_MARK, [_SPACE, _END]] = True
_MAY_FOLLOW[[_SPACE, _END], _LETTER] = True


def lines_parser(spec: TextPairsSpec) -> LinesParser:
    """Return the parser of many lines in the format of a section, which also normalizes both sides."""
    sides = text_normalizer(spec, spec.source_tokens), text_normalizer(spec, spec.target_tokens)
    if spec.format == "cmudict" and text_normalization(spec) == UNCHANGED:
        return _dictionary_pairs
    if spec.format == "tsv" and spec.features is None:
        columns = spec.columns
        if columns is None:
            return lambda lines: _table_pairs(lines, sides, (0, 1), exactly=2)
        chosen = columns.source - 1, columns.target - 1
        return lambda lines: _table_pairs(lines, sides, chosen)
    return lambda lines: None


def two_sides(
    sources: Sequence[str], targets: Sequence[str], sides: tuple[Normalizer, Normalizer]
) -> list[Pair] | None:
    """Return pairs as normalized text; None if a text is empty then."""
    normal = [list(map(side, texts)) for side, texts in zip(sides, (sources, targets), strict=True)]
    return list(zip(*normal, strict=True)) if all(map(all, normal)) else None


def _table_pairs(
    lines: Sequence[str],
    sides: tuple[Normalizer, Normalizer],
    columns: tuple[int, int],
    exactly: int | None = None,
) -> list[Pair] | None:
    rows = [line.split("\t") for line in lines]
    counts = set(map(len, rows))
    if counts != {exactly} if exactly else min(counts) <= max(columns):
        return None
    source, target = columns
    return two_sides([row[source] for row in rows], [row[target] for row in rows], sides)


def _dictionary_pairs(lines: Sequence[str]) -> list[Pair] | None:
    """Return entries without whitespace to normalize: a word, and phonemes with one space between them."""
    entries = _ENTRIES.findall("\n".join(lines))
    if len(entries) != len(lines):
        return None
    words, pronunciations = zip(*entries, strict=True)
    phonemes = "\n".join([*pronunciations, ""]).encode()
    kinds = np.frombuffer(phonemes.translate(_KINDS), np.uint8)
    if not _MAY_FOLLOW[kinds[:-1], kinds[1:]].all():
        return None
    plain = phonemes.translate(None, b"012").decode()
    return list(zip(words, plain.removesuffix("\n").split("\n"), strict=True))
