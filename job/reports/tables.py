"""Tables on the terminal and in logs, in which names stay whole however few columns there are.

A table that is too wide for the console has a line of its own for each name, and the other cells in a line
below it; where those do not fit either, each cell has a line, after its title. So no name is folded, cut or
mixed up with another, and no value is left out. A name that is itself wider than the console is written on
one line nevertheless: terminals wrap it, and in a log it can be searched for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from job.reports.escaping import terminal

Cell = str | Text
"""What stands in a table, from outside or not: it is escaped here. `Text` for one in a style."""

_INDENT = "  "


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: above it; line ends divide it into several lines, a soft hyphen before one a word.
        right: whether it is aligned at its right side, as numbers are.
    """

    title: str
    right: bool = False

    @property
    def titles(self) -> list[str]:
        """The lines of the title."""
        return self.title.replace("\u00ad", "").split("\n")

    @property
    def name(self) -> str:
        """The title on one line."""
        return self.title.replace("\u00ad\n", "").replace("\n", " ")


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], console: Console) -> None:
    """Print a table as wide as the console at most, names apart.

    Args:
        columns: the first is that of the names.
        rows: cells in the order of the columns; those at the end may be left out. A row whose name is that of
            the row before it, or is empty, belongs to it.
        console: where to.
    """
    blank = [Text()] * len(columns)
    table = [[*map(_safe, row), *blank[len(row) :]] for row in rows]
    rule = "-" if console.options.ascii_only else "─"
    for gap in (2, 1):
        if (grid := _Grid(columns, table, gap)).width <= console.width:
            return _print([*grid.head(rule), *grid.lines()], console)
    for gap in (2, 1):
        grid = _Grid(columns[1:], [row[1:] for row in table], gap)
        if len(_INDENT) + grid.width <= console.width:
            return _print(_stacked(columns[0], table, grid, rule), console)
    return _print(_listed(columns, table), console)


def _safe(cell: Cell) -> Text:
    return Text(terminal(cell.plain), style=cell.style) if isinstance(cell, Text) else Text(terminal(cell))


def _print(lines: Sequence[Text], console: Console) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


class _Grid:
    """Cells side by side, each column as wide as its widest cell."""

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[Text]], gap: int) -> None:
        self._columns, self._rows, self._gap = columns, rows, " " * gap
        self._widths = [
            max(map(cell_len, [*column.titles, *(row[number].plain for row in rows)]))
            for number, column in enumerate(columns)
        ]

    @property
    def width(self) -> int:
        """In columns of the terminal."""
        return sum(self._widths) + len(self._gap) * (len(self._widths) - 1)

    def head(self, rule: str) -> Iterator[Text]:
        """Yield the lines of the titles, and a rule."""
        height = max((len(column.titles) for column in self._columns), default=0)
        padded = [[""] * (height - len(column.titles)) + column.titles for column in self._columns]
        for titles in zip(*padded, strict=True):
            yield self._line([Text(title, style="bold") for title in titles])
        yield Text(rule * self.width)

    def lines(self) -> Iterator[Text]:
        """Yield a line a row."""
        return map(self._line, self._rows)

    def _line(self, cells: Sequence[Text]) -> Text:
        line = Text()
        for number, (cell, column, width) in enumerate(zip(cells, self._columns, self._widths, strict=True)):
            room = " " * (width - cell_len(cell.plain))
            line.append(self._gap if number else "")
            line.append_text(Text(room) + cell if column.right else cell + Text(room))
        return line


def _stacked(names: Column, rows: Sequence[Sequence[Text]], grid: _Grid, rule: str) -> list[Text]:
    """Return the lines of a table with a line for each name, and the row's other cells below it."""
    lines = [Text(names.name, style="bold"), *(Text(_INDENT) + line for line in grid.head(rule))]
    for name, line in zip_longest(_new_names(rows), grid.lines()):
        lines += [name] if name is not None else []
        lines.append(Text(_INDENT) + line)
    return lines


def _listed(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[Text]:
    """Return the lines of a table with a line for each cell, after its title."""
    titles = [column.name for column in columns[1:]]
    width = max(map(cell_len, titles), default=0)
    lines = []
    for name, row in zip(_new_names(rows), rows, strict=True):
        lines += [name] if name is not None else []
        for title, cell in zip(titles, row[1:], strict=True):
            if cell.plain:
                lead = f"{_INDENT}{title}{' ' * (width - cell_len(title))}  " if title else _INDENT
                lines.append(Text(lead) + cell)
    return lines


def _new_names(rows: Sequence[Sequence[Text]]) -> Iterator[Text | None]:
    """Yield the name of each row, None where it belongs to the row before."""
    last = None
    for row in rows:
        name = row[0]
        new = last is None or (name.plain and name.plain != last)
        last = name.plain if new else last
        yield name if new else None
