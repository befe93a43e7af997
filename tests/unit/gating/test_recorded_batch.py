"""Batches read from disk: what cannot be read, and files that are not those of the results."""

import pytest
from recording import a_run, leave, right_and_wrong

from job.batch.recorded_comparison import compare_and_judge
from job.errors import BAD_BASELINE, BAD_USAGE, BaselineError, OutputError

FEW = right_and_wrong(50, [3])


def test_predictions_of_another_run_are_rejected(compare_batches, tmp_path):
    first = leave(tmp_path / "one", [a_run("a", right_and_wrong(100, []))])
    second = leave(tmp_path / "two", [a_run("a", right_and_wrong(100, []))])
    with (first / "jobs/a/predictions.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(BaselineError, match=r"job a: \S*jobs/a/predictions\.jsonl has changed since it was"):
        compare_and_judge(first, second)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is not there; expected a report.json or an output directory"),
        ("{", "is not a report that this version reads"),
        ('{"schema_version": 0}', "schema_version is 0, this program reads 1"),
    ],
)
def test_a_baseline_that_cannot_be_read_says_why(tmp_path, content, reason):
    candidate, baseline = leave(tmp_path / "now", [a_run("a", FEW)]), tmp_path / "report.json"
    if content is not None:
        baseline.write_text(content)
    with pytest.raises(BaselineError, match=reason) as caught:
        compare_and_judge(baseline, candidate)
    assert caught.value.exit_code == BAD_BASELINE
    with pytest.raises(OutputError, match=reason) as caught:
        compare_and_judge(candidate, baseline)
    assert caught.value.exit_code == BAD_USAGE


def test_directories_without_a_report_say_what_is_missing(tmp_path):
    candidate, empty = leave(tmp_path / "now", [a_run("a", FEW)]), tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BaselineError, match=r"empty holds no report\.json; expected"):
        compare_and_judge(empty, candidate)
    (empty / "report-1-of-2.json").write_text("{}")
    with pytest.raises(BaselineError, match="merge them with: seq2seq-job report"):
        compare_and_judge(empty, candidate)
