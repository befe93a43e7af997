"""Two output directories -> what is worse, better, the same, or cannot be compared."""

import json
from dataclasses import replace

import numpy as np
import pytest
from recording import MACHINE, PROBLEM, a_forecast, a_job, leave, right_and_wrong
from scipy import stats

from job.batch.baseline import compare_recorded
from job.errors import BAD_BASELINE, BAD_USAGE, GATE_FAILED, BaselineError, OutputError
from job.gating.batch_verdict import comparison_findings, conclude
from job.gating.comparison_verdicts import examples_advice, judge_together
from job.gating.merged_comparisons import merge_comparisons
from job.gating.metric_tests import compare_pairs, metric_comparison
from job.gating.paired_examples import pair_examples
from job.gating.significance_tests import mcnemar, two_proportions
from job.results.records import Comparison, JobComparison, Prediction
from job.spec.gate_section import GateSpec


@pytest.fixture
def sides(tmp_path):
    """Leave a baseline and a candidate, and compare them."""

    def compare(before, now, **plans):
        first = leave(tmp_path / "before", before)
        second = leave(tmp_path / "now", now, **plans)
        return compare_recorded(first, second)

    return compare


def of(name, predictions, **fields):
    return a_job(name, predictions, **fields), predictions


def verdicts(comparison):
    return {job.name: job.verdict for job in comparison.jobs}


# --- the same examples --------------------------------------------------------------------------------------


def test_a_drop_that_is_significant_and_large_is_a_regression_and_shows_what_flipped(sides):
    found = sides([of("a", right_and_wrong(1000, range(10)))], [of("a", right_and_wrong(1000, range(9, 40)))])
    (job,) = found.jobs
    assert (job.verdict, job.lost_count, job.won_count) == ("regression", 30, 9)
    accuracy, edits = job.metrics
    assert (accuracy.metric, accuracy.test, accuracy.paired) == ("sequence_accuracy", "exact McNemar", True)
    assert (accuracy.before, accuracy.now, accuracy.change) == (0.99, 0.969, "regression")
    assert accuracy.p_value == pytest.approx(stats.binom.sf(29, 39, 0.5))
    assert accuracy.adjusted_p_value == pytest.approx(2 * accuracy.p_value)
    assert (edits.metric, edits.test) == ("edit_rate", "paired bootstrap")
    assert (edits.before, edits.now) == pytest.approx((10 / 3000, 31 / 3000))
    assert [flip.id for flip in job.lost] == [str(n) for n in range(10, 30)]
    assert job.lost[0].before == "10 2 3"
    assert job.lost[0].now == "10 2 4"
    assert [flip.id for flip in job.won] == [str(n) for n in range(9)]
    verdict = conclude(comparison_findings(found.jobs))
    assert verdict.exit_code == GATE_FAILED
    assert verdict.reasons == (f"job a is worse than its baseline: {job.reason}",)
    assert (
        "sequence_accuracy was 0.99 and is 0.969 (exact McNemar: 30 right before and wrong now, 9"
        in job.reason
    )


def test_the_same_the_other_way_is_an_improvement_and_passes(sides):
    found = sides([of("a", right_and_wrong(1000, range(9, 40)))], [of("a", right_and_wrong(1000, range(10)))])
    assert verdicts(found) == {"a": "improvement"}
    assert conclude(comparison_findings(found.jobs)).exit_code == 0
    assert found.jobs[0].metrics[0].adjusted_p_value < 0.01


def test_a_drop_that_is_significant_but_too_small_to_matter_is_none(sides):
    """Forty lost and none won of 10,000: beyond chance, but less than min_drop."""
    found = sides([of("a", right_and_wrong(10_000, []))], [of("a", right_and_wrong(10_000, range(40)))])
    (job,) = found.jobs
    assert job.verdict == "unchanged"
    assert job.metrics[0].adjusted_p_value < 1e-9
    assert job.metrics[0].difference == pytest.approx(-0.004)
    assert job.metrics[0].advice is None


def test_a_drop_of_exactly_min_drop_counts(sides):
    found = sides([of("a", right_and_wrong(10_000, []))], [of("a", right_and_wrong(10_000, range(50)))])
    assert found.jobs[0].metrics[0].change == "regression"


def test_a_drop_that_is_large_but_may_be_chance_is_none_and_says_what_would_settle_it(sides):
    found = sides([of("a", right_and_wrong(100, [0]))], [of("a", right_and_wrong(100, range(1, 5)))])
    (job,) = found.jobs
    assert job.verdict == "unchanged"
    accuracy = job.metrics[0]
    assert accuracy.difference == pytest.approx(-0.03)
    assert accuracy.advice.startswith("a change of this size would be significant on about ")
    assert accuracy.advice in job.reason


def test_as_many_examples_as_the_advice_says_would_be_significant():
    """A change as large, in as many more examples, by the same test."""
    gate = GateSpec()
    metric = metric_comparison("sequence_accuracy", evidence(9000, 60, 40), gate, 9100, paired=True)
    needed = int(examples_advice(metric, metric.p_value).split()[-2].replace(",", ""))
    times = needed / 9100
    assert evidence(0, round(60 * times), round(40 * times)).p_value <= gate.alpha
    assert evidence(0, round(45 * times), round(30 * times)).p_value > gate.alpha


def evidence(both, lost, won):
    before = np.repeat([True, True, False], [both, lost, won])
    return mcnemar(before, np.repeat([True, False, True], [both, lost, won]))


def test_the_spec_says_what_counts(sides):
    before, now = right_and_wrong(1000, []), right_and_wrong(1000, range(40))
    assert verdicts(sides([of("a", before)], [of("a", now, gate={"min_drop": 0.05})])) == {"a": "unchanged"}


def test_what_the_candidate_adds_to_the_examples_does_not_hinder(sides):
    found = sides([of("a", right_and_wrong(400, []))], [of("a", right_and_wrong(1000, range(300)))])
    metric = found.jobs[0].metrics[0]
    assert (metric.paired, metric.examples, metric.now) == (True, 400, 0.25)


# --- other examples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1])
def test_where_examples_are_not_the_same_their_counts_are_compared_and_it_is_said(sides, offset):
    """Another seed draws other examples; without an offset the baseline has left none."""
    before, now = right_and_wrong(1000, []), right_and_wrong(500, range(10), offset)
    found = sides([(a_job("a", before), before if offset else None)], [of("a", now)])
    (metric,) = found.jobs[0].metrics
    assert not metric.paired
    assert metric.test == "two proportions (Fisher)"
    assert metric.p_value == two_proportions((1000, 1000), (490, 500)).p_value
    assert found.jobs[0].verdict == "regression"
    assert "not the same examples" in found.jobs[0].reason
    assert found.jobs[0].lost == ()


def test_a_report_alone_will_do_for_tokens(tmp_path):
    before, now = right_and_wrong(1000, []), right_and_wrong(1000, range(30))
    (tmp_path / "kept.json").write_bytes(
        (leave(tmp_path / "before", [of("a", before)]) / "report.json").read_bytes()
    )
    found = compare_recorded(tmp_path / "kept.json", leave(tmp_path / "now", [of("a", now)]))
    assert verdicts(found) == {"a": "regression"}
    assert found.baseline == str(tmp_path / "kept.json")


def test_predictions_of_another_run_are_not_taken_for_those_of_the_report(sides, tmp_path):
    first = leave(tmp_path / "one", [of("a", right_and_wrong(100, []))])
    second = leave(tmp_path / "two", [of("a", right_and_wrong(100, []))])
    with (first / "jobs/a/predictions.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(BaselineError, match=r"job a: \S*jobs/a/predictions\.jsonl has changed since it was"):
        compare_recorded(first, second)


# --- text ---------------------------------------------------------------------------------------------------

TEXT = {"spec": {"problem": {"kind": "text_pairs", "target_tokens": "words"}}}


def texts(errors):
    """Predictions of eight words, the last so many of which are wrong in every third."""
    right = [[f"w{(number * k) % 17}" for k in range(1, 9)] for number in range(600)]
    wrong = [words[: 8 - errors] + ["x"] * errors if n % 3 == 0 else words for n, words in enumerate(right)]
    return [
        Prediction(str(number), "a", " ".join(target), " ".join(predicted), target == predicted)
        for number, (target, predicted) in enumerate(zip(right, wrong, strict=True))
    ]


def test_bleu_and_chrf_are_compared_where_a_job_has_them(sides):
    """Just as many sentences are wrong, but more of each."""
    scored = {**TEXT, "metrics": {"sequence_accuracy": 2 / 3, "bleu": 1.0, "chrf": 1.0}}
    (job,) = sides([of("a", texts(1), **scored)], [of("a", texts(2), **scored)]).jobs
    assert [metric.metric for metric in job.metrics] == ["sequence_accuracy", "edit_rate", "bleu", "chrf"]
    accuracy, edits, bleu, chrf = job.metrics
    assert (accuracy.change, edits.change) == ("unchanged", "regression")
    for metric in (bleu, chrf):
        assert (metric.test, metric.change, metric.paired) == ("paired bootstrap", "regression", True)
        assert metric.before - metric.now > metric.min_effect == 0.5
        assert metric.detail == "the counts of 200 of 600 examples changed"


def test_text_of_characters_is_compared_by_chrf_alone(sides):
    scored = {**TEXT, "metrics": {"sequence_accuracy": 2 / 3, "chrf": 1.0}}
    (job,) = sides([of("a", texts(1), **scored)], [of("a", texts(1), **scored)]).jobs
    assert [metric.metric for metric in job.metrics] == ["sequence_accuracy", "edit_rate", "chrf"]


@pytest.mark.parametrize("words", [3, 4])
def test_bleu_is_compared_where_it_is_defined_alone(sides, words):
    """Earlier versions recorded a BLEU of 0 for targets below four tokens."""
    scored = {**TEXT, "metrics": {"sequence_accuracy": 2 / 3, "bleu": 0.0, "chrf": 1.0}}
    cut = [
        replace(p, target=" ".join(p.target.split()[:words]), predicted=" ".join(p.predicted.split()[:words]))
        for p in texts(1)
    ]
    (job,) = sides([of("a", cut, **scored)], [of("a", cut, **scored)]).jobs
    assert ("bleu" in [metric.metric for metric in job.metrics]) == (words == 4)


# --- how targets split --------------------------------------------------------------------------------------


def edit_rates(before, now, **fields):
    """Compare two sides of some predictions: both edit rates, None where they are not compared."""
    found = compare_pairs(pair_examples(before, now), a_job("a", now, **fields)).get("edit_rate")
    return found and (found.before, found.now)


def joined(separator):
    return {**PLUGIN, "data": {"separators": {"source": "", "target": separator}}}


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
def test_targets_split_as_the_problem_said_and_of_earlier_results_as_its_kind_says(fields, expected):
    before = [Prediction("0", "5", "MCM XIVI", "MCM XIVX", False)]
    now = [Prediction("0", "5", "MCM XIVI", "MDM XIVX", False)]
    assert edit_rates(before, now, **fields) == expected


def test_edit_rates_are_those_of_the_results_where_the_nearest_references_differ():
    def predictions(written):
        return [Prediction("0", "5", "a b", written, written == "a b", ("a b", "c d e f"))]

    assert edit_rates(predictions("a b"), predictions("c d e x"), **TEXT) == (0 / 2, 1 / 4)


def test_edits_that_only_the_problem_could_count_are_compared_as_it_counted_them():
    before, now = ([Prediction("0", "5", "a-b", "a-x", False, edits=edits)] for edits in ((1, 2), (2, 2)))
    nothing = {**PLUGIN, "data": {"separators": {"source": " "}}}
    assert edit_rates(before, now, **nothing) == (1 / 2, 2 / 2)
    assert edit_rates([replace(before[0], edits=None)], now, **nothing) is None


def test_an_edit_rate_that_is_not_defined_is_not_compared():
    right, wrong = ([Prediction("0", "5", "", text, not text)] for text in ("", "a"))
    assert edit_rates(right, right, **TEXT) == (0, 0)
    assert edit_rates(right, wrong, **TEXT) is None


def test_an_unknown_token_is_one_error_and_never_right():
    before = [Prediction("0", "5", "<unk> b", "<unk> b", False, unknown=((0, 5),))]
    now = [Prediction("0", "5", "<unk> b", "<unk> b", True)]
    assert edit_rates(before, now, **TEXT) == (1 / 2, 0)
    assert edit_rates(before, now, **CHARACTERS) == (5 / 7, 0)


@pytest.mark.parametrize(
    ("earlier", "now", "same"),
    [
        (("<unk> b", "x<unk>z"), ("a b", "xyz"), True),
        (("<unk><unk>b", "x <unk>"), ("aab", "x y"), True),
        (("<unk> b", "x"), ("ab b c", "x"), False),
        (("a<unk>", "x"), ("abc", "x"), False),
    ],
)
def test_examples_of_earlier_results_have_the_unknown_tokens_that_the_data_has(earlier, now, same):
    old, new = Prediction("0", *earlier, "q", False), Prediction("0", *now, "q", False)
    assert pair_examples([old], [new]) == pair_examples([new], [old]) == ([(new, new)] if same else [])


# --- numbers ------------------------------------------------------------------------------------------------


def forecasts(scale, seed):
    errors = np.random.default_rng(seed).normal(0, scale, 200)
    return [a_forecast(number, 10.0, 10.0 + float(error)) for number, error in enumerate(errors)]


NUMBERS = {"metrics": {"rmse": 1.0}}


def test_errors_of_forecasts_are_compared_by_a_paired_bootstrap(sides):
    found = sides([of("a", forecasts(1, 1), **NUMBERS)], [of("a", forecasts(2, 2), **NUMBERS)])
    (job,) = found.jobs
    assert job.verdict == "regression"
    assert [metric.metric for metric in job.metrics] == ["rmse", "mae"]
    assert [metric.test for metric in job.metrics] == ["paired bootstrap"] * 2
    assert job.metrics[0].before == pytest.approx(1.0, abs=0.15)
    assert job.metrics[0].now == pytest.approx(2.0, abs=0.3)
    assert job.metrics[0].min_effect == pytest.approx(0.005 * job.metrics[0].before)


def test_forecasts_as_good_as_before_are_unchanged(sides):
    found = sides([of("a", forecasts(1, 1), **NUMBERS)], [of("a", forecasts(1, 2), **NUMBERS)])
    assert verdicts(found) == {"a": "unchanged"}


def test_numbers_cannot_be_compared_without_the_examples(sides):
    predictions = forecasts(1, 1)
    found = sides([(a_job("a", predictions, **NUMBERS), None)], [of("a", predictions, **NUMBERS)])
    assert verdicts(found) == {"a": "not_comparable"}
    assert "numbers are compared example by example" in found.jobs[0].reason


# --- which jobs ---------------------------------------------------------------------------------------------

FEW = right_and_wrong(50, [3])


def test_new_and_removed_jobs_are_listed_and_do_not_fail(sides):
    found = sides([of("a", FEW), of("gone", FEW)], [of("added", FEW), of("a", FEW)], plan=["added", "a"])
    assert verdicts(found) == {"added": "new", "a": "unchanged", "gone": "removed"}
    assert conclude(comparison_findings(found.jobs)).exit_code == 0


def test_a_job_that_was_not_asked_for_is_not_removed(sides):
    found = sides([of("a", FEW), of("b", FEW)], [of("a", FEW)], plan=["a", "b"])
    assert verdicts(found) == {"a": "unchanged"}


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ({"problem_fingerprint": "q" * 64}, {}, "another problem: the content of its data files has changed"),
        ({"problem_fingerprint": ""}, {}, "does not say what it was measured on"),
        ({"status": "failed"}, {}, "the baseline has no finished result of it: it is failed"),
        ({}, {"status": "interrupted"}, "the job has no finished result: it is interrupted"),
        (
            {"spec": {"problem": {**PROBLEM, "source_length": 9}}, "problem_fingerprint": "q" * 64},
            {},
            "another problem: problem.source_length was 9 and is 3",
        ),
        (
            {
                "spec": {"problem": PROBLEM, "evaluation": {"examples": 1, "decoder": "beam"}},
                "problem_fingerprint": "q" * 64,
            },
            {},
            "another problem: evaluation.decoder was beam and is greedy",
        ),
    ],
)
def test_what_cannot_be_compared_says_why_and_never_passes(sides, before, now, reason):
    found = sides([of("a", FEW, **before)], [of("a", FEW, **now)])
    assert verdicts(found) == {"a": "not_comparable"}
    assert reason in found.jobs[0].reason
    assert conclude(comparison_findings(found.jobs)).exit_code == BAD_BASELINE


def test_a_job_without_a_result_never_passes(sides):
    found = sides([of("a", FEW), of("b", FEW)], [of("a", FEW)], missing=["b"])
    assert verdicts(found) == {"a": "unchanged", "b": "not_comparable"}


def test_a_baseline_of_other_jobs_alone_is_an_error(sides):
    with pytest.raises(BaselineError, match="has none of the jobs that are to be compared; its jobs: a"):
        sides([of("a", FEW)], [of("b", FEW)])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is not there; expected a report.json or an output directory"),
        ("{", "is not a report that this version reads"),
        ('{"schema_version": 0}', "schema_version is 0, this program reads 1"),
    ],
)
def test_a_baseline_that_cannot_be_read_says_why(tmp_path, content, reason):
    candidate, baseline = leave(tmp_path / "now", [of("a", FEW)]), tmp_path / "report.json"
    if content is not None:
        baseline.write_text(content)
    with pytest.raises(BaselineError, match=reason) as caught:
        compare_recorded(baseline, candidate)
    assert caught.value.exit_code == BAD_BASELINE
    with pytest.raises(OutputError, match=reason) as caught:
        compare_recorded(candidate, baseline)
    assert caught.value.exit_code == BAD_USAGE


def test_directories_without_a_report_say_what_is_missing(tmp_path):
    candidate, empty = leave(tmp_path / "now", [of("a", FEW)]), tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BaselineError, match=r"empty holds no report\.json; expected"):
        compare_recorded(empty, candidate)
    (empty / "report-1-of-2.json").write_text("{}")
    with pytest.raises(BaselineError, match="merge them with: seq2seq-job report"):
        compare_recorded(empty, candidate)


# --- speeds -------------------------------------------------------------------------------------------------


def at(speed, low, high, **fields):
    metric = "train_examples_per_second"
    return {"timings": {metric: speed}, "speed_ranges": {metric: (low, high)}, **fields}


@pytest.mark.parametrize(
    ("before", "now", "slower"),
    [
        (at(1000, 950, 1050), at(700, 650, 750), True),
        (at(1000, 950, 1050), at(800, 750, 850), False),  # not by the factor
        (at(1000, 700, 1300), at(700, 650, 750), False),  # the ranges overlap
        (at(1000, 950, 1050), {**at(700, 0, 0), "speed_ranges": {}}, False),
    ],
)
def test_slower_is_slower_by_a_factor_and_beyond_what_its_parts_vary(sides, before, now, slower):
    (job,) = sides([of("a", FEW, **before)], [of("a", FEW, **now)]).jobs
    assert job.speed[0].slower is slower
    assert job.verdict == "unchanged"
    assert bool(job.warnings) is slower


def test_slower_is_a_regression_where_the_spec_says_so(sides):
    before, now = at(1000, 950, 1050), at(700, 650, 750, gate={"speed": "fail"})
    (job,) = sides([of("a", FEW, **before)], [of("a", FEW, **now)]).jobs
    assert job.verdict == "regression"
    assert job.reason == "train_examples_per_second is 700, 1.43 times slower than 1,000"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cores": 4}, "speeds are not compared: cores was 2 and is 4"),
        (
            {"versions": {"keras": "3.16", "python": "3.12.1"}},
            "speeds are not compared: the version of keras was 3.15.1 and is 3.16",
        ),
    ],
)
def test_speeds_of_other_machines_or_versions_are_not_compared(sides, change, reason):
    now = at(100, 90, 110, environment={**MACHINE, **change})
    (job,) = sides([of("a", FEW, **at(1000, 950, 1050))], [of("a", FEW, **now)]).jobs
    assert (job.speed, job.speed_note) == ((), reason)


# --- several jobs -------------------------------------------------------------------------------------------


def measured(name, found, gate=None, paired=True):
    metric = metric_comparison("sequence_accuracy", found, gate or GateSpec(), 10_000, paired=paired)
    return JobComparison(name, "unchanged", "", metrics=(metric,))


def test_p_values_are_adjusted_over_all_jobs_each_way_for_itself():
    p = evidence(9900, 70, 40)
    assert 0.001 < p.p_value < 0.005
    alone = judge_together([measured("a", p)])
    assert alone[0].metrics[0].adjusted_p_value == p.p_value
    better = evidence(9900, 40, 70)
    jobs = judge_together([measured("a", p), measured("b", better), measured("c", evidence(9900, 5, 5))])
    assert [job.metrics[0].adjusted_p_value for job in jobs] == pytest.approx(
        [3 * p.p_value, 3 * p.p_value, 1]
    )


def test_parts_that_were_compared_apart_are_adjusted_together():
    p = evidence(9000, 160, 60)
    parts = [
        Comparison("b", "2026-07-01", None, judge_together([measured(name, p)])) for name in ("one", "two")
    ]
    gone = JobComparison("gone", "removed", "")
    parts = [replace(part, jobs=(*part.jobs, gone)) for part in parts]
    merged = merge_comparisons({"one": parts[0], "two": parts[1]})
    assert [job.name for job in merged.jobs] == ["one", "two", "gone"]
    assert merged.jobs[0].metrics[0].adjusted_p_value == pytest.approx(2 * p.p_value)
    assert merged.jobs == (*judge_together([measured("one", p), measured("two", p)]), gone)
    assert merge_comparisons({"one": None}) is None


def test_a_part_that_was_not_compared_does_not_pass_silently():
    part = Comparison("b", "2026-07-01", None, judge_together([measured("one", evidence(100, 1, 1))]))
    merged = merge_comparisons({"one": part, "two": None})
    assert verdicts(merged) == {"one": "unchanged", "two": "not_comparable"}
    with pytest.raises(BaselineError, match="compared with different baselines"):
        merge_comparisons({"one": part, "two": replace(part, baseline_finished_at="2026-07-02")})


def nightly(rng, jobs, accuracy, drop):
    """A night's comparison of so many jobs on 10,000 examples, half of whose errors are on hard ones: both
    sides'."""
    found = []
    for number in range(jobs):
        shares = accuracy[number], accuracy[number] - drop
        hard = rng.random(10_000) < (1 - shares[0]) / 2
        sides = [~hard & (rng.random(10_000) < (share / (1 - (1 - shares[0]) / 2))) for share in shares]
        found.append(measured(str(number), mcnemar(*sides), GateSpec(min_drop=0.0)))
    return judge_together(found)


def test_false_alarms_over_two_thousand_nights_without_a_change_are_at_most_alpha():
    """Significance alone, at alpha 0.05 and 0.01, over five jobs: without the smallest change that counts."""
    rng = np.random.default_rng(1)
    nights = [nightly(rng, 5, [0.6, 0.9, 0.97, 0.99, 0.999], 0.0) for _ in range(2000)]
    least = [min(job.metrics[0].adjusted_p_value for job in jobs if job.metrics[0].difference < 0)
             if any(job.metrics[0].difference < 0 for job in jobs) else 1.0 for jobs in nights]  # fmt: skip
    for alpha in (0.01, 0.05):
        alarms = sum(p <= alpha for p in least)
        assert alarms <= stats.binom.ppf(0.999, 2000, alpha)
    alarmed = sum(any(job.verdict == "regression" for job in jobs) for jobs in nights)
    assert alarmed == sum(p <= 0.01 for p in least)


@pytest.mark.parametrize("accuracy", [0.9, 0.97, 0.999])
def test_a_drop_of_two_points_on_ten_thousand_examples_is_found(accuracy):
    """In one of five jobs, with the corrections for all: in more than 99 of 100 nights."""
    rng = np.random.default_rng(2)
    nights = [nightly(rng, 1, [accuracy], 0.02) + nightly(rng, 4, [0.9] * 4, 0.0) for _ in range(500)]
    assert sum(judge_together(jobs)[0].verdict == "regression" for jobs in nights) > 0.99 * 500


def test_the_comparison_survives_json(sides):
    found = sides([of("a", right_and_wrong(1000, []))], [of("a", right_and_wrong(1000, range(30)))])
    assert json.loads(found.to_json())["jobs"][0]["metrics"][0]["test"] == "exact McNemar"
