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
from job.problems.text_lines import BadLineError, TextLines, decode_line
from job.spec.complaints import did_you_mean

_NUMBER = re.compile(
    r"[+-]?(\d+(\.(?P<fraction>\d*))?|\.(?P<only>\d+))([eE](?P<exponent>[+-]?\d+))?", re.ASCII
)

MAX_MAGNITUDE = 1e150
"""Largest magnitude of a number: sums, differences and squares of larger ones overflow."""

_MAX_DECIMALS = 330
"""Digits after the point of the smallest number that there is."""


@dataclass(frozen=True)
class Columns:
    """Some columns of a file.

    Args:
        values: (rows, columns) float64, of magnitude `MAX_MAGNITUDE` at most, in the order asked for.
        decimals: the most digits after the point of any cell of the first column.
        lines: the 1-based line of the file that each row begins at.
        sha256: of the file.
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
    """Read columns by the names in the file's first line.

    Args:
        path: a CSV file (RFC 4180, commas), UTF-8, `.gz` too; its first line names the columns.
        names: of the columns wanted -> the key of the spec that names each, for complaints.
        file_key: the key that names the file.
        positive: a column whose numbers must be above 0.
        planned: the SHA-256 that the file must have.

    Raises:
        ChangedDataError: it has another.
        DataErrors: the file cannot be read, a column is not in it, or a row has a cell too many or too few,
            or one that is no finite number, or larger than `MAX_MAGNITUDE`, or not above 0 where it must be.
    """
    file = _open(path, file_key, planned)
    rows = list(_rows(file.content, path, file_key))
    header = [cell.strip() for cell in rows[0][1]]
    errors = [*_check_header(header, names, path)]
    if len(rows) == 1:
        errors.append(
            DataError("the file has no rows under the names of its columns", file=path, key=file_key)
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
    """Yield each row and its 1-based line, the names first; blank lines at the end are passed over."""
    reader = csv.reader(_decoded(content, path, key), strict=True)
    line = 0
    try:
        for row in reader:
            yield line + 1, row
            line = reader.line_num
    except csv.Error as error:
        why = "a carriage return without a line feed" if "new-line" in str(error) else str(error)
        message = (
            f"the line is no CSV ({why}); expected cells with commas between, and line ends \\n or \\r\\n"
        )
        raise DataErrors([DataError(message, file=path, line=reader.line_num, key=key)]) from None


def _decoded(content: bytes, path: Path, key: str) -> list[str]:
    """Return the lines of a file with their ends, without blank ones at the end."""
    lines, errors = [], []
    for number, line in enumerate(TextLines.of(content.rstrip(b" \t\r\n")).lines, 1):
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
    """Yield a complaint for each column that is not there, or there twice."""
    counts = Counter(header)
    for name, key in names.items():
        if counts[name] > 1:
            yield DataError(
                f"{counts[name]} columns of the file are named {name!r}", file=path, line=1, key=key
            )
        elif not counts[name]:
            hint = did_you_mean(name, header) or f"; it has {', '.join(header[:20])}"
            yield DataError(f"the file has no column {name!r}{hint}", file=path, line=1, key=key)


def _bad_rows(
    rows: Sequence[tuple[int, list[str]]], header: Sequence[str], wanted: Sequence[int], positive: str | None
) -> Iterator[tuple[int, str]]:
    """Yield the line of each row that cannot be used, and why."""
    for line, row in rows:
        if not row:
            yield line, "the line is blank in the middle of the series; fill or remove it"
        elif len(row) != len(header):
            yield line, f"the row has {len(row)} cells, but the first line names {len(header)} columns"
        else:
            cells = {header[i]: row[i].strip() for i in wanted}
            bad = [f"{name} is {cell!r}" for name, cell in cells.items() if not _is_number(cell)]
            large = [f"{name} is {cell}" for name, cell in cells.items() if not bad and _is_large(cell)]
            if bad:
                yield line, f"{', '.join(bad)}; expected a number (a series has no gaps)"
            elif large:
                yield line, f"{', '.join(large)}; expected numbers of magnitude {MAX_MAGNITUDE:g} at most"
            elif positive in cells and float(cells[positive]) <= 0:
                yield (
                    line,
                    f"{positive} is {cells[positive]}, which has no logarithm; expected a number above 0",
                )


def _is_number(cell: str) -> bool:
    return is_written_as_number(cell) and math.isfinite(float(cell))


def is_written_as_number(text: str) -> bool:
    """Return whether a text is a number as a cell may have it: of ASCII digits, without separators."""
    return _NUMBER.fullmatch(text) is not None


def _is_large(cell: str) -> bool:
    return abs(float(cell)) > MAX_MAGNITUDE


def _decimals(cell: str) -> int:
    """Return how many digits after the point a number has when it is written without an exponent."""
    found = _NUMBER.fullmatch(cell)
    assert found is not None
    fraction = len(found["fraction"] or found["only"] or "")
    # the number is known to be finite; an exponent of more digits than this is one of 0 or of almost 0
    exponent = int((found["exponent"] or "0")[:8])
    return min(max(0, fraction - exponent), _MAX_DECIMALS)
