"""Formats of a line with a source and its target: `tsv`, `in_out` and `cmudict`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from job.problems.text_lines import BadLineError
from job.problems.text_tokens import text_normalizer
from job.problems.vocabulary import FEATURE, feature_tokens
from job.spec.text_pairs_section import ColumnsSpec, TextPairsSpec

Pair: TypeAlias = tuple[str, str]
"""A source and its target as normalized text; neither is empty."""

Normalizer: TypeAlias = Callable[[str], str]

PairParser: TypeAlias = Callable[[str], Pair | None]
"""Returns the pair of a line, None for a blank line or a comment; raises `BadLineError`."""

# IN: jump twice OUT: I_JUMP I_JUMP
_IN_OUT = re.compile(r"\s*IN:(.*?)\sOUT:(.*)", re.DOTALL)

# word(2) F AH0 N # comment
_PRONUNCIATION = re.compile(r"\s*(?!;;;)(\S+?)(?:\(\d+\))?\s+([A-Z]+[0-2]?(?:\s+[A-Z]+[0-2]?)*)\s*(?:#.*)?")


def pair_parser(spec: TextPairsSpec) -> PairParser:
    """Return the parser of lines in the format of a section, which also normalizes both sides."""
    sides = text_normalizer(spec, spec.source_tokens), text_normalizer(spec, spec.target_tokens)
    if spec.columns is not None:
        return _columns(*sides, spec.columns, spec.features)
    return _PARSERS[spec.format](*sides)


def _columns(
    source: Normalizer, target: Normalizer, columns: ColumnsSpec, features: str | None
) -> PairParser:
    """Return the parser of chosen columns; with features, a source ends with a tab and its features."""
    needed = max(columns.source, columns.target, columns.features or 0)

    def parse(line: str) -> Pair | None:
        values = line.split("\t")
        if len(values) < needed:
            if not line.strip():
                return None
            raise BadLineError(f"expected at least {needed} columns, but found {len(values)}")
        expected = f"text in the columns {columns.source} and {columns.target}"
        text, translation = _not_empty(
            source(values[columns.source - 1]), target(values[columns.target - 1]), expected
        )
        if features is None or columns.features is None:
            return text, translation
        tokens = feature_tokens(values[columns.features - 1], features)
        column = features.join(token[len(FEATURE) :] for token in tokens)
        return f"{text}\t{column}" if column else text, translation

    return parse


def _tsv(source: Normalizer, target: Normalizer) -> PairParser:
    def parse(line: str) -> Pair | None:
        columns = line.split("\t")
        if len(columns) == 1 and not line.strip():
            return None
        if len(columns) != 2:
            raise BadLineError(f"expected two columns, source TAB target, but found {len(columns)}")
        return _not_empty(source(columns[0]), target(columns[1]), "source TAB target, text on both sides")

    return parse


def _in_out(source: Normalizer, target: Normalizer) -> PairParser:
    expected = "`IN: source OUT: target`, such as `IN: jump twice OUT: I_JUMP I_JUMP`"

    def parse(line: str) -> Pair | None:
        entry = _IN_OUT.fullmatch(line)
        if entry is None:
            if not line.strip():
                return None
            raise BadLineError(f"expected {expected}")
        if re.search(r"\sOUT:", entry[2]):
            raise BadLineError(f"OUT: occurs twice; expected {expected}")
        return _not_empty(source(entry[1]), target(entry[2]), expected)

    return parse


def _not_empty(source: str, target: str, expected: str) -> Pair:
    if source and target:
        return source, target
    raise BadLineError(f"the {'target' if source else 'source'} is empty; expected {expected}")


def _cmudict(source: Normalizer, target: Normalizer) -> PairParser:
    match_entry = _PRONUNCIATION.fullmatch

    def parse(line: str) -> Pair | None:
        entry = match_entry(line)
        if entry is not None:
            word, phonemes = entry.groups()
            return source(word), target(phonemes.replace("0", "").replace("1", "").replace("2", ""))
        if not line.strip() or line.lstrip().startswith(";;;"):
            return None
        raise BadLineError("expected a word and its phonemes, like `fox F AA1 K S`")

    return parse


_PARSERS: dict[str, Callable[[Normalizer, Normalizer], PairParser]] = {
    "tsv": _tsv,
    "in_out": _in_out,
    "cmudict": _cmudict,
}
