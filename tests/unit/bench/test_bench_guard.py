"""Ratios to the peers beside those of a checked-in result."""

import io
import json

import pytest
from rich.console import Console

from benchmarks import guard
from benchmarks.comparison import OWN

MACHINE = {"processor": "AMD EPYC (TM) 9", "cores": 2}


def parts(own=20_000.0, seconds=6.0):
    pytorch = {"examples_per_second": 10_000.0, "beam_per_second": None, "wall_seconds": 12.0}
    ours = {"examples_per_second": own, "beam_per_second": 5.0, "wall_seconds": seconds}
    return {"peers": {"long": {OWN: ours, "PyTorch": pytorch}}}


@pytest.fixture
def printed(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "REFERENCES", tmp_path)

    def run(now, then=None):
        record = {"machine": MACHINE, "parts": now, "versions": {"seq2seq-job": "0.2.0"}}
        if then is not None:
            guard.reference_file(MACHINE).write_text(json.dumps({**record, "parts": then}))
        text = io.StringIO()
        guard.print_changes(record, Console(file=text, width=110))
        return text.getvalue()

    return run


def test_a_rate_is_over_the_peers_and_a_cost_under_it():
    assert guard.ratios(parts()) == {
        "peers, long: training, PyTorch": 2.0,
        "peers, long: wall time, PyTorch": 2.0,
    }


def test_what_got_slower_is_named_with_both_ratios(printed):
    said = printed(parts(own=15_000.0), then=parts())
    assert said.startswith(
        "1 of 2 ratios to the peers are lower by more than 15% than in amd-epyc-tm-9-2-cores.json"
    )
    assert "peers, long: training, PyTorch   2.00   1.50     -25%" in said


def test_a_command_that_takes_longer_is_slower(printed):
    assert "wall time, PyTorch   2.00   1.00     -50%" in printed(parts(seconds=12.0), then=parts())


def test_noise_is_not_reported(printed):
    said = printed(parts(own=17_500.0), then=parts())
    assert said.startswith("0 of 2 ratios")
    assert "training" not in said


def test_a_faster_peer_is_not_hidden_by_a_faster_machine(printed):
    now = parts(own=40_000.0)
    now["peers"]["long"]["PyTorch"]["examples_per_second"] = 40_000.0
    assert "training, PyTorch   2.00   1.00     -50%" in printed(now, then=parts())


def test_parts_that_only_one_result_has_are_left_out(printed):
    assert printed({}, then=parts()).startswith("0 of 0 ratios")


def test_another_kind_of_machine_has_no_reference(printed):
    said = printed(parts())
    assert "no checked-in result of this kind of machine" in said
    assert "amd-epyc-tm-9-2-cores.json" in said
