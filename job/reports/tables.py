"""Lay out tables on the terminal, in logs and in Markdown.

On the terminal, names are never folded or cut. A table that is too wide for the console has each name on a
line of its own and the other cells on the line below; if those do not fit either, each cell is on a line,
after its title. A name that is itself wider than the console is still written on one line: terminals wrap it,
and it can be searched for in a log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from job.reports.escaping import terminal

Cell = str | Text
"""Content of a cell; it is escaped here. `Text` for a styled one."""

_INDENT = "  "


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: may have several lines; a soft hyphen before a line end divides a word.
        right: align cells to the right, as for numbers.
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
    """Print a table that, apart from long names, is at most as wide as the console.

    Args:
        columns: the first one has the names.
        rows: cells in the order of the columns; cells at the end may be omitted. A row whose name is empty,
            or the same as in the row before, belongs to that row.
        console: where to print.
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
        """Width of the grid, in columns of the terminal."""
        return sum(self._widths) + len(self._gap) * (len(self._widths) - 1)

    def head(self, rule: str) -> Iterator[Text]:
        """Yield the lines of the titles, then a horizontal rule."""
        height = max((len(column.titles) for column in self._columns), default=0)
        padded = [[""] * (height - len(column.titles)) + column.titles for column in self._columns]
        for titles in zip(*padded, strict=True):
            yield self._line([Text(title, style="bold") for title in titles])
        yield Text(rule * self.width)

    def lines(self) -> Iterator[Text]:
        """Yield a line per row."""
        return map(self._line, self._rows)

    def _line(self, cells: Sequence[Text]) -> Text:
        line = Text()
        for number, (cell, column, width) in enumerate(zip(cells, self._columns, self._widths, strict=True)):
            room = " " * (width - cell_len(cell.plain))
            line.append(self._gap if number else "")
            line.append_text(Text(room) + cell if column.right else cell + Text(room))
        return line


def _stacked(names: Column, rows: Sequence[Sequence[Text]], grid: _Grid, rule: str) -> list[Text]:
    """Return the lines of a table with a line for each name and the other cells of the row below it."""
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
    """Yield the name of each row, or None if the row belongs to the one before."""
    last = None
    for row in rows:
        name = row[0]
        new = last is None or (name.plain and name.plain != last)
        last = name.plain if new else last
        yield name if new else None


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], alignment: str) -> str:
    """Return a table in Markdown.

    Args:
        columns: titles, in Markdown.
        rows: cells, in Markdown.
        alignment: `l` or `r` for each column.
    """
    rule = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, rule, *rows])
