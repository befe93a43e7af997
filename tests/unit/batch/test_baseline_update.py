"""The results of a batch in the place of its baseline's: all or none, whenever it is stopped."""

import hashlib
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace

import pytest
from recording import a_job, leave, right_and_wrong
from stepping import fail_at_every_step, kill_at_every_step

from job.batch.baseline_update import update_baseline
from job.batch.lock import lock_output
from job.batch.merge import merge_reports
from job.batch.planning import write_fingerprints
from job.batch.recorded_comparison import compare_and_judge
from job.errors import DamagedResultError
from job.gating.plan_file import read_entries
from job.gating.recorded_batch import check_files, read_predictions, read_recorded
from job.results.batch_report import Report
from job.results.job_result import Artifact
from job.storage.artifacts import OutputPaths
from job.storage.staged_update import STAGED

WAS, NOW = right_and_wrong(20, [1, 2]), right_and_wrong(20, [])


def batches(tmp_path):
    """A baseline of a, b and c; a batch of b and d."""
    before = leave(tmp_path / "before", [(a_job(name, WAS), WAS) for name in "abc"])
    now = leave(tmp_path / "now", [(a_job(name, NOW, fingerprint="e" * 64), NOW) for name in "bd"], hour=5)
    return before, OutputPaths(now), Report.from_json((now / "report.json").read_bytes())


def accuracies(report):
    return {job.name: job.metrics["sequence_accuracy"] for job in report.jobs}


EXPECTED = {"a": 0.9, "b": 1.0, "d": 1.0}
"""a was not run and stays, c is planned no more and goes."""


def test_a_directory_gets_what_a_comparison_needs_and_keeps_the_old(tmp_path):
    before, output, report = batches(tmp_path)
    (before / "jobs/b/model").mkdir()
    update_baseline(before, output, report, ["a", "b", "d"])
    updated = Report.from_json((before / "report.json").read_bytes())
    assert accuracies(updated) == EXPECTED
    assert updated.finished_at == report.finished_at
    assert sorted(path.name for path in (before / "jobs/b").iterdir()) == ["predictions.jsonl", "result.json"]
    assert [path.name for path in (before / "superseded").iterdir()] == [f"b-{'f' * 8}"]
    assert (before / "superseded" / f"b-{'f' * 8}" / "model").is_dir()
    planned = {name: entry.fingerprint for name, entry in read_entries(before / "plan.json").items()}
    assert planned == {"a": "f" * 64, "b": "e" * 64, "d": "e" * 64}
    found = compare_and_judge(before, output.root)[0]
    assert [(job.name, job.verdict, job.metrics[0].paired) for job in found.jobs if job.metrics] == [
        ("b", "unchanged", True),
        ("d", "unchanged", True),
    ]


def test_a_report_alone_is_replaced_alone(tmp_path):
    before, output, report = batches(tmp_path)
    kept = tmp_path / "kept.json"
    kept.write_bytes((before / "report.json").read_bytes())
    update_baseline(kept, output, report, ["a", "b", "d"])
    assert accuracies(Report.from_json(kept.read_bytes())) == EXPECTED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "kept.json", "now"]


PLANNED = ["a", "b", "d"]
OLD = {"a": (0.9, 2), "b": (0.9, 2), "c": (0.9, 2)}
NEW = {"a": (0.9, 2), "b": (1.0, 0), "d": (1.0, 0)}


def content(path):
    """What a comparison reads of a baseline: each job's accuracy, and how many predictions are wrong."""
    recorded = read_recorded(path)
    found = {}
    for name, result in recorded.results.items():
        predictions = read_predictions(recorded.output, result)
        wrong = sum(not prediction.correct for prediction in predictions)
        found[name] = (result.metrics["sequence_accuracy"], wrong)
    return found


def places(path):
    """What lies in the places of a baseline's files, for programs that know no updates."""
    report = Report.from_json((path / "report.json").read_bytes())
    for job in report.jobs:
        assert (path / "jobs" / job.name / "result.json").read_text() == job.to_json()
    return accuracies(report)


@pytest.fixture
def update(tmp_path, monkeypatch):
    """A function that makes a baseline and a batch anew, and one that updates the one by the other.

    Nothing waits for the disk: what is lost with the power is not tested here.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)
    now = leave(tmp_path / "now", [(a_job(name, NOW, fingerprint="e" * 64), NOW) for name in "bd"], hour=5)
    report, path = Report.from_json((now / "report.json").read_bytes()), tmp_path / "before"

    def prepare():
        shutil.rmtree(path, ignore_errors=True)
        leave(path, [(a_job(name, WAS), WAS) for name in "abc"])
        write_fingerprints(OutputPaths(path), dict.fromkeys("abc", "f" * 64))

    return path, prepare, lambda: update_baseline(path, OutputPaths(now), report, PLANNED)


def check_and_end(path, act, number):
    """Check that a baseline is old or new, for a reader that changes nothing and for one that may."""
    with lock_output(path):  # a reader that must not end the update
        found = content(path)
    assert found in (OLD, NEW), number
    compared = {job.name for job in compare_and_judge(path, path)[0].jobs if job.verdict == "unchanged"}
    assert compared == set(found), number
    assert not (path / STAGED).exists()
    assert content(path) == found
    assert places(path) == {name: accuracy for name, (accuracy, _) in found.items()}
    assert read_entries(path / "plan.json").keys() == found.keys()
    act()
    assert content(path) == NEW
    left = [each.name for each in path.rglob(".tmp-*") if not each.name.endswith("-probe")]
    assert left == [], number
    return found


def test_a_baseline_is_old_or_new_whenever_the_update_is_killed(update):
    path, prepare, act = update
    found = [check_and_end(path, act, number) for number in kill_at_every_step(prepare, act)]
    assert found == sorted(found, key=lambda each: each == NEW), "once it is new it stays new"
    assert {len(set(map(str, found)))} == {2}


@pytest.mark.parametrize("for_good", [False, True])
def test_a_baseline_is_old_or_new_whenever_the_disk_is_full(update, for_good):
    path, prepare, act = update
    found = [check_and_end(path, act, n) for n in fail_at_every_step(prepare, act, for_good=for_good)]
    assert OLD in found
    assert NEW in found


def test_an_update_on_a_small_disk_leaves_the_old_baseline(update, tmp_path):
    path, prepare, act = update
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", small]
    if os.getuid() or not shutil.which("mount") or subprocess.run(command, check=False).returncode:
        pytest.skip("only root may mount")
    try:
        prepare()
        shutil.copytree(path, small / "baseline")
        shutil.rmtree(path)
        path.symlink_to(small / "baseline")
        filler = small / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        os.truncate(filler, filler.stat().st_size - 6 * 4096)  # enough to begin the update
        with pytest.raises(OSError, match="No space left"):
            act()
        assert content(path) == OLD
        assert places(path) == {name: accuracy for name, (accuracy, _) in OLD.items()}
        filler.unlink()
        act()
        assert content(path) == NEW
    finally:
        subprocess.run(["umount", small], check=True)


def test_predictions_of_a_report_read_before_an_update_are_found_after_it(update):
    path, prepare, act = update
    prepare()
    before = read_recorded(path)
    act()
    wrong = {
        name: sum(not p.correct for p in read_predictions(before.output, result))
        for name, result in before.results.items()
    }
    assert wrong == {"a": 2, "b": 2, "c": 2}


def test_a_report_beside_its_jobs_is_updated_with_them(update):
    path, prepare, _ = update
    prepare()
    now = path.parent / "now"
    report = Report.from_json((now / "report.json").read_bytes())
    update_baseline(path / "report.json", OutputPaths(now), report, PLANNED)
    assert content(path) == content(path / "report.json") == NEW


def test_changed_predictions_do_not_become_a_baseline(update):
    path, prepare, act = update
    prepare()
    predictions = path.parent / "now/jobs/d/predictions.jsonl"
    predictions.write_bytes(predictions.read_bytes().replace(b"1 2 3", b"1 2 4", 1))
    with pytest.raises(DamagedResultError, match=r"jobs/d/predictions\.jsonl has changed"):
        act()
    assert content(path) == OLD
    assert not [*path.rglob(".tmp-*")]


def test_files_that_an_update_leaves_out_are_not_expected(tmp_path):
    """The next baseline holds no models and no history; those of the one before are others'."""
    before, output, report = batches(tmp_path)
    (before / "jobs/b/history.csv").write_text("older")
    (output.root / "jobs/b/history.csv").write_text("newer")
    history = Artifact("history.csv", 5, hashlib.sha256(b"newer").hexdigest())
    jobs = [replace(job, artifacts=(*job.artifacts, history)) for job in report.jobs]
    update_baseline(before, output, replace(report, jobs=tuple(jobs)), ["a", "b", "d"])
    assert not (before / "jobs/b/history.csv").exists()
    check_files(read_recorded(before), ["a", "b", "d"])


def test_a_baseline_without_models_is_reported_as_whole(tmp_path):
    before, output, report = batches(tmp_path)
    train = Artifact("model/train.keras", 5, hashlib.sha256(b"newer").hexdigest())
    jobs = [replace(job, artifacts=(*job.artifacts, train)) for job in report.jobs]
    update_baseline(before, output, replace(report, jobs=tuple(jobs)), ["a", "b", "d"])
    assert merge_reports([before]).exit_code == 0
    assert sorted(path.name for path in (before / "jobs/b").iterdir()) == ["predictions.jsonl", "result.json"]
    (before / "jobs/b/predictions.jsonl").write_text("changed")
    assert merge_reports([before]).exit_code == 1
