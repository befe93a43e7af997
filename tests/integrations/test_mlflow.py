"""`--mlflow` against a real MLflow server with its SQLite, on the loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from processes import children, ended, start, wait_until
from recording import a_run, leave, right_and_wrong

import job
from job.results.batch_report import Report
from job.results.job_result import GateOutcome
from job.storage.artifacts import OutputPaths
from job.tracking.live_runs import LiveJob, LiveRuns
from job.tracking.mlflow_batch import BATCH_TAG, EXPERIMENT
from job.tracking.mlflow_process import log_to_mlflow
from job.tracking.mlflow_runs import COMPLETE_TAG, MlflowRuns
from job.tracking.run_content import LIVE_TAG, RESULT_TAG, result_id

SPEC = """\
version: 1
jobs:
  - name: copy
    problem: {kind: copy, source_length: 2, cardinality: 6}
    model: {units: 8}
    training: {examples: 320, batch_size: 32, epochs: 2}
    evaluation: {examples: 20, validation_examples: 10}
    gate: {min_sequence_accuracy: 1.0, max_edit_rate: 9}
"""
LONG = {
    "source_length: 2": "source_length: 10",
    "units: 8": "units: 64",
    "examples: 320, batch_size: 32, epochs: 2": "examples: 512, batch_size: 512, epochs: 200",
}
"""What makes the training take seconds, with a row of history for each epoch."""

PATIENCE = 120


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a tracking server."""
    place, port = tmp_path_factory.mktemp("server"), free_port()
    command = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    stores = ["--backend-store-uri", f"sqlite:///{place}/runs.db", "--artifacts-destination", place / "files"]
    # without the seven processes of its own jobs, which take a minute to start
    switches = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [*map(str, [*command, *stores, "--workers", "1"])],
            cwd=place,
            env={**os.environ, **switches},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
    try:
        while not answers(address):
            assert process.poll() is None, (place / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(address):
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def client(server, monkeypatch):
    """A client of the server, which is also that of the command."""
    from mlflow.tracking import MlflowClient

    for name in [*os.environ]:
        if name.startswith(("SEQ2SEQ_JOB_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return MlflowClient(server)


def all_runs(client, output, experiment=EXPERIMENT):
    """Return the runs of the batch in an output directory; none before the first is created."""
    place = client.get_experiment_by_name(experiment)
    if place is None or not (output / "mlflow.json").exists():
        return []
    number = json.loads((output / "mlflow.json").read_text())["batch"]
    return [*client.search_runs([place.experiment_id], f"tags.`{BATCH_TAG}` = '{number}'")]


def runs_of(client, output, experiment=EXPERIMENT):
    """Return the run of the batch in an output directory, and those of its jobs by name."""
    found = all_runs(client, output, experiment)
    (batch,) = [run for run in found if not {RESULT_TAG, LIVE_TAG} & run.data.tags.keys()]
    jobs = {run.info.run_name: run for run in found if run is not batch}
    assert len(jobs) == len(found) - 1
    return batch, jobs


def below(client, place, parent):
    """Return the runs below a run by name, each once."""
    found = [*client.search_runs([place], f"tags.`mlflow.parentRunId` = '{parent}'")]
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def files_of(client, run, folder=None):
    for file in client.list_artifacts(run.info.run_id, folder):
        if file.is_dir:
            yield from files_of(client, run, file.path)
        else:
            yield file.path


def log(output):
    """Log a batch in this process, as the command does in one of its own."""
    paths = OutputPaths(output)
    MlflowRuns(paths).log(Report.from_json(paths.report.read_bytes()))


@pytest.fixture
def output(tmp_path):
    jobs = [a_run(name, right_and_wrong(20, [number])) for number, name in enumerate(("a", "b"))]
    return leave(tmp_path / "output", jobs)


def worker_of(process):
    """Return the id of the process that trains."""
    commands = {child: Path(f"/proc/{child}/cmdline").read_text() for child in children(process.pid)}
    (found,) = [child for child, command in commands.items() if "serve(" in command]
    return found


def test_the_command_logs_what_it_trains_and_once_only(client, tmp_path):
    """While it trains, also after a stop in the middle of a training, and at the end."""
    spec = SPEC
    for short, long in LONG.items():
        spec = spec.replace(short, long)
    (tmp_path / "jobs.yaml").write_text(spec)
    environment = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    command = [sys.executable, "-m", "job", "--mlflow", "--workers", "1"]

    def run():
        given = {"cwd": tmp_path, "env": environment, "timeout": PATIENCE}
        ended = subprocess.run(command, **given, check=False, capture_output=True, text=True)
        assert "warning" not in ended.stderr
        return ended.returncode

    output = tmp_path / "output"
    with start("--mlflow", "--workers", "1", cwd=tmp_path) as process:
        wait_until((output / "jobs/copy/live_history.json").exists, process)
        worker = worker_of(process)
        os.kill(worker, signal.SIGSTOP)  # the training shall not end before the client is loaded
        (live,) = wait_until(lambda: [run for run in all_runs(client, output) if run.data.metrics], process)
        process.terminate()
        os.kill(worker, signal.SIGCONT)
        assert ended(process)[0] == 143
    assert live.info.status == "RUNNING"
    assert live.data.params["problem.kind"] == "copy"
    assert client.get_run(live.info.run_id).info.status == "KILLED"

    assert run() == 3
    batch, jobs = runs_of(client, tmp_path / "output")
    assert jobs["copy"].info.run_id == live.info.run_id
    assert LIVE_TAG not in jobs["copy"].data.tags
    assert batch.info.status == "FAILED"
    assert batch.data.tags["seq2seq_job.exit_code"] == "3"
    assert {"report.html", "report.json", "junit.xml"} <= set(files_of(client, batch))
    (copy,) = jobs.values()
    assert copy.info.status == "FINISHED"
    assert copy.data.tags["mlflow.parentRunId"] == batch.info.run_id
    assert copy.data.tags["seq2seq_job.verdict"] == "gate_failed"
    assert copy.data.tags["seq2seq_job.gate.edit_rate"].startswith("passed")
    assert (copy.data.params["problem.kind"], copy.data.params["training.epochs"]) == ("copy", "200")
    recorded = json.loads((tmp_path / "output/jobs/copy/result.json").read_text())
    assert copy.data.metrics["test.sequence_accuracy"] == recorded["metrics"]["sequence_accuracy"]
    losses = client.get_metric_history(copy.info.run_id, "history.loss")
    assert [(loss.step, loss.value) for loss in losses] == [
        *zip(recorded["history"]["step"], recorded["history"]["loss"], strict=True)
    ]
    assert len(client.get_metric_history(copy.info.run_id, "history.val_loss")) == 200
    assert recorded["data"]["resumed_from_step"]
    files = {"result.json", "spec.yaml", "environment.json", "model/README.md", "model/train.keras"}
    assert files <= set(files_of(client, copy))

    assert run() == 3
    again, same = runs_of(client, tmp_path / "output")
    assert (again.info.run_id, same["copy"].info.run_id) == (batch.info.run_id, copy.info.run_id)
    assert len(client.get_metric_history(copy.info.run_id, "history.loss")) == len(losses)

    (tmp_path / "jobs.yaml").write_text(spec.replace("{min_sequence_accuracy: 1.0, max_edit_rate: 9}", "{}"))
    assert run() == 0
    batch, jobs = runs_of(client, tmp_path / "output")
    assert batch.info.status == "FINISHED"
    assert jobs["copy"].info.run_id == copy.info.run_id
    assert jobs["copy"].data.tags["seq2seq_job.verdict"] == "no gates"
    assert not any(tag.startswith("seq2seq_job.gate.") for tag in jobs["copy"].data.tags)


def test_the_commands_of_the_document(client, server, tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC[: SPEC.index("    gate:")])
    page = (Path(__file__).parents[2] / "docs" / "trackers.md").read_text("utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    install, *commands = block.replace("http://mlflow.example.org:5000", server).splitlines()
    assert install == 'pip install "seq2seq-job[mlflow]"'
    (tmp_path / "seq2seq-job").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m job "$@"\n')
    (tmp_path / "seq2seq-job").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(job.__file__).parents[1]),
    }
    del environment["MLFLOW_TRACKING_URI"]
    script = ["sh", "-ec", "\n".join(commands)]
    ended = subprocess.run(script, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    batch, jobs = runs_of(client, tmp_path / "output")
    assert batch.info.status == "FINISHED"
    assert [*jobs] == ["copy"]


def test_a_run_that_was_not_completed_is_replaced(client, output):
    log(output)
    batch, before = runs_of(client, output)
    client.delete_tag(before["a"].info.run_id, COMPLETE_TAG)
    log(output)
    again, after = runs_of(client, output)
    assert again.info.run_id == batch.info.run_id
    assert after["b"].info.run_id == before["b"].info.run_id
    assert after["a"].info.run_id != before["a"].info.run_id
    assert after["a"].data.metrics == before["a"].data.metrics


def test_a_training_that_was_resumed_for_another_evaluation_is_logged(client, output):
    paths = OutputPaths(output)
    (result, _) = Report.from_json(paths.report.read_bytes()).jobs
    spec = {**result.spec, "evaluation": {**result.spec.get("evaluation", {}), "examples": 987}}
    live = LiveRuns(paths)
    live.send(
        LiveJob(
            name="a", training=result.training_fingerprint, history={"step": [1], "loss": [2.0]}, spec=spec
        )
    )
    log(output)
    _, jobs = runs_of(client, output)
    assert sorted(jobs) == ["a", "b"]
    assert COMPLETE_TAG in jobs["a"].data.tags
    assert jobs["a"].data.params.get("evaluation.examples") != "987"


def test_a_new_result_is_a_new_run_beside_the_old_one(client, output):
    log(output)
    _, before = runs_of(client, output)
    jobs = [a_run("a", right_and_wrong(20, [0, 1, 2])), a_run("b", right_and_wrong(20, [1]))]
    number = (output / "mlflow.json").read_bytes()
    shutil.rmtree(output)
    leave(output, jobs)
    (output / "mlflow.json").write_bytes(number)
    log(output)
    found = client.search_runs([before["a"].info.experiment_id], f"tags.`{BATCH_TAG}` != ''")
    mine = [run for run in found if run.data.tags[BATCH_TAG] == json.loads(number)["batch"]]
    assert sorted(run.info.run_name for run in mine if RESULT_TAG in run.data.tags) == ["a", "a", "b"]


def test_processes_that_share_a_directory_share_the_run_of_the_batch(client, output):
    program = "import sys; from job.tracking.mlflow_program import main; sys.exit(main(sys.argv[1], ''))"
    command = [sys.executable, "-c", program, str(output)]
    environment = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    processes = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0]
    _, jobs = runs_of(client, output)
    assert jobs.keys() == {"a", "b"}


def test_the_batch_of_a_shard_fails_as_long_as_another_shard_does(client, output):
    report = Report.from_json((output / "report.json").read_bytes())
    for label, code in (("1-of-2", 3), ("2-of-2", 0)):
        shard = OutputPaths(output, label)
        given = replace(report, exit_code=code, verdict=replace(report.verdict, exit_code=code))
        MlflowRuns(shard).log(given)
    batch, _ = runs_of(client, output)
    assert batch.info.status == "FAILED"
    assert batch.data.tags["seq2seq_job.exit_code.1-of-2"] == "3"
    MlflowRuns(OutputPaths(output, "1-of-2")).log(report)
    assert runs_of(client, output)[0].info.status == "FINISHED"


def test_the_run_and_the_experiment_of_the_environment_are_used(client, output, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "nightly")
    log(output)
    batch, _ = runs_of(client, output, "nightly")
    assert batch.info.status == "FINISHED"

    place = client.create_experiment("shards on many machines")
    shared = client.create_run(place).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", shared)
    log(output)
    batch, jobs = runs_of(client, output, "shards on many machines")
    assert batch.info.run_id == shared
    assert batch.info.status == "RUNNING"  # whoever made it ends it
    assert {run.data.tags["mlflow.parentRunId"] for run in jobs.values()} == {shared}
    (output / "mlflow.json").unlink()  # a machine with an empty disk, or with another part of the batch
    log(output)
    assert {name: run.info.run_id for name, run in below(client, place, shared).items()} == {
        name: run.info.run_id for name, run in jobs.items()
    }


def test_a_verdict_that_changed_is_that_of_the_known_run(client, output):
    log(output)
    report = Report.from_json((output / "report.json").read_bytes())
    gate = GateOutcome("sequence_accuracy", 0.99, 0.95, False)
    first = replace(report.jobs[0], status="gate_failed", gates=(gate,), judged=True)
    assert result_id(first) == result_id(report.jobs[0])
    MlflowRuns(OutputPaths(output)).log(replace(report, jobs=(first, *report.jobs[1:])))
    _, jobs = runs_of(client, output)
    assert jobs["a"].data.tags["seq2seq_job.gate.sequence_accuracy"].startswith("failed: 0.95")


def test_a_server_that_is_down_is_reported_in_one_line_without_its_password(client, output, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
    began = time.monotonic()
    problem = log_to_mlflow(OutputPaths(output))
    assert time.monotonic() - began < 60
    assert problem.startswith("ended with exit code 1: http://127.0.0.1:")
    assert "secret" not in problem
    assert "\n" not in problem


def test_reports_that_cannot_be_read_are_reported(client, output):
    (output / "report.json").write_text("{")
    assert log_to_mlflow(OutputPaths(output)).startswith("ended with exit code 1: ")
