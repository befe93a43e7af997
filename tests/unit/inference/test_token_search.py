"""Greedy and beam search with a trained model."""

from dataclasses import replace

import numpy as np
import pytest
from token_samples import FIXED, FREE, SUMS, searching, sources_of

from job.inference.model_facts import Search
from job.inference.token_lines import predict, predict_best
from job.inference.tokens import TrainedModel


@pytest.fixture(scope="module")
def best(model, evaluated):
    """The five best targets of the first 40 sources, by a beam of five."""
    return list(predict_best(model.with_beam(5), sources_of(evaluated)[:40], 5))


@pytest.mark.parametrize(
    ("before", "asked", "width"),
    [
        (Search(), 2, 4),
        (Search(), 9, 9),
        (Search(decoder="beam", beam_width=6, length_penalty=1.0), 3, 6),
        (Search(decoder="beam", beam_width=6, max_length=7, max_length_factor=0.5), 8, 8),
    ],
)
def test_with_beam_changes_decoder_and_width_only(before, asked, width):
    model = TrainedModel(None, None, replace(FREE, search=before))
    wide = model.with_beam(asked)
    assert wide.facts == replace(FREE, search=replace(before, decoder="beam", beam_width=width))
    assert model.facts.search == before


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_of_one_predicts_what_greedy_search_predicts(model, evaluated, length_penalty):
    narrow = searching(model, decoder="beam", beam_width=1, length_penalty=length_penalty)
    assert list(predict(narrow, sources_of(evaluated))) == [line["predicted"] for line in evaluated]


def test_the_best_targets_come_best_first_and_each_once(best):
    assert len(best) == 40
    for hypotheses in best:
        scores, targets = zip(*hypotheses, strict=True)
        assert len(set(targets)) == 5
        assert list(scores) == sorted(scores, reverse=True)
        assert scores[0] < 0


def test_a_list_longer_than_there_are_targets_names_each_once(model):
    one_symbol = searching(model.with_beam(20), max_length=1)
    (hypotheses,) = predict_best(one_symbol, [SUMS.encode("1+2")], 20)
    assert sorted(target for _, target in hypotheses) == ["", *"+0123456789"]  # nothing is the end alone
    assert sum(np.exp(score) for score, _ in hypotheses) == pytest.approx(1, abs=1e-5)


def test_fewer_of_the_best_are_the_first_of_them(model, evaluated, best):
    some = sources_of(evaluated)[:40]
    wide = model.with_beam(5)
    assert list(predict(wide, some)) == [hypotheses[0][1] for hypotheses in best]
    assert list(predict_best(wide, some, 2)) == [hypotheses[:2] for hypotheses in best]


def test_a_wide_beam_finds_a_likelier_target_than_greedy_search_for_some_source(best, evaluated):
    found = [hypotheses[0][1] for hypotheses in best]
    assert found != [line["predicted"] for line in evaluated[:40]]


def test_an_empty_line_has_one_best_target_which_is_empty(model, evaluated, best):
    first, second = sources_of(evaluated)[:2]
    found = list(predict_best(model.with_beam(5), [[], first, [], [], second], 5))
    assert found == [[(0.0, "")], best[0], [(0.0, "")], [(0.0, "")], best[1]]
    assert list(predict_best(model.with_beam(5), [[], []], 5)) == [[(0.0, "")]] * 2
    assert list(predict_best(model.with_beam(5), [], 5)) == []


def test_greedy_search_has_one_target_and_no_score(model, evaluated):
    some = sources_of(evaluated)[:3]
    found = list(predict_best(model, some, 5))
    assert [[target for _, target in hypotheses] for hypotheses in found] == [
        [line["predicted"]] for line in evaluated[:3]
    ]
    assert all(np.isnan(score) for hypotheses in found for score, _ in hypotheses)


def test_where_lengths_are_fixed_there_is_no_other():
    limited = Search(max_length=1, max_length_factor=0.1)
    assert replace(FIXED, search=limited).columns == FIXED.max_target_length
    assert replace(FREE, search=limited).columns == 1
