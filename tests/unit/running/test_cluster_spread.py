"""Evaluation by several processes, here threads that add up what they exchange."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from job.evaluation import forecast_evaluation, timed_decoding
from job.evaluation.timed_decoding import ALONE, decode_spread, decode_timed
from job.problems.base import Windows
from job.problems.windows import Series
from job.process.stopping import Request, Stop, Stopped
from job.running.cluster_spread import ClusterSpread
from job.running.forecast_evaluator import ForecastEvaluator
from job.training.agreement import Agreement

GENERATOR = np.random.default_rng(3)
SOURCE = np.where(np.arange(12) < GENERATOR.integers(1, 13, (23, 1)), GENERATOR.integers(1, 9, (23, 12)), 0)


class Together(Agreement):
    """One of several threads."""

    def __init__(self, rank, barrier, given):
        self.rank, self.processes, self.is_chief = rank, barrier.parties, rank == 0
        self.barrier, self.given = barrier, given

    def total(self, values, seconds):
        assert seconds >= 60
        self.given[self.rank] = values
        self.barrier.wait(timeout=20)
        found = sum(self.given)
        self.barrier.wait(timeout=20)
        return found


def in_threads(number, work, stopped=None):
    """Return what `work` returns or raises in each of several processes, called with a `Spread`."""
    barrier, given, found = threading.Barrier(number), [None] * number, [None] * number

    def run(rank):
        stop = Stop()
        if rank == stopped:
            stop.ask(Request("SIGTERM", 143))
        try:
            found[rank] = work(ClusterSpread(Together(rank, barrier, given), stop))
        except Stopped as error:
            found[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return found


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(timed_decoding, "PART_SIZE", 4)
    monkeypatch.setattr(forecast_evaluation, "PART_SIZE", 4)


def reversed_rows(source):
    return np.ascontiguousarray(source[:, ::-1]).astype(np.int32)


@pytest.mark.parametrize("number", [2, 3, 7])
def test_the_chief_has_all_rows_in_order_and_each_process_decodes_its_share(number):
    decoded = []

    def decode(source):
        decoded.append(len(source))
        return reversed_rows(source)

    chief, *members = in_threads(number, lambda spread: decode_spread(decode, SOURCE, spread))
    assert sum(decoded) == len(SOURCE)
    assert np.array_equal(chief, decode_spread(reversed_rows, SOURCE, ALONE))
    assert chief.dtype == np.int32
    assert all(not len(rows) for rows in members)


def test_fewer_parts_than_processes():
    chief, *_ = in_threads(5, lambda spread: decode_spread(reversed_rows, SOURCE[:1], spread))
    assert np.array_equal(chief, reversed_rows(SOURCE[:1]))


def test_floats_keep_every_bit():
    values = GENERATOR.normal(size=(23, 3)) * 1e-300
    values[0], values[-1, 1] = -0.0, np.nan
    parts = [np.arange(first, min(first + 5, 23)) for first in range(0, 23, 5)]

    def work(spread):
        rounds = spread.rounds(parts, lambda part: values[part])
        return [rows for found in rounds for rows in found]

    chief, *_ = in_threads(2, work)
    assert np.concatenate(chief).tobytes() == values.tobytes()


def test_all_stop_if_one_of_them_is_asked_to():
    found = in_threads(3, lambda spread: decode_spread(reversed_rows, SOURCE, spread), stopped=1)
    assert [type(each) for each in found] == [Stopped] * 3
    assert found[1].request.cause == "SIGTERM"
    assert {each.request.exit_code for each in found} == {143}


class Model:
    def __init__(self, seed):
        generator = np.random.default_rng(seed)
        self.weights = [
            generator.normal(size=(3, 5)).astype("float32"),
            np.arange(seed, seed + 3, dtype="uint8"),
        ]

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def test_all_decode_with_the_weights_of_the_chief():
    def work(spread):
        model = Model(seed=spread.agreement.rank)
        spread.share_weights([model])
        return model.weights

    for weights in in_threads(3, work):
        for found, wanted in zip(weights, Model(seed=0).weights, strict=True):
            assert found.dtype == wanted.dtype
            assert np.array_equal(found, wanted)


def test_the_speed_of_a_cluster_is_that_of_all_its_processes():
    same_length = np.ones((16, 3), np.int32)
    found, _ = in_threads(2, lambda spread: decode_timed(reversed_rows, same_length, spread))
    assert len(found.speeds) == 2
    assert min(found.speeds) >= 8 / found.seconds


def forecast_evaluator(spread):
    """An evaluation of forecasts by a model whose weights are the number of the process."""
    model = Model(seed=spread.agreement.rank if spread.processes > 1 else 0)
    columns = {"columns": ("y",), "unit": "", "centers": (0.0,), "scales": (1.0,), "decimals": 17}
    series = Series(source_length=2, target_length=3, logarithm=False, differencing=0, **columns)
    history, future = np.arange(42).reshape(21, 2, 1) / 7, np.ones((21, 3))
    test, validation = (
        Windows(series.sources(h), series.targets(h, f), h, f)
        for h, f in ((history, future), (history[:9], future[:9]))
    )
    forecaster = SimpleNamespace(
        series=series, encoder=model, decoder=model,
        forecast=lambda given: given[:, -1, :1] * float(model.weights[0][0, 0]) + np.arange(3.0),
    )  # fmt: skip
    return ForecastEvaluator(model=forecaster, test=test, validation=validation, spread=spread)


def test_forecasts_are_spread_too():
    def work(spread):
        evaluator = forecast_evaluator(spread)
        return evaluator.evaluate(1) if spread.agreement.is_chief else evaluator.take_part()

    found, *_ = in_threads(3, work)
    alone = forecast_evaluator(ALONE).evaluate(1)
    assert found.predictions == alone.predictions
    assert found.metrics == alone.metrics
    assert found.validation == alone.validation
