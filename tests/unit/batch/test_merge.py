"""Results of one directory or of several -> one report, without any training."""

import errno
import json
import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from sample_jobs import job_result

from job.batch.lock import lock_output
from job.batch.merge import merge_reports
from job.batch.planning import write_fingerprints
from job.errors import BAD_USAGE, OutputError
from job.gating import batch_verdict
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Report
from job.results.job_result import GateOutcome
from job.storage import job_directories
from job.storage.artifacts import OutputPaths, prepare_output

NAMES = ["a", "b", "c", "d"]
FILES = [("report", "json"), ("report", "html"), ("report", "md"), ("junit", "xml"), ("metrics", "prom")]
MARKS = {name: name * 64 for name in NAMES}


def at(hour):
    return datetime(2026, 7, 1, hour, tzinfo=timezone.utc)


def a_result(name, status="passed", **fields):
    fields = {"metrics": {"sequence_accuracy": 0.5}, "fingerprint": MARKS[name], **fields}
    return job_result(name, status, **fields)


@pytest.fixture
def leave(tmp_path):
    """Leave an output directory as a run does: results, a plan of all four jobs, and a report."""

    def leave(folder, *results, shard="", began=1, ended=2, plan=MARKS, reused=()):
        output = prepare_output(tmp_path / folder)
        for result in results:
            paths = output.job(result.name)
            paths.directory.mkdir(exist_ok=True)
            paths.predictions.write_text(f"of {result.name} in {folder}\n")
            (paths.model).mkdir(exist_ok=True)
            (paths.model / "train.keras").write_bytes(b"weights")
            paths.result.write_text(result.to_json())
        if plan is not None:
            write_fingerprints(output, plan)
        report = build_report(
            results,
            started_at=at(began),
            finished_at=at(ended),
            verdict=batch_verdict.decide([result.name for result in results], results),
            reused=reused,
        )
        write_reports(replace(output, shard=shard), report)
        return output.root

    return leave


def names(results):
    return [result.name for result in results]


# --- one directory ------------------------------------------------------------------------------------------


def test_the_report_of_one_directory_is_the_one_that_its_run_wrote(leave):
    root = leave("out", *map(a_result, NAMES), reused=["b"])
    before = OutputPaths(root).report.read_bytes()
    merged = merge_reports([root])
    assert merged.exit_code == 0
    assert OutputPaths(root).report.read_bytes() == before
    assert merged == Report.from_json(before)


def test_shards_in_one_directory_merge_into_the_report_of_an_unsharded_run(leave, tmp_path):
    whole = leave("whole", *map(a_result, NAMES), began=3, ended=9)
    shared = leave("shared", a_result("a"), a_result("c"), shard="1-of-2", began=4, ended=9)
    leave("shared", a_result("b"), a_result("d"), shard="2-of-2", began=3, ended=5)
    assert not (shared / "report.json").exists()
    assert {path.name for path in shared.glob("*-of-*")} == {
        f"{stem}-{part}-of-2.{suffix}" for part in (1, 2) for stem, suffix in FILES
    }
    merge_reports([shared])
    for name in map(".".join, FILES):
        assert (shared / name).read_bytes() == (whole / name).read_bytes()


def test_a_job_without_a_result_is_missing_and_fails_the_batch(leave):
    root = leave("out", a_result("a"), a_result("c"), a_result("d"))
    merged = merge_reports([root])
    assert merged.exit_code == 1
    assert merged.missing == ("b",)
    assert merged.totals["missing"] == 1
    suites = {suite.get("name") for suite in ET.parse(root / "junit.xml").getroot().iter("testsuite")}
    assert suites == set(NAMES)


@pytest.mark.parametrize(
    ("status", "fields", "code"),
    [
        ("failed", {}, 1),
        ("interrupted", {}, 1),
        ("gate_failed", {"gates": (GateOutcome("sequence_accuracy", 0.9, 0.5, False),)}, 3),
    ],
)
def test_a_bad_result_decides_the_exit_code(leave, status, fields, code):
    root = leave("out", a_result("a"), a_result("b", status, **fields), a_result("c"), a_result("d"))
    assert merge_reports([root]).exit_code == code


def test_results_without_a_report_count_as_finished_before(leave):
    root = leave("out", *map(a_result, NAMES))
    for path in (root / "report.json", root / "junit.xml", root / "report.md"):
        path.unlink()
    before = datetime.now(timezone.utc).replace(microsecond=0)
    merged = merge_reports([root])
    assert [job.reused for job in merged.jobs] == [True] * 4
    assert datetime.fromisoformat(merged.started_at) >= before


def test_a_stale_or_damaged_report_is_ignored(leave):
    root = leave("out", *(a_result(name, metrics={"sequence_accuracy": 0.1}) for name in NAMES), began=1)
    leave("out", *map(a_result, NAMES), shard="1-of-2", began=5, ended=6)
    (root / "report-2-of-2.json").write_text("{")
    merged = merge_reports([root])
    assert merged.started_at == at(5).isoformat()
    assert [job.reused for job in merged.jobs] == [False] * 4


def test_the_last_run_says_whether_a_job_was_done_before(leave):
    root = leave("out", a_result("a"), shard="1-of-2", began=1, ended=2)
    leave("out", *map(a_result, NAMES), began=3, ended=4, reused=["a"])
    merged = merge_reports([root])
    assert [job.reused for job in merged.jobs] == [True, False, False, False]
    assert merged.started_at == at(3).isoformat()


# --- several directories ------------------------------------------------------------------------------------


def test_several_directories_are_gathered_into_the_first(leave):
    one = leave("one", a_result("a"), a_result("c"), shard="1-of-2")
    two = leave("two", a_result("b"), a_result("d"), shard="2-of-2")
    whole = leave("whole", *map(a_result, NAMES))
    merged = merge_reports([one, two])
    assert merged.exit_code == 0
    assert names(merged.jobs) == NAMES
    for name in ("report.json", "report.html", "report.md", "junit.xml", "plan.json"):
        assert (one / name).read_bytes() == (whole / name).read_bytes()
    assert (one / "jobs" / "b" / "predictions.jsonl").read_text() == "of b in two\n"
    assert (one / "jobs" / "b" / "model" / "train.keras").read_bytes() == b"weights"
    assert sorted(path.name for path in (two / "jobs").iterdir()) == ["b", "d"]
    assert not (two / "report.json").exists()


def test_several_directories_are_gathered_into_another_one(leave, tmp_path):
    one = leave("one", a_result("a"), a_result("c"))
    two = leave("two", a_result("b"), a_result("d"))
    destination = tmp_path / "new" / "all"
    assert merge_reports([one, two], destination).exit_code == 0
    assert sorted(path.name for path in (destination / "jobs").iterdir()) == NAMES
    assert {path.name for path in destination.iterdir()} == {
        *("plan.json", "jobs"),
        *map(".".join, FILES),
    }
    again = merge_reports([two, one, destination], destination)
    assert again.exit_code == 0
    assert not (destination / "superseded").exists()


def test_a_directory_named_twice_is_one(leave, tmp_path, monkeypatch):
    root = leave("out", *map(a_result, NAMES))
    monkeypatch.chdir(tmp_path)
    assert (
        merge_reports([root, root / ".." / "out", OutputPaths(root).root.relative_to(tmp_path)]).exit_code
        == 0
    )
    assert not (root / "superseded").exists()


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("passed", "passed", "one"),
        ("passed", "failed", "one"),
        ("interrupted", "passed", "two"),
        ("failed", "gate_failed", "two"),
        ("interrupted", "failed", "two"),
        ("failed", "interrupted", "one"),
    ],
)
def test_the_result_with_the_most_progress_counts(leave, first, second, taken):
    others = [a_result(name) for name in "bcd"]
    one, two = leave("one", a_result("a", first), *others), leave("two", a_result("a", second))
    merged = merge_reports([one, two])
    assert merged.jobs[0].status == {"one": first, "two": second}[taken]
    assert (one / "jobs" / "a" / "predictions.jsonl").read_text() == f"of a in {taken}\n"
    aside = [*(one / "superseded").iterdir()] if (one / "superseded").exists() else []
    assert [path.name for path in aside] == ([f"a-{MARKS['a'][:8]}"] if taken == "two" else [])


def test_a_shard_that_was_lost_before_it_planned_leaves_its_jobs_missing(leave):
    lost = leave("lost", plan=None)
    two = leave("two", a_result("b"), a_result("d"))
    merged = merge_reports([lost, two])
    assert merged.exit_code == 1
    assert merged.missing == ("a", "c")
    assert json.loads((lost / "plan.json").read_text())["jobs"]


def test_directories_whose_plans_differ_are_refused(leave):
    one = leave("one", a_result("a"), plan={**MARKS, "b": "0" * 64})
    two = leave("two", a_result("b"))
    with pytest.raises(
        OutputError, match=r"different specs: job b has fingerprint 00000000 .* bbbbbbbb"
    ) as caught:
        merge_reports([one, two])
    assert caught.value.exit_code == BAD_USAGE
    assert sorted(path.name for path in (one / "jobs").iterdir()) == ["a"]


def test_a_job_that_only_one_plan_has_is_refused(leave):
    one = leave("one", a_result("a"), plan={"a": MARKS["a"]})
    two = leave("two", a_result("b"))
    with pytest.raises(OutputError, match=r"job b has fingerprint none in one and bbbbbbbb in the other"):
        merge_reports([one, two])


@pytest.mark.parametrize("folder", ["one", "two"])
def test_a_result_of_another_fingerprint_than_planned_is_refused(leave, folder):
    wrong = a_result("b", fingerprint="0" * 64)
    roots = [
        leave("one", a_result("a"), *([wrong] if folder == "one" else [])),
        leave("two", a_result("c"), *([wrong] if folder == "two" else [])),
    ]
    with pytest.raises(OutputError, match=rf"{folder}/jobs/b/result.json is of another spec than plan.json"):
        merge_reports(roots)
    assert not (roots[0] / "jobs" / "c").exists() or folder == "one"


@pytest.mark.parametrize("text", ["{", "{}"])
def test_a_plan_that_cannot_be_read_is_refused(leave, text):
    root = leave("one", *map(a_result, NAMES))
    (root / "plan.json").write_text(text)
    with pytest.raises(OutputError, match=r"plan\.json cannot be read"):
        merge_reports([root])


def test_a_directory_that_is_not_there_is_refused_even_beside_one_that_is(leave, tmp_path):
    root = leave("one", *map(a_result, NAMES))
    for roots in ([tmp_path / "gone"], [root, tmp_path / "gone"]):
        with pytest.raises(OutputError, match=r"gone holds no batch"):
            merge_reports(roots)


def test_nothing_is_gathered_where_a_batch_is_running(leave):
    one, two = leave("one", a_result("a")), leave("two", a_result("b"))
    with lock_output(one, "shard-1-of-2"):
        with pytest.raises(OutputError, match=r"one is in use by another batch"):
            merge_reports([one, two])
        assert merge_reports([one]).missing == ("b", "c", "d")  # which moves no job
    assert merge_reports([one, two]).missing == ("c", "d")


def test_a_copy_that_fails_leaves_no_part_of_a_job(leave, monkeypatch):
    one, two = leave("one", a_result("a")), leave("two", a_result("b"))

    def lost(directory):
        raise OSError(errno.EIO, "the disk is lost")

    monkeypatch.setattr(job_directories, "flush_tree", lost)
    with pytest.raises(OSError, match="the disk is lost"):
        merge_reports([one, two])
    assert [path.name for path in (one / "jobs").iterdir()] == ["a"]


# --- while a batch is running -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch", "shard-1-of-2"])
@pytest.mark.parametrize("done", [NAMES, NAMES[:2]])
def test_a_report_during_a_run_says_so_and_is_no_verdict(leave, name, done):
    root = leave("out", *map(a_result, done))
    with lock_output(root, name):
        merged = merge_reports([root])
    assert (merged.running, merged.exit_code) == (True, 1)
    (reason,) = merged.verdict.reasons
    assert reason.startswith(f"the batch is still running (process {os.getpid()} on ")
    left = f"{len(NAMES) - len(done)} of 4 jobs have no result yet" if len(done) < 4 else "every job has a"
    assert left in reason
    text = (root / "report.md").read_text()
    assert text.startswith("# Exit code 1: the batch is still running; this is not its verdict\n")
    assert "missing" not in text
    assert ("not done yet" in text) is (len(done) < 4)
    assert "still running" in (root / "report.html").read_text()
    assert int(ET.parse(root / "junit.xml").getroot().get("errors")) == 1
    assert "seq2seq_job_running 1" in (root / "metrics.prom").read_text().splitlines()
    after = merge_reports([root])
    assert (after.running, after.exit_code) == (False, 0 if len(done) == 4 else 1)


def test_a_lock_that_was_left_behind_is_no_run(leave):
    root = leave("out", *map(a_result, NAMES))
    (root / ".lock").write_text("process 1 on another machine\n")
    assert merge_reports([root]).exit_code == 0


def test_a_directory_of_a_running_batch_has_no_verdict(leave, tmp_path):
    one, two = leave("one", *map(a_result, "ab")), leave("two", *map(a_result, "cd"))
    with lock_output(two, "shard-2-of-2"):
        assert merge_reports([one, two], tmp_path / "all").running
    assert merge_reports([one, two], tmp_path / "all").exit_code == 0
