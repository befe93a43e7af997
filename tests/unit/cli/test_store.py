"""The option `--store`: refused before training, uploaded at the end, and what the exit code then is."""

import json
from datetime import datetime, timezone

import pytest
from stores import FlakyFiles, flaky_store

from job.process.stopping import Request, Stopped
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Verdict
from job.storage import mirror_thread, remote_files, store_address

URL = "memory://run"


@pytest.fixture
def files(monkeypatch):
    """The store that every run of a test meets."""
    files = FlakyFiles()

    def open_store(address):
        remote, _ = flaky_store(files)
        remote.waits = ()
        remote.check()
        return remote

    monkeypatch.setattr(remote_files, "open_store", open_store)
    monkeypatch.setattr(mirror_thread, "MAX_ROUNDS", 1)
    return files


@pytest.fixture
def batch(monkeypatch):
    """A batch that writes its reports and does nothing else; `codes` has the exit codes to end with."""
    from job.cli import run_and_log

    codes, during = [], []

    def run_batch(plan, output, directory, log, options):
        for act in during:
            act(output)
        reasons = tuple(options.flush_store())
        code = codes.pop() if codes else 1 if reasons else 0
        now = datetime.now(timezone.utc)
        report = build_report([], started_at=now, finished_at=now, verdict=Verdict(code, reasons))
        write_reports(output, report)
        return report

    monkeypatch.setattr(run_and_log, "run_batch", run_batch)
    run_batch.codes, run_batch.during = codes, during
    return run_batch


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--store", "output"], "'output' is not the URL of a store; expected s3://BUCKET/PATH"),
        (["--store", "s3://key:secret@bucket"], "'s3://***@bucket' has more than bucket and path"),
        (["--store", "file:///proc/self/nothing"], "file:///proc/self/nothing/.probe-"),
        (["report", "x", "--store", "output"], "'output' is not the URL of a store"),
        (["--cluster", "localhost:2", "--store", URL], "--store: not with --cluster, whose processes"),
    ],
)
def test_what_cannot_work_is_one_sentence_before_training(command, batch, monkeypatch, arguments, sentence):
    monkeypatch.setattr(remote_files, "WAITS", ())
    batch.during.append(lambda output: pytest.fail("it was run"))
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert sum(sentence in line for line in err.splitlines()) == 1
    assert "secret" not in err
    assert "Traceback" not in err


def test_a_missing_extra_is_one_sentence_before_training(command, batch, monkeypatch):
    monkeypatch.setattr(store_address, "find_spec", lambda name: None)
    code, _, err = command("--store", "gs://bucket/run")
    assert code == 2
    assert err.splitlines() == [
        "error: gs:// needs the package gcsfs, which is not installed: pip install 'seq2seq-job[gcs]'"
    ]


def test_a_store_that_cannot_be_reached_ends_the_run_before_training(command, batch, files):
    files.faults["write"] = ["error"]
    batch.during.append(lambda output: pytest.fail("it was run"))
    code, _, err = command("--store", URL)
    assert code == 2
    assert "cannot be written: Connection reset by peer" in err


def test_nodes_need_a_store_with_conditional_writes(command, batch, files):
    batch.during.append(lambda output: pytest.fail("it was run"))
    code, _, err = command("--queue", "--store", URL)
    assert code == 2
    (line,) = err.splitlines()
    assert "has no conditional writes, so the nodes of --queue cannot meet there: expected s3://" in line


def test_reports_are_uploaded_and_an_empty_directory_gets_them_back(command, here, batch, files):
    assert command("--store", URL)[0] == 0
    found = files.contents()
    for name in ("report.json", "report.html", "report.md", "junit.xml", "metrics.prom", "plan.json"):
        assert found[name] == (here / "output" / name).read_bytes()
    batch.during.append(lambda output: seen.append(output.root.joinpath("report.md").read_bytes()))
    seen = []
    assert command("--store", URL, "--output-dir", "other")[0] == 0
    assert seen == [found["report.md"]]


def test_a_variable_names_the_store(command, batch, files, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_JOB_STORE", URL)
    assert command()[0] == 0
    assert "report.json" in files.contents()


def test_what_is_not_uploaded_while_it_runs_fails_the_batch_and_its_report_says_so(
    command, here, batch, files
):
    batch.during.append(lambda output: files.faults.update(write=["denied"] * 1000))
    code, _, err = command("--store", URL)
    assert code == 1
    assert "error: not uploaded: " in err
    assert "Access Denied" in err
    report = json.loads((here / "output" / "report.json").read_text())
    assert report["exit_code"] == 1
    assert "not uploaded: " in report["verdict"]["reasons"][0]


@pytest.mark.parametrize(("own", "ends_with"), [(0, 1), (3, 3)])
def test_reports_that_are_not_uploaded_are_exit_code_1_unless_the_batch_has_a_worse_one(
    command, batch, files, own, ends_with
):
    batch.codes.append(own)
    batch.during.append(lambda output: files.faults.update(write=["denied"] * 1000))
    code, _, err = command("--store", URL)
    assert code == ends_with
    assert "error: not uploaded: " in err


def test_reports_of_an_error_take_the_place_of_those_of_an_earlier_run(command, here, batch, files):
    assert command("--store", URL)[0] == 0
    before = files.contents()["report.json"]
    code, *_ = command("--store", URL, "--baseline", "none")
    assert code == 4
    after = json.loads(files.contents()["report.json"])
    assert files.contents()["report.json"] != before
    assert after["exit_code"] == 4


def test_a_second_signal_ends_the_run_without_more_uploads(command, batch, files):
    def stopped(output):
        (output.root / "report.json").write_text("{}")
        raise Stopped(Request("SIGTERM", 143))

    batch.during.append(stopped)
    assert command("--store", URL)[0] == 143
    assert "report.json" not in files.contents()


def test_report_fetches_the_results_and_uploads_the_reports(command, here, batch, files):
    assert command("--store", URL)[0] == 0
    (here / "output").rename(here / "gone")
    code, out, _ = command("report", "merged", "--store", URL)
    assert code == 1  # the batch above has trained nothing
    assert "tiny" in out
    found = files.contents()
    assert found["report.json"] == (here / "merged" / "report.json").read_bytes()
    assert json.loads(found["report.json"])["missing"] == ["tiny", "sums-digits-1", "sums-digits-2"]
