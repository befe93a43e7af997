"""Which metrics are compared, on which counts: edit rates, scores of text, and errors of numbers."""

from dataclasses import replace

import numpy as np
import pytest
from comparing import verdicts
from recording import a_forecast, a_job, a_run

from job.gating.metric_tests import compare_pairs
from job.gating.paired_examples import pair_examples
from job.results.data_facts import DataFacts, Separators
from job.results.predictions import Prediction

TEXT = {"spec": {"problem": {"kind": "text_pairs", "target_tokens": "words"}}}


def texts(errors):
    """Predictions of eight words, the last so many of which are wrong in every third."""
    right = [[f"w{(number * k) % 17}" for k in range(1, 9)] for number in range(600)]
    wrong = [words[: 8 - errors] + ["x"] * errors if n % 3 == 0 else words for n, words in enumerate(right)]
    return [
        Prediction(str(number), "a", " ".join(target), " ".join(predicted), target == predicted)
        for number, (target, predicted) in enumerate(zip(right, wrong, strict=True))
    ]


def test_bleu_and_chrf_are_compared_where_a_job_has_them(compare_batches):
    """Just as many sentences are wrong, but more of each."""
    scored = {**TEXT, "metrics": {"sequence_accuracy": 2 / 3, "bleu": 1.0, "chrf": 1.0}}
    (job,) = compare_batches([a_run("a", texts(1), **scored)], [a_run("a", texts(2), **scored)]).jobs
    assert [metric.metric for metric in job.metrics] == ["sequence_accuracy", "edit_rate", "bleu", "chrf"]
    accuracy, edits, bleu, chrf = job.metrics
    assert (accuracy.change, edits.change) == ("unchanged", "regression")
    for metric in (bleu, chrf):
        assert (metric.test, metric.change, metric.paired) == ("paired bootstrap", "regression", True)
        assert metric.before - metric.now > metric.min_effect == 0.5
        assert metric.detail == "the counts of 200 of 600 examples changed"


def test_text_of_characters_is_compared_by_chrf_only(compare_batches):
    scored = {**TEXT, "metrics": {"sequence_accuracy": 2 / 3, "chrf": 1.0}}
    (job,) = compare_batches([a_run("a", texts(1), **scored)], [a_run("a", texts(1), **scored)]).jobs
    assert [metric.metric for metric in job.metrics] == ["sequence_accuracy", "edit_rate", "chrf"]


@pytest.mark.parametrize("words", [3, 4])
def test_bleu_is_compared_only_if_it_is_defined(compare_batches, words):
    """Earlier versions recorded a BLEU of 0 for targets below four tokens."""
    scored = {**TEXT, "metrics": {"sequence_accuracy": 2 / 3, "bleu": 0.0, "chrf": 1.0}}
    cut = [
        replace(p, target=" ".join(p.target.split()[:words]), predicted=" ".join(p.predicted.split()[:words]))
        for p in texts(1)
    ]
    (job,) = compare_batches([a_run("a", cut, **scored)], [a_run("a", cut, **scored)]).jobs
    assert ("bleu" in [metric.metric for metric in job.metrics]) == (words == 4)


def edit_rates(before, now, **fields):
    """Compare two sides of some predictions: both edit rates, None where they are not compared."""
    found = compare_pairs(pair_examples(before, now), a_job("a", now, **fields)).get("edit_rate")
    return found and (found.before, found.now)


def joined(separator):
    return {**PLUGIN, "data": DataFacts(separators=Separators(source="", target=separator))}


PLUGIN = {"spec": {"problem": {"kind": "plugin", "name": "roman"}}}


CHARACTERS = {"spec": {"problem": {"kind": "text_pairs"}}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (joined(""), (1 / 8, 2 / 8)),
        (joined(" "), (1 / 2, 2 / 2)),
        (joined(None), None),
        (PLUGIN, None),
        ({"spec": {"problem": {"kind": "addition", "digits": 3}}}, (1 / 8, 2 / 8)),
        (CHARACTERS, (1 / 8, 2 / 8)),
        (TEXT, (1 / 2, 2 / 2)),
        ({"spec": {"problem": {"kind": "text_pairs", "target_tokens": ["?"]}}}, None),
        ({"spec": {"problem": {"kind": "of a later version"}}}, None),
        ({"spec": {"problem": {"kind": "sort"}}}, (1 / 2, 2 / 2)),
    ],
)
def test_targets_are_split_by_the_recorded_separator_or_that_of_the_kind_of_problem(fields, expected):
    before = [Prediction("0", "5", "MCM XIVI", "MCM XIVX", False)]
    now = [Prediction("0", "5", "MCM XIVI", "MDM XIVX", False)]
    assert edit_rates(before, now, **fields) == expected


def test_edit_rates_use_the_nearest_reference_of_each_side():
    def predictions(written):
        return [Prediction("0", "5", "a b", written, written == "a b", ("a b", "c d e f"))]

    assert edit_rates(predictions("a b"), predictions("c d e x"), **TEXT) == (0 / 2, 1 / 4)


def test_edits_counted_by_the_problem_are_compared_as_recorded():
    before, now = ([Prediction("0", "5", "a-b", "a-x", False, edits=edits)] for edits in ((1, 2), (2, 2)))
    nothing = {**PLUGIN, "data": DataFacts(separators=Separators(source=" "))}
    assert edit_rates(before, now, **nothing) == (1 / 2, 2 / 2)
    assert edit_rates([replace(before[0], edits=None)], now, **nothing) is None


def test_an_undefined_edit_rate_is_not_compared():
    right, wrong = ([Prediction("0", "5", "", text, not text)] for text in ("", "a"))
    assert edit_rates(right, right, **TEXT) == (0, 0)
    assert edit_rates(right, wrong, **TEXT) is None


def test_an_unknown_token_is_one_error_and_never_right():
    before = [Prediction("0", "5", "<unk> b", "<unk> b", False, unknown=((0, 5),))]
    now = [Prediction("0", "5", "<unk> b", "<unk> b", True)]
    assert edit_rates(before, now, **TEXT) == (1 / 2, 0)
    assert edit_rates(before, now, **CHARACTERS) == (5 / 7, 0)


def forecasts(scale, seed):
    errors = np.random.default_rng(seed).normal(0, scale, 200)
    return [a_forecast(number, 10.0, 10.0 + float(error)) for number, error in enumerate(errors)]


NUMBERS = {"metrics": {"rmse": 1.0}}


def test_errors_of_forecasts_are_compared_by_a_paired_bootstrap(compare_batches):
    found = compare_batches(
        [a_run("a", forecasts(1, 1), **NUMBERS)], [a_run("a", forecasts(2, 2), **NUMBERS)]
    )
    (job,) = found.jobs
    assert job.verdict == "regression"
    assert [metric.metric for metric in job.metrics] == ["rmse", "mae"]
    assert [metric.test for metric in job.metrics] == ["paired bootstrap"] * 2
    assert job.metrics[0].before == pytest.approx(1.0, abs=0.15)
    assert job.metrics[0].now == pytest.approx(2.0, abs=0.3)
    assert job.metrics[0].min_effect == pytest.approx(0.005 * job.metrics[0].before)


def test_forecasts_as_good_as_before_are_unchanged(compare_batches):
    found = compare_batches(
        [a_run("a", forecasts(1, 1), **NUMBERS)], [a_run("a", forecasts(1, 2), **NUMBERS)]
    )
    assert verdicts(found) == {"a": "unchanged"}


def test_numbers_cannot_be_compared_without_the_examples(compare_batches):
    predictions = forecasts(1, 1)
    found = compare_batches(
        [(a_job("a", predictions, **NUMBERS), None)], [a_run("a", predictions, **NUMBERS)]
    )
    assert verdicts(found) == {"a": "not_comparable"}
    assert "numbers are compared example by example" in found.jobs[0].reason
