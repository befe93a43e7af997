"""Formats of a line with a source and its target: `tsv`, `in_out` and `cmudict`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from job.problems.text_lines import BadLineError
from job.problems.text_tokens import text_normalizer
from job.spec.text_pairs_section import TextPairsSpec

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
    return _PARSERS[spec.format](
        text_normalizer(spec, spec.source_tokens), text_normalizer(spec, spec.target_tokens)
    )


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
