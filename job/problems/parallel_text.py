"""Reading of parallel text files (TSV, IN/OUT, CMUdict, two files) into pairs of source and target."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from job.errors import DataError, DataErrors
from job.problems.data_files import MAX_LISTED_ERRORS, DataFile, read_data
from job.problems.normalization import UNCHANGED, TextNormalization
from job.problems.text_lines import BadLineError, TextLines, decode_line, not_utf8
from job.spec.file_locations import locate
from job.spec.text_pairs_section import PairFiles, TextPairsSpec, Tokens

_NO_PAIR = "the file holds no pair, only blank lines and comments; fill it or name another"

T = TypeVar("T")
Pair = tuple[str, str]

# IN: jump twice OUT: I_JUMP I_JUMP
_IN_OUT = re.compile(r"\s*IN:(.*?)\sOUT:(.*)", re.DOTALL)

# word(2) F AH0 N # comment
_PRONUNCIATION = re.compile(r"\s*(?!;;;)(\S+?)(?:\(\d+\))?\s+([A-Z]+[0-2]?(?:\s+[A-Z]+[0-2]?)*)\s*(?:#.*)?")


@dataclass(frozen=True)
class Pairs:
    """The pairs of some files, in the files' order.

    Args:
        file: the first of the files.
        pairs: source and target as text, read as the spec says: never empty, no whitespace around, between
            words one space.
        repeated: lines left out because the same pair stood before (`cmudict` only).
        checksums: SHA-256 of each file, by the name that the spec gives it.
    """

    file: Path
    pairs: list[Pair]
    repeated: int
    checksums: dict[str, str]


@dataclass
class _Complaints:
    """What is wrong with one file; holds `MAX_LISTED_ERRORS` complaints however many there are."""

    file: Path
    key: str
    first: list[DataError] = field(default_factory=list)
    others: int = 0

    def add(self, message: str, line: int = 0) -> None:
        if len(self.first) < MAX_LISTED_ERRORS:
            self.first.append(DataError(message, file=self.file, line=line, key=self.key))
        else:
            self.others += 1

    def read(self, line: bytes, number: int, reader: Callable[[str], T]) -> T | None:
        """Return what a reader makes of a line, None when it cannot be read."""
        try:
            return reader(decode_line(line))
        except BadLineError as error:
            self.refuse(error, number)
        return None

    def refuse(self, error: UnicodeDecodeError | BadLineError, number: int) -> None:
        """Say why a line cannot be read."""
        self.add(str(not_utf8(error) if isinstance(error, UnicodeDecodeError) else error), number)

    def all(self) -> list[DataError]:
        if not self.others:
            return self.first
        rest = f"{self.others:,} more lines of this file cannot be used"
        return [*self.first, DataError(rest, file=self.file, key=self.key)]


def read_pairs(
    files: PairFiles,
    key: str,
    spec: TextPairsSpec,
    directory: Path,
    planned: Mapping[str, str] | None = None,
) -> Pairs:
    """Read one group of files of a spec.

    Args:
        files: the group.
        key: where it stands in the problem's section, for complaints: `data`, `train`, ...
        spec: how a line is read.
        directory: where relative names start.
        planned: the SHA-256 that files must have, by name.

    Raises:
        ChangedDataError: a file has another one.
        DataErrors: a file cannot be opened, or lines of it cannot be read, or it holds no pair.
    """
    keys = [f"{key}.{name}" for name in files.keyed]
    paths, opened = _open_all(files.names, keys, directory, planned or {})
    contents = [TextLines.of(file.content) for file in opened]
    complaints = [_Complaints(*place) for place in zip(paths, keys, strict=True)]
    if files.file is not None:
        pairs = list(_from_files(contents, complaints, spec))
    else:
        pairs = list(_from_parallel_files(contents, complaints, spec))
    if not pairs and not any(c.first for c in complaints):
        complaints[0].add(_NO_PAIR)
    if any(c.first for c in complaints):
        raise DataErrors([error for c in complaints for error in c.all()])
    distinct = list(dict.fromkeys(pairs)) if files.file is not None and spec.format == "cmudict" else pairs
    checksums = {name: file.sha256 for name, file in zip(files.names, opened, strict=True)}
    return Pairs(paths[0], distinct, len(pairs) - len(distinct), checksums)


# --- files ------------------------------------------------------------------------------------------------


def _open_all(
    names: Sequence[str], keys: Sequence[str], directory: Path, planned: Mapping[str, str]
) -> tuple[list[Path], list[DataFile]]:
    """Return the path and the content of every file."""
    paths, files, errors = [], [], []
    for name, key in zip(names, keys, strict=True):
        try:
            path = locate(name, directory)
            paths.append(path)
            files.append(read_data(path, planned.get(name)))
        except DataError as error:
            errors.append(DataError(error.message, file=error.file, key=key))
    if errors:
        raise DataErrors(errors)
    return paths, files


def _from_files(
    contents: Sequence[TextLines], complaints: Sequence[_Complaints], spec: TextPairsSpec
) -> Iterator[Pair]:
    reader = _FORMATS[spec.format](_tidier(spec, spec.source_tokens), _tidier(spec, spec.target_tokens))
    for content, of_file in zip(contents, complaints, strict=True):
        pairs = list(_from_one_file(content, of_file, reader))
        if not pairs and not of_file.first:
            of_file.add(_NO_PAIR)
        yield from pairs


def _from_one_file(
    content: TextLines, complaints: _Complaints, reader: Callable[[str], Pair | None]
) -> Iterator[Pair]:
    decode = content.decode
    for number, line in enumerate(content.lines, 1):
        try:  # not by `_Complaints.read`: a call a line is felt on a big file
            pair = reader(decode(line))
        except (UnicodeDecodeError, BadLineError) as error:
            complaints.refuse(error, number)
        else:
            if pair is not None:
                yield pair


def _from_parallel_files(
    contents: Sequence[TextLines], complaints: Sequence[_Complaints], spec: TextPairsSpec
) -> Iterator[Pair]:
    """Read files in the order of `PairFiles.keyed`: those of the sources, then as many of the targets."""
    count = len(contents) // 2
    for i in range(count):
        yield from _from_two_files(contents[i::count], complaints[i::count], spec)


def _from_two_files(
    contents: Sequence[TextLines], complaints: Sequence[_Complaints], spec: TextPairsSpec
) -> Iterator[Pair]:
    sources, targets = (content.lines for content in contents)
    of_source, of_target = complaints
    if len(sources) != len(targets):
        of_target.add(
            f"the file has {len(targets):,} lines, but {of_source.file} has {len(sources):,}; "
            "line n of one belongs to line n of the other, so make the counts equal"
        )
        return
    tidy_source, tidy_target = _tidier(spec, spec.source_tokens), _tidier(spec, spec.target_tokens)
    for number, (source_line, target_line) in enumerate(zip(sources, targets, strict=True), 1):
        source = of_source.read(source_line, number, tidy_source)
        target = of_target.read(target_line, number, tidy_target)
        if source and target:
            yield source, target
        elif source and target == "":
            of_target.add(
                f"the line is blank, but in {of_source.file} it is not; fill or remove both", number
            )
        elif target and source == "":
            of_source.add(
                f"the line is blank, but in {of_target.file} it is not; fill or remove both", number
            )


# --- lines ------------------------------------------------------------------------------------------------


def text_normalization(spec: TextPairsSpec) -> TextNormalization:
    """Return how the spec says that texts are read."""
    return TextNormalization(lowercase=spec.lowercase, normalize=spec.normalize)


_SPACED: dict[Tokens, Callable[[str], str]] = {
    "characters": str.strip,
    "words": lambda text: " ".join(text.split()),
}
"""What makes one text of texts that differ only in whitespace without meaning, by kind of tokens."""


def _tidier(spec: TextPairsSpec, tokens: Tokens) -> Callable[[str], str]:
    """Return what makes one text of all spellings of the same tokens."""
    spaced = _SPACED[tokens]
    reading = text_normalization(spec)
    if reading == UNCHANGED:
        return spaced  # most files: a call less for each of their texts
    return lambda text: spaced(reading.read(text))


def _tsv(source: Callable[[str], str], target: Callable[[str], str]) -> Callable[[str], Pair | None]:
    def read(line: str) -> Pair | None:
        columns = line.split("\t")
        if len(columns) == 1 and not line.strip():
            return None
        if len(columns) != 2:
            raise BadLineError(f"expected two columns, source TAB target, but found {len(columns)}")
        return _filled(source(columns[0]), target(columns[1]), "source TAB target, text on both sides")

    return read


def _in_out(source: Callable[[str], str], target: Callable[[str], str]) -> Callable[[str], Pair | None]:
    expected = "`IN: source OUT: target`, such as `IN: jump twice OUT: I_JUMP I_JUMP`"

    def read(line: str) -> Pair | None:
        entry = _IN_OUT.fullmatch(line)
        if entry is None:
            if not line.strip():
                return None
            raise BadLineError(f"expected {expected}")
        if re.search(r"\sOUT:", entry[2]):
            raise BadLineError(f"OUT: stands twice; expected {expected}")
        return _filled(source(entry[1]), target(entry[2]), expected)

    return read


def _filled(source: str, target: str, expected: str) -> Pair:
    if source and target:
        return source, target
    raise BadLineError(f"the {'target' if source else 'source'} is empty; expected {expected}")


def _cmudict(source: Callable[[str], str], target: Callable[[str], str]) -> Callable[[str], Pair | None]:
    read_entry = _PRONUNCIATION.fullmatch

    def read(line: str) -> Pair | None:
        entry = read_entry(line)
        if entry is not None:
            word, phonemes = entry.groups()
            return source(word), target(phonemes.replace("0", "").replace("1", "").replace("2", ""))
        if not line.strip() or line.lstrip().startswith(";;;"):
            return None
        raise BadLineError("expected a word and its phonemes, like `fox F AA1 K S`")

    return read


_FORMATS = {"tsv": _tsv, "in_out": _in_out, "cmudict": _cmudict}
