"""The cost of a training step by several machines: exact cases, and two real processes."""

import os

import pytest

from benchmarks.scaling import SETTINGS, Run, Setting, as_markdown, conclusions, measured
from benchmarks.scaling_model import Computation, Network, fit_network, machines_worth, ring_bytes, speedup


def test_a_ring_sends_the_gradients_nearly_twice():
    assert [ring_bytes(1000, n) for n in (1, 2, 4)] == [0, 4000, 6000]
    network = Network(latency=0.5, bandwidth=1000.0)
    assert [network.seconds(1000, n) for n in (1, 2, 4)] == [0, 1 + 4, 3 + 6]


def test_computation_is_the_line_through_what_was_measured():
    line = Computation.fitted([(32, 0.42), (64, 0.74), (128, 1.38)])
    assert (line.fixed, line.per_example) == pytest.approx((0.1, 0.01))
    assert line.seconds(10) == pytest.approx(0.2)
    assert Computation.fitted([(10, 1.0), (20, 3.0)]).fixed == 0  # no step takes less than nothing


def test_a_network_is_found_from_its_exchanges():
    wanted = Network(latency=0.002, bandwidth=1e8)
    points = [(p, n, wanted.seconds(p, n)) for p, n in ((10_000, 2), (10_000, 4), (5_000_000, 2))]
    found = fit_network(points)
    assert (found.latency, found.bandwidth) == pytest.approx((0.002, 1e8))
    assert fit_network([]) is None


def test_the_latency_and_the_bandwidth_that_are_found_are_never_negative():
    falling = fit_network([(1_000, 2, 1.0), (1_000_000, 2, 0.5)])
    assert falling.latency >= 0
    assert falling.bandwidth > 0


def test_how_many_machines_pay():
    """A share of a batch of 64 takes 64 / n seconds, and an exchange nearly 2."""
    computation = Computation(fixed=0, per_example=1)
    slow = Network(latency=0, bandwidth=4.0)  # 2(n-1)/n seconds for a model of one parameter
    assert machines_worth(computation, slow, parameters=1, batch=64) == 33
    assert machines_worth(computation, Network(latency=99, bandwidth=1), parameters=1, batch=64) == 1
    assert machines_worth(computation, Network(latency=0, bandwidth=1e9), parameters=1, batch=64) == 64


def test_the_speedup_of_machines_that_wait_as_long_as_they_compute_is_half():
    network = Network(latency=0, bandwidth=4.0)
    computation = Computation(fixed=1, per_example=0)
    assert speedup(computation, network, parameters=1, batch=8, machines=2) == 1
    assert speedup(computation, network, parameters=1, batch=8, machines=1) == 1


def runs(network, computation, parameters=1_000_000, batch=64):
    found = []
    for setting in SETTINGS:
        size = round(batch * setting.batch) * setting.accumulate
        exchange = network.seconds(parameters, setting.processes)
        seconds = computation.seconds(size / setting.processes) + exchange
        found.append(
            Run(
                shape="made-up", setting=setting, batch=size, parameters=parameters, steps=100,
                step_seconds=seconds, examples_per_second=size / seconds,
                sent_bytes_a_step=ring_bytes(parameters, setting.processes),
            )
        )  # fmt: skip
    return found


def test_the_conclusions_are_those_of_the_costs_behind_the_measurements():
    network, computation = Network(latency=0, bandwidth=2e8), Computation(fixed=0.01, per_example=0.001)
    measurements = runs(network, computation)
    figures = conclusions(measurements)
    assert figures["computation"]["made-up"] == pytest.approx({"fixed": 0.01, "per_example": 0.001})
    assert network.seconds(1_000_000, 2) == pytest.approx(
        Network(**figures["loopback"]).seconds(1_000_000, 2)
    )
    machines = figures["machines"]["made-up"]
    assert machines["1 Gbit/s"]["1"] < machines["10 Gbit/s"]["1"]
    assert machines["1 Gbit/s"]["1"] < machines["1 Gbit/s"]["16"]
    text = as_markdown(measurements, figures)
    assert "| made-up | 1,000,000 | 2 x 1 core | 64 | " in text
    assert "| 4.00 | 4.00 |" in text


@pytest.mark.exhaustive
def test_two_processes_send_what_a_ring_needs(tmp_path):
    job = {
        "name": "", "problem": {"kind": "reverse", "source_length": 3, "cardinality": 8},
        "model": {"units": 64}, "training": {"batch_size": 32},
    }  # fmt: skip
    cores = sorted(os.sched_getaffinity(0))
    two = Setting(processes=2, cores=1)
    run = measured("small", job, two, {"version": 1}, tmp_path / "run", (cores[0], cores[-1]), 1.0)
    assert run.steps > 0
    assert run.sent_bytes_a_step == pytest.approx(ring_bytes(run.parameters, 2), rel=0.25)
