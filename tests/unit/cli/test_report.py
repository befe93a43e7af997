"""`seq2seq-job report` in this process: the test can be hidden from people."""

import json

import pytest
from in_process import run_in_process
from recording import a_job, leave, right_and_wrong, validated


@pytest.fixture
def report(tmp_path, monkeypatch, capsys):
    """Leave a job with a test accuracy of 61.8 % and a validation accuracy of 75 %; run `report`."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    test, validation = right_and_wrong(1000, range(382)), right_and_wrong(40, range(10), offset=5000)
    job = a_job("small", test, validation=validated(validation), gate={"min_sequence_accuracy": 0.7})
    leave(tmp_path / "output", [(job, test)], plan=["small"], validation={"small": validation})

    def run(*options):
        return run_in_process("report", "output", *options), *capsys.readouterr()

    return run


def test_the_test_is_hidden_from_people_and_not_from_programs(report, tmp_path):
    code, out, _ = report("--hide-test")
    pages = [(tmp_path / "output" / name).read_text("utf-8") for name in ("report.html", "report.md")]
    assert code == 3
    for text in (out, *pages):
        assert "75.00 %" in text
        assert "61.8" not in text
        assert "the test is hidden, so that variants are chosen by validation" in text
    (job,) = json.loads((tmp_path / "output" / "report.json").read_text("utf-8"))["jobs"]
    assert (job["metrics"]["sequence_accuracy"], job["status"]) == (0.618, "gate_failed")


def test_without_the_option_both_are_shown(report, tmp_path):
    code, out, err = report()
    page = (tmp_path / "output" / "report.md").read_text("utf-8")
    assert code == 3
    assert "61.80 %" in out
    assert "| 61.80 % | 75.00 % |" in page
    assert "hidden" not in out + err + page
