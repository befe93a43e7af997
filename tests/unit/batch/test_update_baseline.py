"""The results of a batch in the place of its baseline's."""

from recording import a_job, leave, right_and_wrong

from job.batch.baseline import compare_recorded, update_baseline
from job.batch.plan import read_plan
from job.results.records import Report
from job.storage.artifacts import OutputPaths

WAS, NOW = right_and_wrong(100, [1, 2]), right_and_wrong(100, [])


def batches(tmp_path):
    """A baseline of a, b and c; a batch of b and d."""
    before = leave(tmp_path / "before", [(a_job(name, WAS), WAS) for name in "abc"])
    now = leave(tmp_path / "now", [(a_job(name, NOW, fingerprint="e" * 64), NOW) for name in "bd"], hour=5)
    return before, OutputPaths(now), Report.from_json((now / "report.json").read_bytes())


def accuracies(report):
    return {job.name: job.metrics["sequence_accuracy"] for job in report.jobs}


EXPECTED = {"a": 0.98, "b": 1.0, "d": 1.0}
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
    assert read_plan(before / "plan.json") == {"a": "f" * 64, "b": "e" * 64, "d": "e" * 64}
    found = compare_recorded(before, output.root)
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
