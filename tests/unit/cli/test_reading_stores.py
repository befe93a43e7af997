"""URLs of stores in place of output directories and job directories."""

import json
import time
from datetime import datetime, timezone

import pytest
from recording import a_job, leave, right_and_wrong

from job.batch import job_status
from job.batch.stored_status import status_reader
from job.storage import store_address, stored_heartbeats
from job.storage.artifacts import OutputPaths
from job.storage.mirror import Mirror
from job.storage.remote_files import connect_store
from job.storage.store_address import parse_store
from job.storage.stored_heartbeats import HeartbeatUploads


@pytest.fixture
def batches(here):
    """A batch in a store, which is better than the one in the directory `now`; the URL of the store."""
    url = "memory://before"
    for name, wrong in (("earlier_run", range(10)), ("now", range(9, 40))):
        predictions = right_and_wrong(1000, wrong)
        leave(here / name, [(a_job("a", predictions), predictions)], plan=["a"])
    remote = connect_store(parse_store(url))
    assert Mirror(OutputPaths(here / "earlier_run"), remote, {}).sync() == {}
    yield url
    remote._files.rm(remote._root, recursive=True)


def test_compare_reads_a_store_as_a_directory(command, batches):
    with_store, with_directory = command("compare", batches, "now"), command("compare", "earlier_run", "now")
    assert with_store[0] == 3
    assert with_store[2] == with_directory[2]
    assert with_store[1] == with_directory[1].replace("earlier_run", batches)
    assert command("compare", batches, batches)[0] == 0


def test_a_baseline_can_be_a_store_and_is_only_read(command, here, batches):
    code, _, err = command("report", "now", "--baseline", batches)
    assert code == 3
    record = json.loads((here / "now" / "report.json").read_text())
    assert "seq2seq-job-" not in json.dumps(record["comparison"])
    code, _, err = command("report", "now", "--baseline", batches, "--update-baseline")
    assert code == 2
    assert "a baseline in a store is only read" in err


@pytest.mark.parametrize(
    "arguments", [["--baseline", "memory://none"], ["report", ".", "--baseline", "memory://none"]]
)
def test_a_missing_baseline_is_exit_code_4(command, here, arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (4, "")
    assert err.splitlines() == [
        "error: baseline memory://none holds no output directory; expected what a run with --store left there"
    ]


def test_rank_trend_and_status_read_a_store_as_a_directory(command, here, batches):
    for arguments in (["rank", "--by", "sequence_accuracy"], ["trend"], ["status"]):
        name, *options = arguments
        with_store, with_directory = command(name, batches, *options), command(name, "earlier_run", *options)
        assert with_store[0] == with_directory[0] == 0
        assert with_store[1] == with_directory[1]
        assert with_store[2] == with_directory[2].replace("earlier_run", batches)


def test_trend_reads_every_store_in_a_folder(command, here, batches):
    for hour, name in enumerate(("7/mon", "7/tue", "8/mon")):
        remote = connect_store(parse_store(f"memory://before/nights/{name}"))
        leave(here / name, [(a_job("a"), None)], hour=hour)
        assert Mirror(OutputPaths(here / name), remote, {}).sync() == {}
    counts = {
        "memory://before/nights": 3,
        "memory://before/nights/7": 2,
        "memory://before/nights/*/mon": 2,
        "memory://before/nights/8/mon/report.json": 1,
    }
    runs = {"7/mon", "7/tue", "8/mon"}
    for url, count in counts.items():
        code, _, err = command("trend", url)
        assert (code, err) == (0, "")
        page = (here / "trend.html").read_text()
        assert sum(f"memory://before/nights/{run}/report.json" in page for run in runs) == count
        assert 'href="memory' not in page
        assert "seq2seq-job-" not in page


def test_report_gathers_stores_in_a_directory(command, here, batches):
    code, out, err = command("report", batches)
    assert (code, out) == (2, "")
    assert "the first DIR is a store, which is only read; expected a directory for the results" in err
    code, _, err = command("report", batches, "--output-dir", "merged")
    assert (code, err) == (0, "")
    record = json.loads((here / "merged" / "report.json").read_text())
    assert [job["name"] for job in record["jobs"]] == ["a"]
    assert (here / "merged" / "jobs" / "a" / "predictions.jsonl").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ["rank", "{}"],
        ["trend", "{}"],
        ["status", "{}"],
        ["report", "{}", "--output-dir", "merged"],
        ["predict", "{}/jobs/a"],
        ["encode", "{}/ensembles/a"],
    ],
    ids=" ".join,
)
def test_a_store_that_cannot_be_read_is_one_sentence(command, here, monkeypatch, arguments):
    code, out, err = command(*[argument.format("memory://none") for argument in arguments])
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: memory://none h")
    monkeypatch.setattr(store_address, "find_spec", lambda name: None)
    code, out, err = command(*[argument.format("s3://none") for argument in arguments])
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: s3:// needs the package s3fs, which is not installed: pip install 'seq2seq-job[s3]'"
    ]


def test_errors_show_the_url_and_not_the_copy(command, here, batches):
    assert command("rank", batches, "--by", "bleu")[2].startswith(f"error: no job of {batches} has bleu")


# --- the state of a running batch ---------------------------------------------------------------------------


def heartbeat(output, **changes):
    record = {
        "host": "far",
        "pid": 1,
        "heartbeat": datetime.now(timezone.utc).isoformat(),
        "count": 1,
        "machine": "m",
        "shard": "",
        "attempt": 1,
        "fingerprint": "f" * 64,
        "step": 5,
        "steps": 10,
        **changes,
    }
    output.job("b").directory.mkdir(exist_ok=True)
    output.job("b").progress.write_text(json.dumps(record))


@pytest.fixture
def running(here):
    """A batch with one finished job and one that runs; its store, and a function that uploads."""
    url = "memory://running"
    leave(here / "output", [(a_job("a"), None)], plan=["a", "b", "c"])
    output, remote = OutputPaths(here / "output"), connect_store(parse_store(url))
    mirror, beats = Mirror(output, remote, {}), HeartbeatUploads(output, remote)
    heartbeat(output)

    def upload(**options):
        assert mirror.sync() == {}
        beats.update(**options)

    upload.output, upload.url, upload.remote = output, url, remote
    yield upload
    remote._files.rm(remote._root, recursive=True)


def test_status_shows_what_runs_on_another_machine(command, running):
    running()
    code, out, err = command("status", running.url, "--format", "json")
    jobs = {job["name"]: job for job in json.loads(out)["jobs"]}
    assert (code, err) == (0, "")
    assert {name: job["state"] for name, job in jobs.items()} == {
        "a": "done",
        "b": "training",
        "c": "waiting",
    }
    assert (jobs["b"]["host"], jobs["b"]["step"]) == ("far", 5)


def test_a_look_finds_what_has_changed(running, monkeypatch):
    running()
    reader = status_reader([running.url])

    def states():
        return [job.state for job in reader.read()]

    assert states() == ["done", "training", "waiting"]
    heartbeat(running.output, heartbeat="2026-01-01T00:00:00+00:00", count=7)
    running()
    waited = []
    monkeypatch.setattr(job_status.time, "sleep", waited.append)
    assert states() == ["done", "lost", "waiting"]
    assert waited[0] > 10
    running.output.job("b").checkpoint.mkdir()
    (running.output.job("b").checkpoint / "ffffffff-10.npz").write_bytes(b"x")
    running(ended=True)
    assert running.remote.paths_in("heartbeats") == []
    assert states() == ["done", "interrupted", "waiting"]
    running.output.job("b").result.write_text(a_job("b").to_json())
    running()
    assert states() == ["done", "done", "waiting"]


def test_heartbeats_that_a_killed_process_left_are_removed_by_the_next(running):
    running()
    running.output.job("b").progress.unlink()
    HeartbeatUploads(running.output, running.remote, lambda name: name != "b").update()
    assert running.remote.paths_in("heartbeats") == ["heartbeats/b.json"]
    HeartbeatUploads(running.output, running.remote).update()
    assert running.remote.paths_in("heartbeats") == []


def test_heartbeats_are_uploaded_while_a_batch_runs(command, here, monkeypatch, batches):
    from job.cli import run_and_log
    from job.reports.report_files import build_report, write_reports
    from job.results.batch_report import Verdict

    url, seen = f"{batches}/now", []
    remote = connect_store(parse_store(url))

    def run_batch(plan, output, directory, log, options):
        heartbeat(output)
        while not (found := remote.paths_in("heartbeats")):
            time.sleep(0.01)
        seen.extend(found)
        now = datetime.now(timezone.utc)
        report = build_report([], started_at=now, finished_at=now, verdict=Verdict(0, ()))
        write_reports(output, report)
        return report

    monkeypatch.setattr(run_and_log, "run_batch", run_batch)
    monkeypatch.setattr(stored_heartbeats, "_LOOK_SECONDS", 0.05)
    (here / "jobs.yaml").write_text((here / "jobs.yaml").read_text().replace("name: tiny", "name: b"))
    assert command("--store", url)[0] == 0
    assert seen == ["heartbeats/b.json"]
    assert remote.paths_in("heartbeats") == []
