import random

import pytest
from rapidfuzz.distance import Levenshtein

from job.reports.html_samples import differences, nearest


def shown(parts):
    return "".join(f"[{text}]" if differs else text for text, differs in parts)


@pytest.mark.parametrize(
    ("target", "predicted", "left", "right"),
    [
        ("3 2 1", "3 2 1", "3 2 1", "3 2 1"),
        ("3 2 1", "3 5 1", "3 [2] 1", "3 [5] 1"),
        ("3 2 1", "3 1", "3 [2] 1", "3 1"),
        ("3 2 1", "", "[3 2 1]", ""),
        (
            "12 1",
            "1 12",
            "12 [1]",
            "[1] 12",
        ),  # tokens, not digits: 12 does not contain token 1
        ("357", "347", "3[5]7", "3[4]7"),
        ("357", "3577", "357", "357[7]"),
        ("a", "a ", "a", "a[ ]"),
        ("", "x", "", "[x]"),
        ("", "", "", ""),
        ("a  b", "a b", "a  b", "a b"),  # the same tokens
    ],
)
def test_differences_are_marked_by_words_or_by_characters(target, predicted, left, right):
    sides = differences(target, predicted)
    assert (shown(sides[0]), shown(sides[1])) == (left, right)


def test_parts_join_to_the_text_and_unmarked_parts_are_common():
    draw = random.Random(7)
    for alphabet in ("ab", "ab ", "12 3"):
        for _ in range(300):
            texts = ["".join(draw.choices(alphabet, k=draw.randrange(8))) for _ in range(2)]
            sides = differences(*texts)
            assert ["".join(text for text, _ in side) for side in sides] == texts
            common = ["".join(text for text, differs in side if not differs).split() for side in sides]
            assert "".join(common[0]) == "".join(common[1])


def test_marks_are_minimal():
    draw = random.Random(8)
    for _ in range(300):
        target, predicted = ("".join(draw.choices("abc", k=draw.randrange(9))) for _ in range(2))
        sides = differences(target, predicted)
        most = max(sum(len(text) for text, differs in side if differs) for side in sides)
        assert most <= Levenshtein.distance(target, predicted)


def test_the_nearest_reference_is_determined_by_words_if_there_are_words():
    assert nearest("a b c", ["x y z", "a b d", "a b e"]) == "a b d"
    assert nearest("12 7", ["12345 7", "1 2 7"]) == "12345 7"  # one word wrong, not three characters
    assert nearest("cat", ["dog", "cut"]) == "cut"
