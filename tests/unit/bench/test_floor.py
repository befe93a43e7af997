import pytest

from benchmarks.floor import Rates, Work, measure_rates

TUTORIAL = Work(batch_size=128, source_length=6, target_length=3, units=128, cardinality=51)


def test_parameters_are_those_of_the_model():
    assert TUTORIAL.parameters == 190_899  # what Keras counts


def test_flops_of_one_unit_by_hand():
    # a step: 4 gates times one state, a product and a sum each, 2 steps; one logit of 1 unit;
    # all that three times
    work = Work(batch_size=1, source_length=1, target_length=1, units=1, cardinality=1)
    assert work.flops == 3 * (2 * 4 * 2 + 2)


def test_flops_grow_with_the_square_of_units_and_linearly_with_the_rest():
    wide = Work(batch_size=128, source_length=6, target_length=3, units=1280, cardinality=51)
    long = Work(batch_size=128, source_length=60, target_length=30, units=128, cardinality=51)
    many = Work(batch_size=1280, source_length=6, target_length=3, units=128, cardinality=51)
    assert 90 < wide.flops / TUTORIAL.flops < 100
    assert long.flops == pytest.approx(10 * TUTORIAL.flops)
    assert many.flops == pytest.approx(10 * TUTORIAL.flops)


def test_weights_are_moved_once_a_step_whatever_the_batch():
    none = Work(batch_size=0, source_length=6, target_length=3, units=128, cardinality=51)
    assert none.bytes == 4 * 8 * 190_899
    assert none.flops == 0


def test_floor_is_whichever_takes_longer():
    assert TUTORIAL.seconds(Rates(flops=TUTORIAL.flops / 2, bytes=TUTORIAL.bytes)) == 2.0
    assert TUTORIAL.seconds(Rates(flops=TUTORIAL.flops, bytes=TUTORIAL.bytes / 3)) == 3.0


def test_rates_are_measured(monkeypatch):
    monkeypatch.setattr("benchmarks.floor._SIDE", 64)
    monkeypatch.setattr("benchmarks.floor._COPIED", 1024)
    rates = measure_rates(2)
    assert rates.flops > 0
    assert rates.bytes > 0
