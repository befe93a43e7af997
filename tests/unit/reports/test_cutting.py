import pytest

from job.reports.cutting import beginning, shrink, size


def test_size_is_that_of_the_file():
    assert size("aé日\ud800") == 1 + 2 + 3 + 1


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (0, ([], 3)),
        (3, ([], 3)),
        (4, (["abc"], 2)),
        (6, (["abc"], 2)),
        (7, (["abc", "é"], 1)),
        (9, (["abc", "é", "d"], 0)),
    ],
)
def test_the_first_lines_that_fit_line_ends_included(room, expected):
    assert beginning(["abc", "é", "d"], room) == expected


FORMS = [["aaaa", "aa", ""], ["bbbb", "b", ""], ["cccc", "ccc", ""]]


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (12, [0, 0, 0]),
        (11, [0, 0, 1]),
        (10, [1, 0, 1]),
        (9, [1, 0, 1]),
        (8, [1, 1, 1]),
        (6, [1, 1, 1]),
        (5, [1, 1, 2]),
        (1, [2, 1, 2]),
        (0, [2, 2, 2]),
        (-1, [2, 2, 2]),
    ],
)
def test_all_are_shortened_in_their_order_before_any_is_left_out(room, expected):
    assert shrink(FORMS, [2, 0, 1], room) == expected


def test_of_nothing_nothing_is_chosen():
    assert shrink([], [], 0) == []
