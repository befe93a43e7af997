"""Reading of the files of one group (`data`, `train`, ...) into pairs, with all their errors at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from job.errors import DataError, DataErrors
from job.problems.data_files import MAX_LISTED_ERRORS, DataFile, read_data
from job.problems.pair_formats import Pair, PairParser, pair_parser
from job.problems.text_lines import BadLineError, TextLines, decode_line, not_utf8
from job.problems.text_tokens import text_normalizer
from job.spec.file_locations import locate
from job.spec.text_pairs_section import PairFiles, TextPairsSpec

_NO_PAIR = "the file has no pair, only blank lines and comments; add pairs or name another file"


@dataclass(frozen=True)
class Pairs:
    """The pairs of a group of files, in the order of the files and lines.

    Args:
        file: the first of the files.
        pairs: sources and targets as normalized text.
        repeated: number of lines left out because the same pair occurs earlier (`cmudict` only).
        checksums: SHA-256 of each file, by its name in the spec.
    """

    file: Path
    pairs: list[Pair]
    repeated: int
    checksums: dict[str, str]


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

    def add_bad_line(self, error: UnicodeDecodeError | BadLineError, number: int) -> None:
        self.add(str(not_utf8(error) if isinstance(error, UnicodeDecodeError) else error), number)

    def decode(self, line: bytes, number: int, normalize: Callable[[str], str]) -> str | None:
        """Return a line as normalized text; add an error and return None if it cannot be read."""
        try:
            return normalize(decode_line(line))
        except BadLineError as error:
            self.add_bad_line(error, number)
        return None

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
    """Read a group of files.

    Args:
        files: the group.
        key: the key of the group in the problem's section, for error messages: `data`, `train`, ...
        spec: the section, with the format of lines.
        directory: the spec directory; relative file names start there.
        planned: the SHA-256 that files must have, by name in the spec.

    Raises:
        ChangedDataError: a file has another SHA-256 than `planned`.
        DataErrors: files that cannot be opened, lines that cannot be read, and files without a pair.
    """
    keys = [f"{key}.{name}" for name in files.keyed]
    paths, opened = _open_all(files.names, keys, directory, planned or {})
    contents = [TextLines.of(file.content) for file in opened]
    errors = [_FileErrors(*place) for place in zip(paths, keys, strict=True)]
    if files.file is not None:
        pairs = list(_pairs_of_lines(contents, errors, pair_parser(spec)))
    else:
        pairs = list(_pairs_of_parallel_files(contents, errors, spec))
    if not pairs and not any(e.first for e in errors):
        errors[0].add(_NO_PAIR)
    if any(e.first for e in errors):
        raise DataErrors([error for e in errors for error in e.all()])
    distinct = list(dict.fromkeys(pairs)) if files.file is not None and spec.format == "cmudict" else pairs
    checksums = {name: file.sha256 for name, file in zip(files.names, opened, strict=True)}
    return Pairs(paths[0], distinct, len(pairs) - len(distinct), checksums)


def placed_pairs(spec: TextPairsSpec, directory: Path) -> Iterator[tuple[Path, int, Pair]]:
    """Yield the pairs of the files with training pairs, each with its file and line.

    Args:
        spec: the section; its files have no errors.
        directory: the spec directory.
    """
    files = next(iter(spec.files.values()))
    paths = [locate(name, directory) for name in files.names]
    contents = [TextLines.of(read_data(path).content) for path in paths]
    if files.file is not None:
        parse = pair_parser(spec)
        for path, content in zip(paths, contents, strict=True):
            for number, line in enumerate(content.lines, 1):
                if pair := parse(decode_line(line)):
                    yield path, number, pair
        return
    source, target = text_normalizer(spec, spec.source_tokens), text_normalizer(spec, spec.target_tokens)
    half = len(paths) // 2
    for path, *both in zip(paths, contents[:half], contents[half:], strict=False):
        for number, lines in enumerate(zip(*(content.lines for content in both), strict=True), 1):
            yield path, number, (source(decode_line(lines[0])), target(decode_line(lines[1])))


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


# --- files with both sides on each line -------------------------------------------------------------------


def _pairs_of_lines(
    contents: Sequence[TextLines], errors: Sequence[_FileErrors], parse: PairParser
) -> Iterator[Pair]:
    for content, file_errors in zip(contents, errors, strict=True):
        pairs = list(_pairs_of_one_file(content, file_errors, parse))
        if not pairs and not file_errors.first:
            file_errors.add(_NO_PAIR)
        yield from pairs


def _pairs_of_one_file(content: TextLines, errors: _FileErrors, parse: PairParser) -> Iterator[Pair]:
    decode = content.decode
    for number, line in enumerate(content.lines, 1):
        try:  # without a call to `_FileErrors.decode`, which would be noticeable in large files
            pair = parse(decode(line))
        except (UnicodeDecodeError, BadLineError) as error:
            errors.add_bad_line(error, number)
        else:
            if pair is not None:
                yield pair


# --- two files, one for each side -------------------------------------------------------------------------


def _pairs_of_parallel_files(
    contents: Sequence[TextLines], errors: Sequence[_FileErrors], spec: TextPairsSpec
) -> Iterator[Pair]:
    """Read files in the order of `PairFiles.keyed`: all source files, then as many target files."""
    count = len(contents) // 2
    for i in range(count):
        yield from _pairs_of_two_files(contents[i::count], errors[i::count], spec)


def _pairs_of_two_files(
    contents: Sequence[TextLines], errors: Sequence[_FileErrors], spec: TextPairsSpec
) -> Iterator[Pair]:
    sources, targets = (content.lines for content in contents)
    source_errors, target_errors = errors
    if len(sources) != len(targets):
        target_errors.add(
            f"the file has {len(targets):,} lines, but {source_errors.file} has {len(sources):,}; "
            "line n of one belongs to line n of the other, so make the counts equal"
        )
        return
    normalize_source = text_normalizer(spec, spec.source_tokens)
    normalize_target = text_normalizer(spec, spec.target_tokens)
    for number, (source_line, target_line) in enumerate(zip(sources, targets, strict=True), 1):
        source = source_errors.decode(source_line, number, normalize_source)
        target = target_errors.decode(target_line, number, normalize_target)
        if source and target:
            yield source, target
        elif source and target == "":
            target_errors.add(_blank_line(source_errors), number)
        elif target and source == "":
            source_errors.add(_blank_line(target_errors), number)


def _blank_line(other: _FileErrors) -> str:
    return f"the line is blank, but the same line of {other.file} has text; fill this one or make both blank"
