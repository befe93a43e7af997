import pytest

from benchmarks.comparison import OWN, Target, check_parameters, hold, medians, slope
from benchmarks.targets import SHAPES, TARGETS


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_slope_of_a_power_law_is_its_exponent(exponent):
    x = [10, 100, 500, 10_000]
    assert slope(x, [3 * value**exponent for value in x]) == pytest.approx(exponent, abs=1e-12)


def test_slope_is_of_least_squares():
    # logarithms to base 10: (0, 0), (1, 0), (2, 2) -> covariance 2 over variance 2
    assert slope([1, 10, 100], [1, 1, 100]) == pytest.approx(1.0)


def test_slope_takes_two_different_x():
    with pytest.raises(ValueError, match="two different x"):
        slope([5, 5], [1, 2])


def test_medians_are_taken_figure_by_figure():
    runs = [{"a": 1.0, "b": 9.0}, {"a": 3.0, "b": 7.0}, {"a": 2.0, "b": 8.0}]
    assert medians(runs) == {"a": 2.0, "b": 8.0}


def test_median_of_what_was_not_measured_is_none():
    assert medians([{"a": None}, {"a": 1.0}]) == {"a": None}


def test_medians_of_unlike_runs_are_refused():
    with pytest.raises(ValueError, match="different figures"):
        medians([{"a": 1.0}, {"b": 1.0}])


def test_second_bias_of_pytorch_is_no_other_model():
    rows = {OWN: {"parameters": 100}, "PyTorch": {"parameters": 108}}
    check_parameters(rows, second_biases=8)
    with pytest.raises(ValueError, match="differ in their parameters"):
        check_parameters(rows, second_biases=4)


@pytest.mark.parametrize(
    ("at_least", "value", "met"),
    [(True, 2.0, True), (True, 1.9, False), (False, 2.0, True), (False, 2.1, False)],
)
def test_target_is_met_at_its_bound(at_least, value, met):
    target = Target(number=1, text="", bound=2.0, at_least=at_least, value=lambda _: value)
    (outcome,) = hold([target], {})
    assert (outcome.value, outcome.met) == (value, met)


def test_target_of_a_part_that_was_left_out_is_neither_met_nor_missed():
    assert {outcome.met for outcome in hold(TARGETS, {})} == {None}


def test_every_target_finds_its_figure():
    outcomes = hold(TARGETS, _parts())
    assert [outcome.value for outcome in outcomes] == pytest.approx(
        [2.0] * 6
        + [4.0, 1.5]
        + [3.0, 1.5, 0.5] * 6
        + [0.1, 0.25, 400, 0.9995]
        + [0.4, 1.2]
        + [7.0, 1.1]
        + [0.99, 0.9, -0.4, 1.02]
        + [0.1, 0.5, 7, 6]
    )
    assert all(outcome.met for outcome in outcomes)


def test_each_target_of_the_project_is_held():
    assert {target.number for target in TARGETS} == {1, 2, 3, 4, 5, 6}


def _parts():
    own = {
        "wall_seconds": 6.0,
        "peak_tree_rss_bytes": 400e6,
        "sequence_accuracy": 0.9995,
        "examples_per_second": 40_000,
        "greedy_per_second": 30_000,
        "beam_per_second": 15_000,
    }
    program = {"wall_seconds": 60.0, "peak_tree_rss_bytes": 1600e6}
    pytorch = {"examples_per_second": 20_000, "greedy_per_second": 10_000, "beam_per_second": 10_000}
    rows = {OWN: own, "PyTorch": pytorch, "plain Keras": {"examples_per_second": 10_000}}
    points = [{"x": 100_000, "peak_tree_rss_bytes": 100}, {"x": 10_000_000, "peak_tree_rss_bytes": 102}]
    return {
        "tutorial": {OWN: own, "tutorial's program": program},
        "peers": dict.fromkeys(SHAPES, rows),
        "yoyodyne": {OWN: {"wall_seconds": 6.0}, "yoyodyne": {"wall_seconds": 42.0}},
        "two_workers": {"over_ceiling": 1.1},
        "pair": {OWN: {"examples_per_second": 60}, "PyTorch": {"examples_per_second": 40}},
        "examples": {"tutorial": {"slope": 0.99}, "small": {"points": points}},
        "series": {"length": {"slope": 0.9}, "units": {"slope": 1.2, "floor_slope": 1.6}},
        "jobs": {"one_shape": {"further_job_seconds": 0.4}, "other_shapes": {"further_job_seconds": 1.2}},
        "commands": {"help": 0.1, "validate": 0.5, "trend": 7, "report": 6},
    }
