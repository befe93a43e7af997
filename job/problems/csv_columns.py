"""Reading of numeric columns from a CSV file, with all errors in the file reported at once."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from job.errors import DataError, DataErrors
from job.problems.data_files import MAX_LISTED_ERRORS, DataFile, read_data
from job.problems.text_lines import BadLineError, decode_line, split_lines
from job.spec.complaints import did_you_mean

_NUMBER = re.compile(
    r"[+-]?(\d+(\.(?P<fraction>\d*))?|\.(?P<only>\d+))([eE](?P<exponent>[+-]?\d+))?", re.ASCII
)

MAX_MAGNITUDE = 1e150
"""Largest magnitude of a number: sums, differences and squares of larger ones overflow."""

_MAX_DECIMALS = 330
"""Number of digits after the point of the smallest positive float64."""


@dataclass(frozen=True)
class Columns:
    """Some columns of a file.

    Args:
        values: shape (rows, columns), float64, with magnitudes of at most `MAX_MAGNITUDE`; columns are in the
            order in which they were asked for.
        decimals: largest number of digits after the point in the cells of the first column.
        lines: the 1-based line of the file at which each row begins.
        sha256: SHA-256 of the file, in hex.
    """

    values: NDArray[np.float64]
    decimals: int
    lines: tuple[int, ...]
    sha256: str


def read_columns(
    path: Path,
    names: Mapping[str, str],
    file_key: str,
    positive: str | None = None,
    planned: str | None = None,
) -> Columns:
    """Read columns of numbers by their names in the first line of the file.

    Args:
        path: a CSV file (RFC 4180, commas) in UTF-8, perhaps compressed (`.gz`); its first line has the names
            of the columns.
        names: the key of the spec, for error messages, by the name of each column to read.
        file_key: the key of the spec that names the file.
        positive: name of a column whose numbers must be above 0; None if there is none.
        planned: the SHA-256 that the file must have, None to accept any content.

    Raises:
        ChangedDataError: the file has another SHA-256 than `planned`.
        DataErrors: the file cannot be read, lacks a column, or has rows with a wrong number of cells, or with
            a cell that is not a finite number, is too large, or must be above 0 and is not.
    """
    file = _open(path, file_key, planned)
    rows = list(_rows(file.content, path, file_key))
    header = [cell.strip() for cell in rows[0][1]]
    errors = [*_check_header(header, names, path)]
    if len(rows) == 1:
        errors.append(
            DataError(
                "the file has no rows after the names of its columns; add data", file=path, key=file_key
            )
        )
    wanted = [header.index(name) for name in names if name in header]
    bad = [
        DataError(message, file=path, line=line)
        for line, message in _bad_rows(rows[1:], header, wanted, positive)
    ]
    errors += bad[:MAX_LISTED_ERRORS]
    if len(bad) > MAX_LISTED_ERRORS:
        rest = f"{len(bad) - MAX_LISTED_ERRORS:,} more rows of this file cannot be used"
        errors.append(DataError(rest, file=path, key=file_key))
    if errors:
        raise DataErrors(errors)
    cells = [[row[i].strip() for i in wanted] for _, row in rows[1:]]
    return Columns(
        np.array(cells, np.float64),
        max(_decimals(row[0]) for row in cells),
        tuple(line for line, _ in rows[1:]),
        file.sha256,
    )


def _open(path: Path, key: str, planned: str | None) -> DataFile:
    try:
        return read_data(path, planned)
    except DataError as error:
        raise DataErrors([DataError(error.message, file=path, key=key)]) from None


def _rows(content: bytes, path: Path, key: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the 1-based line and the cells of each row, column names first; skip blank lines at the end."""
    reader = csv.reader(_decoded(content, path, key), strict=True)
    line = 0
    try:
        for row in reader:
            yield line + 1, row
            line = reader.line_num
    except csv.Error as error:
        why = "a carriage return without a line feed" if "new-line" in str(error) else str(error)
        message = (
            f"the line is not CSV ({why}); expected cells separated by commas, and line ends \\n or \\r\\n"
        )
        raise DataErrors([DataError(message, file=path, line=reader.line_num, key=key)]) from None


def _decoded(content: bytes, path: Path, key: str) -> list[str]:
    """Return the lines of a file, each with a line end, without blank lines at the end of the file."""
    lines, errors = [], []
    for number, line in enumerate(split_lines(content.rstrip(b" \t\r\n")), 1):
        try:
            lines.append(decode_line(line) + "\n")
        except BadLineError as error:
            errors.append(DataError(str(error), file=path, line=number, key=key))
    if errors:
        rest = f"{len(errors) - MAX_LISTED_ERRORS:,} more lines of this file cannot be used"
        more = [DataError(rest, file=path, key=key)] if len(errors) > MAX_LISTED_ERRORS else []
        raise DataErrors([*errors[:MAX_LISTED_ERRORS], *more])
    return lines


def _check_header(header: Sequence[str], names: Mapping[str, str], path: Path) -> Iterator[DataError]:
    """Yield an error for each column that is missing or occurs twice."""
    counts = Counter(header)
    for name, key in names.items():
        if counts[name] > 1:
            yield DataError(
                f"{counts[name]} columns of the file are named {name!r}; rename all but one",
                file=path,
                line=1,
                key=key,
            )
        elif not counts[name]:
            hint = did_you_mean(name, header) or f"; it has {', '.join(header[:20])}"
            yield DataError(f"the file has no column {name!r}{hint}", file=path, line=1, key=key)


def _bad_rows(
    rows: Sequence[tuple[int, list[str]]], header: Sequence[str], wanted: Sequence[int], positive: str | None
) -> Iterator[tuple[int, str]]:
    """Yield the line and the error message of each row that cannot be used."""
    for line, row in rows:
        if not row:
            yield line, "the line is blank, but rows follow it; fill or remove it"
        elif len(row) != len(header):
            yield line, f"the row has {len(row)} cells, but the first line names {len(header)} columns"
        else:
            cells = {header[i]: row[i].strip() for i in wanted}
            bad = [f"{name} is {cell!r}" for name, cell in cells.items() if not _is_number(cell)]
            large = [f"{name} is {cell}" for name, cell in cells.items() if not bad and _is_large(cell)]
            if bad:
                yield line, f"{', '.join(bad)}; expected a number (a series has no gaps)"
            elif large:
                yield line, f"{', '.join(large)}; expected a magnitude of at most {MAX_MAGNITUDE:g}"
            elif positive in cells and float(cells[positive]) <= 0:
                yield (
                    line,
                    f"{positive} is {cells[positive]}, which has no logarithm; expected a number above 0",
                )


def _is_number(cell: str) -> bool:
    return is_written_as_number(cell) and math.isfinite(float(cell))


def is_written_as_number(text: str) -> bool:
    """Return whether a text is a number in a form that cells may have: ASCII digits, no separators."""
    return _NUMBER.fullmatch(text) is not None


def _is_large(cell: str) -> bool:
    return abs(float(cell)) > MAX_MAGNITUDE


def _decimals(cell: str) -> int:
    """Return the number of digits after the point if the number is written without an exponent."""
    found = _NUMBER.fullmatch(cell)
    assert found is not None
    fraction = len(found["fraction"] or found["only"] or "")
    # the number is finite, so with an exponent of more than 8 digits it is 0 or close to 0
    exponent = int((found["exponent"] or "0")[:8])
    return min(max(0, fraction - exponent), _MAX_DECIMALS)
