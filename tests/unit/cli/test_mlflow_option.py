"""`--mlflow`: what it needs before anything is trained, and that it never changes the exit code."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Verdict

URI = "http://127.0.0.1:5000"


@pytest.fixture
def batch(monkeypatch):
    """A batch that ends with the exit code it is told to; counts how often it was run."""
    from job.cli import run_and_log

    given = {"exit_code": 0, "run": 0}

    def run_batch(plan, output, directory, log, options):
        given["run"] += 1
        now = datetime.now(timezone.utc)
        report = build_report([], started_at=now, finished_at=now, verdict=Verdict(given["exit_code"], ()))
        write_reports(output, report)
        return report

    @contextmanager
    def followed(output):
        given["followed"] = (output.root, given["run"])
        yield

    monkeypatch.setattr(run_and_log, "run_batch", run_batch)
    monkeypatch.setattr(run_and_log, "followed_by_mlflow", followed)
    return given


@pytest.fixture
def client(monkeypatch):
    """A process of the client that fails as it is told to; keeps what it was started with."""
    from job.tracking import mlflow_process

    started, answer = [], [""]

    def run_hook(command, text, environment, timeout):
        started.append((command, environment))
        return answer[0]

    monkeypatch.setattr(mlflow_process, "installed", lambda package: "3.17")
    monkeypatch.setattr(mlflow_process, "run_hook", run_hook)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", URI)
    return started, answer


def test_without_the_package_nothing_is_trained(command, batch, client, monkeypatch):
    from job.tracking import mlflow_process

    monkeypatch.setattr(mlflow_process, "installed", lambda package: None)
    code, _, err = command("--mlflow")
    assert (code, batch["run"]) == (2, 0)
    assert "pip install seq2seq-job[mlflow]" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("value", [None, " "])
def test_without_the_address_of_a_server_nothing_is_trained(command, batch, client, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", value)
    code, _, err = command("--mlflow")
    assert (code, batch["run"]) == (2, 0)
    assert "set MLFLOW_TRACKING_URI" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("exit_code", [0, 1, 3])
def test_a_batch_is_logged_after_its_reports_whatever_its_verdict(command, batch, client, here, exit_code):
    started, _ = client
    batch["exit_code"] = exit_code
    code, _, err = command("--mlflow")
    assert code == exit_code
    assert batch["followed"] == (Path("output"), 0)  # from before the first job
    assert "warning" not in err
    ((line, environment),) = started
    assert str(here / "output") in line
    assert environment["MLFLOW_TRACKING_URI"] == URI
    assert float(environment["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 10


def test_the_users_own_limits_are_kept(command, batch, client, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    command("--mlflow")
    assert client[0][0][1]["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


def test_a_failure_is_one_line_and_changes_nothing(command, batch, client):
    _, answer = client
    answer[0] = "ended with exit code 1: no answer"
    code, _, err = command("--mlflow")
    assert code == 0
    (line,) = [line for line in err.splitlines() if "MLflow" in line]
    assert line.startswith(
        "warning: not all is logged to MLflow: its client ended with exit code 1: no answer"
    )


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_batch_ends_at_once(command, batch, client, number):
    batch["exit_code"] = 128 + number
    code, _, err = command("--mlflow")
    assert code == 128 + number
    assert client[0] == []
    assert "the run that resumes it does that" in err


def test_without_the_option_nothing_is_logged(command, batch, client):
    assert command()[0] == 0
    assert client[0] == []
    assert "followed" not in batch
