"""Reading of the files of one group (`data`, `train`, ...) into pairs, with all their errors at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from job.errors import DataError, DataErrors
from job.problems.data_files import MAX_LISTED_ERRORS
from job.problems.pair_formats import Normalizer, Pair, PairParser, pair_parser
from job.problems.pair_lines import LinesParser, lines_parser, two_sides
from job.problems.text_files import TextFile, open_text
from job.problems.text_lines import BadLineError, decode_line, decode_lines
from job.problems.text_tokens import text_normalizer
from job.spec.file_locations import locate
from job.spec.text_pairs_section import PairFiles, TextPairsSpec

BLOCK_PAIRS = 20_000
"""Number of pairs that are in memory at once, roughly."""

_NO_PAIR = "the file has no pair, only blank lines and comments; add pairs or name another file"


@dataclass
class _FileErrors:
    """The errors of one file; stores the first `MAX_LISTED_ERRORS` and counts the others."""

    file: Path
    key: str
    first: list[DataError] = field(default_factory=list)
    others: int = 0

    def add(self, message: str, line: int = 0) -> None:
        if len(self.first) < MAX_LISTED_ERRORS:
            self.first.append(DataError(message, file=self.file, line=line, key=self.key))
        else:
            self.others += 1

    def decode(self, line: bytes, number: int, normalize: Callable[[str], str]) -> str | None:
        """Return a line as normalized text; add an error and return None if it cannot be read."""
        try:
            return normalize(decode_line(line))
        except BadLineError as error:
            self.add(str(error), number)
        return None

    def all(self) -> list[DataError]:
        if not self.others:
            return self.first
        rest = f"{self.others:,} more lines of this file cannot be used"
        return [*self.first, DataError(rest, file=self.file, key=self.key)]


@dataclass(frozen=True)
class OpenedGroup:
    """The files of a group, checked but not parsed.

    Args:
        key: the key of the group in the problem's section, for error messages: `data`, `train`, ...
        names: the names of the files in the spec.
        keys: the keys of the files in the problem's section.
        files: the files, in the order of `PairFiles.keyed`: all source files, then as many target files.
        both_sides: whether a file has both sides on each line.
    """

    key: str
    names: tuple[str, ...]
    keys: tuple[str, ...]
    files: tuple[TextFile, ...]
    both_sides: bool

    @property
    def checksums(self) -> dict[str, str]:
        """The SHA-256 of each file, by its name in the spec."""
        return {name: file.sha256 for name, file in zip(self.names, self.files, strict=True)}


def open_group(
    files: PairFiles, key: str, directory: Path, planned: Mapping[str, str] | None = None
) -> OpenedGroup:
    """Open a group of files.

    Args:
        files: the group.
        key: its key in the problem's section.
        directory: the spec directory; relative file names start there.
        planned: the SHA-256 that files must have, by name in the spec.

    Raises:
        ChangedDataError: a file has another SHA-256 than `planned`.
        DataErrors: files that cannot be read.
    """
    keys = tuple(f"{key}.{name}" for name in files.keyed)
    opened, errors = [], []
    for name, place in zip(files.names, keys, strict=True):
        try:
            opened.append(open_text(locate(name, directory), (planned or {}).get(name)))
        except DataError as error:
            errors.append(DataError(error.message, file=error.file, key=place))
    if errors:
        raise DataErrors(errors)
    return OpenedGroup(key, files.names, keys, tuple(opened), files.file is not None)


class PairReader:
    """Reads the pairs of a group, in the order of the files and lines, as normalized text.

    Args:
        group: the files.
        spec: the section, with the format of lines.

    Attributes:
        repeated: number of lines left out so far because the same pair occurs earlier (`cmudict` only).
    """

    def __init__(self, group: OpenedGroup, spec: TextPairsSpec) -> None:
        self._group, self._spec = group, spec
        self._errors = [
            _FileErrors(file.path, key) for file, key in zip(group.files, group.keys, strict=True)
        ]
        self.repeated = 0

    def blocks(self) -> Iterator[list[Pair]]:
        """Yield the pairs in blocks.

        Raises:
            ChangedDataError: a file has changed since it was opened.
            DataErrors: at the end: lines that cannot be read, and files without a pair.
        """
        parts = self._of_lines() if self._group.both_sides else self._of_parallel_files()
        if self._group.both_sides and self._spec.format == "cmudict":
            parts = self._distinct(parts)
        some, block = False, list[Pair]()
        for part in parts:
            some = some or bool(part)
            block.extend(part)
            if len(block) >= BLOCK_PAIRS:
                yield block
                block = []
        if block:
            yield block
        if not some and not any(e.first for e in self._errors):
            self._errors[0].add(_NO_PAIR)
        if any(e.first for e in self._errors):
            raise DataErrors([error for e in self._errors for error in e.all()])

    def _distinct(self, parts: Iterator[list[Pair]]) -> Iterator[list[Pair]]:
        seen: set[str] = set()  # one text for each pair: half of the memory of two in a tuple
        for pairs in parts:
            different = dict(zip(map("\n".join, pairs), pairs, strict=True))
            for text in seen.intersection(different):
                del different[text]
            seen.update(different)
            self.repeated += len(pairs) - len(different)
            yield list(different.values())

    # --- files with both sides on each line

    def _of_lines(self) -> Iterator[list[Pair]]:
        parse, parse_lines = pair_parser(self._spec), lines_parser(self._spec)
        for file, errors in zip(self._group.files, self._errors, strict=True):
            some = False
            for pairs in _pairs_of_one_file(file, errors, parse, parse_lines):
                some = some or bool(pairs)
                yield pairs
            if not some and not errors.first:
                errors.add(_NO_PAIR)

    # --- two files, one for each side

    def _of_parallel_files(self) -> Iterator[list[Pair]]:
        files, errors = self._group.files, self._errors
        half = len(files) // 2
        for sides in zip(files[:half], files[half:], errors[:half], errors[half:], strict=True):
            yield from _pairs_of_two_files(*sides, self._spec)


def placed_pairs(spec: TextPairsSpec, directory: Path) -> Iterator[tuple[Path, int, Pair]]:
    """Yield the pairs of the files with training pairs, each with its file and line.

    Args:
        spec: the section; its files have no errors.
        directory: the spec directory.
    """
    for key, group in spec.training_files.items():
        yield from _placed_pairs_of(open_group(group, key, directory), spec)


def _placed_pairs_of(opened: OpenedGroup, spec: TextPairsSpec) -> Iterator[tuple[Path, int, Pair]]:
    if opened.both_sides:
        parse = pair_parser(spec)
        for file in opened.files:
            for number, line in file.numbered_lines():
                if pair := parse(decode_line(line)):
                    yield file.path, number, pair
        return
    source, target = text_normalizer(spec, spec.source_tokens), text_normalizer(spec, spec.target_tokens)
    half = len(opened.files) // 2
    for files in zip(opened.files[:half], opened.files[half:], strict=True):
        for (number, line), (_, other) in zip(*(file.numbered_lines() for file in files), strict=True):
            yield files[0].path, number, (source(decode_line(line)), target(decode_line(other)))


def _pairs_of_one_file(
    file: TextFile, errors: _FileErrors, parse: PairParser, parse_lines: LinesParser
) -> Iterator[list[Pair]]:
    for first, lines in file.parts():
        texts = decode_lines(lines)
        pairs = None if texts is None else parse_lines(texts)
        yield list(_one_by_one(lines, first, errors, parse)) if pairs is None else pairs


def _one_by_one(lines: Sequence[bytes], first: int, errors: _FileErrors, parse: PairParser) -> Iterator[Pair]:
    for number, line in enumerate(lines, first):
        try:
            pair = parse(decode_line(line))
        except BadLineError as error:
            errors.add(str(error), number)
        else:
            if pair is not None:
                yield pair


def _pairs_of_two_files(
    source_file: TextFile,
    target_file: TextFile,
    source_errors: _FileErrors,
    target_errors: _FileErrors,
    spec: TextPairsSpec,
) -> Iterator[list[Pair]]:
    if source_file.lines != target_file.lines:
        target_errors.add(
            f"the file has {target_file.lines:,} lines, but {source_errors.file} has "
            f"{source_file.lines:,}; line n of one belongs to line n of the other, so make the counts equal"
        )
        return
    sides = text_normalizer(spec, spec.source_tokens), text_normalizer(spec, spec.target_tokens)
    for (first, sources), (_, targets) in zip(source_file.parts(), target_file.parts(), strict=True):
        texts = decode_lines(sources), decode_lines(targets)
        pairs = None
        if texts[0] is not None and texts[1] is not None:
            pairs = two_sides(texts[0], texts[1], sides)
        if pairs is None:
            lines = enumerate(zip(sources, targets, strict=True), first)
            pairs = list(_two_by_two(lines, source_errors, target_errors, sides))
        yield pairs


def _two_by_two(
    lines: Iterator[tuple[int, tuple[bytes, bytes]]],
    source_errors: _FileErrors,
    target_errors: _FileErrors,
    sides: tuple[Normalizer, Normalizer],
) -> Iterator[Pair]:
    for number, (source_line, target_line) in lines:
        source = source_errors.decode(source_line, number, sides[0])
        target = target_errors.decode(target_line, number, sides[1])
        if source and target:
            yield source, target
        elif source and target == "":
            target_errors.add(_blank_line(source_errors), number)
        elif target and source == "":
            source_errors.add(_blank_line(target_errors), number)


def _blank_line(other: _FileErrors) -> str:
    return f"the line is blank, but the same line of {other.file} has text; fill this one or make both blank"
