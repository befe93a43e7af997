"""Tables at every width: names are not cut, and nothing is left out."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from job.reports.tables import Column, print_table

COLUMNS = [Column("job"), Column("status"), Column("sequence\naccuracy", right=True), Column("")]
NAMES = ["longer-source_length-10-units-128", "longer-source_length-10-units-256", "x" * 100, "short"]
ROWS = [
    [name, Text("passed", style="green"), f"{number}.00 %", "trained now"]
    for number, name in enumerate(NAMES)
]


def printed(columns, rows, width, **settings):
    file = io.StringIO()
    print_table(columns, rows, Console(file=file, width=width, **settings))
    return file.getvalue()


@pytest.mark.parametrize("width", [1, 20, 40, 50, 60, 70, 80, 120, 200])
def test_every_name_is_on_one_line_and_no_value_is_left_out(width):
    text = printed(COLUMNS, ROWS, width)
    lines = text.splitlines()
    for number, name in enumerate(NAMES):
        assert sum(re.match(rf"{name}(\s|$)", line) is not None for line in lines) == 1
        assert f"{number}.00 %" in text
    assert text.count("passed") == text.count("trained now") == len(NAMES)
    assert "…" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_all_other_lines_fit_the_width(width):
    lines = printed(COLUMNS, ROWS, width).splitlines()
    assert max(len(line) for line in lines if line.rstrip() not in NAMES) <= width


def test_in_a_narrow_console_names_have_their_own_lines():
    lines = [line.rstrip() for line in printed(COLUMNS, ROWS[:2], 40).splitlines()]
    assert lines[0] == "job"
    assert lines[4:] == [
        NAMES[0],
        "  passed    0.00 %  trained now",
        NAMES[1],
        "  passed    1.00 %  trained now",
    ]


def test_in_a_very_narrow_console_each_value_has_a_line():
    assert printed(COLUMNS, ROWS[:1], 20).splitlines() == [
        NAMES[0],
        "  status             passed",
        "  sequence accuracy  0.00 %",
        "  trained now",
    ]


def test_a_word_divided_between_two_lines_of_a_title_is_one_word():
    columns = [Column("job"), Column("finger\u00ad\nprint")]
    assert printed(columns, [["a", "1"]], 80).split()[:3] == ["finger", "job", "print"]
    assert printed(columns, [["a" * 20, "1234"]], 5).splitlines()[1] == "  fingerprint  1234"


def test_the_name_of_a_job_is_written_once_for_its_rows():
    rows = [["a", "x", "1"], ["", "y", "2"], ["b" * 50, "x", "3"], ["b" * 50, "y", "4"]]
    text = printed([Column("job"), Column("metric"), Column("value")], rows, 40)
    assert text.count("b" * 50) == 1
    assert [line.strip() for line in text.splitlines()][3:] == [
        "a",
        "x       1",
        "y       2",
        "b" * 50,
        "x       3",
        "y       4",
    ]


def test_east_asian_names_take_two_columns_each():
    lines = printed([Column("job"), Column("n")], [["日本", "1"], ["ab", "2"]], 80).splitlines()
    assert lines[2].startswith("日本  1")
    assert lines[3].startswith("ab    2")


def test_ascii_terminals_get_an_ascii_rule():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_table([Column("job")], [["a"]], Console(file=file, width=80))
    file.flush()
    assert file.buffer.getvalue().decode("ascii").split() == ["job", "---", "a"]
