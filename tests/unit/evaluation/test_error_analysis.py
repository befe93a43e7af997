"""Hand-made predictions, whose places and confusions can be counted by eye."""

import json
from dataclasses import replace

from job.evaluation.error_analysis import analyse
from job.results.predictions import Prediction


def prediction(number, source, target, predicted, references=()):
    correct = predicted in (references or (target,))
    return Prediction(str(number), source, target, predicted, correct, references)


PREDICTIONS = (
    prediction(0, "ab", "x y", "x y"),
    prediction(1, "abc", "x y z", "x q z"),
    prediction(2, "abc", "x y z", "q"),
    prediction(3, "ab", "x y", "x z", references=("x y", "x z")),
)
FOUND = analyse(PREDICTIONS, list, str.split)


def test_accuracy_by_position_counts_the_references_that_reach_it():
    assert FOUND["by_position"] == [
        {"position": 0, "count": 4, "accuracy": 3 / 4},
        {"position": 1, "count": 4, "accuracy": 2 / 4},
        {"position": 2, "count": 2, "accuracy": 1 / 2},
    ]


def test_accuracy_by_source_length_is_of_whole_sequences():
    assert FOUND["by_source_length"] == [
        {"length": 2, "count": 2, "accuracy": 1.0},
        {"length": 3, "count": 2, "accuracy": 0.0},
    ]


def test_confusions_are_the_substitutions_of_the_alignment():
    assert {"target": "y", "predicted": "q", "count": 1} in FOUND["confusions"]
    assert sum(pair["count"] for pair in FOUND["confusions"]) == 2


def test_the_worst_mistake_comes_first_and_no_right_prediction_is_listed():
    assert FOUND["worst_mistakes"] == [
        {"id": "2", "edit_distance": 3, "source": "abc", "target": "x y z", "predicted": "q"},
        {"id": "1", "edit_distance": 1, "source": "abc", "target": "x y z", "predicted": "x q z"},
    ]


def test_a_mistake_is_shown_with_its_nearest_reference():
    wrong = prediction(0, "ab", "x y", "p q r", references=("x y", "p q s", "a b c"))
    (mistake,) = analyse([wrong], list, str.split)["worst_mistakes"]
    assert mistake == {
        "id": "0",
        "edit_distance": 1,
        "source": "ab",
        "target": "p q s",
        "predicted": "p q r",
    }


def test_long_texts_of_a_mistake_are_cut_and_its_distance_is_of_the_whole():
    wrong = prediction(0, "a" * 200, " ".join("x" * 500), " ".join("x" * 499))
    (mistake,) = analyse([wrong], list, str.split)["worst_mistakes"]
    assert mistake["edit_distance"] == 1
    assert mistake["source"] == "a" * 200
    assert mistake["target"] == ("x " * 100)[:199] + "…"
    assert len(mistake["predicted"]) == 200


def test_the_ten_worst_are_listed_and_equal_ones_in_the_order_of_the_test():
    wrong = [prediction(i, "a", "x", " ".join("q" * (1 + i % 3))) for i in range(30)]
    found = analyse(wrong, list, str.split)["worst_mistakes"]
    assert [mistake["id"] for mistake in found] == [str(i) for i in range(2, 30, 3)]


def test_nothing_wrong_leaves_nothing_to_list():
    perfect = analyse(PREDICTIONS[:1], list, str.split)
    assert perfect["confusions"] == []
    assert perfect["worst_mistakes"] == []


def test_an_unknown_part_of_a_word_is_shown_by_its_label():
    """With subwords an unknown token is a part of a word."""
    row = replace(prediction(0, "a", "x hello y", "x he<unk>o y"), unknown=((4, 9),))
    found = analyse((row,), list, str.split)
    assert found["confusions"] == [{"target": "hello", "predicted": "he<unk>o", "count": 1, "unknown": True}]
    assert json.dumps(found, ensure_ascii=False).encode()
