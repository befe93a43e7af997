from dataclasses import replace

import pytest
from sample_results import BROKEN, SHORT, TUTORIAL

from job.reports.github import MAX_ANNOTATIONS, workflow_commands, write_summary
from job.reports.markdown import MAX_BYTES, byte_count, markdown
from job.results.comparison_records import Comparison, JobComparison, SpeedComparison
from job.results.job_result import Failure

ACTIONS = {"GITHUB_ACTIONS": "true"}


def test_one_error_per_reason(mixed):
    lines = workflow_commands(mixed, ACTIONS)
    assert lines[0] == (
        "::error title=Exit code 1%3A at least one job failed::"
        "job broken failed: NonFiniteError: the loss is not a finite number at step 3:"
    )
    assert len(lines) == len(mixed.verdict.reasons) == 4


@pytest.mark.parametrize("environment", [{}, {"GITHUB_ACTIONS": "false"}, {"CI": "true"}])
def test_there_are_no_commands_outside_github_actions(mixed, environment):
    assert workflow_commands(mixed, environment) == []


def test_a_successful_batch_has_no_annotations(make_report):
    assert workflow_commands(make_report(TUTORIAL), ACTIONS) == []


@pytest.mark.parametrize(("count", "lines"), [(9, 9), (10, 10), (11, 10), (500, 10)])
def test_there_are_at_most_ten_annotations_and_the_last_counts_the_others(make_report, count, lines):
    found = workflow_commands(make_report(*(replace(SHORT, name=f"j{i}") for i in range(count))), ACTIONS)
    assert len(found) == lines <= MAX_ANNOTATIONS
    assert found[0].split("::")[-1].startswith("job j0 failed its gate")
    if count > MAX_ANNOTATIONS:
        assert found[-1].endswith(f"::{count - 9} more, see the summary of this step or report.md")


def test_text_from_outside_cannot_add_a_command(make_report):
    report = make_report(replace(BROKEN, name="a", error=Failure("E", "100 %\r::error::x, y: z\nmore")))
    (line,) = workflow_commands(report, ACTIONS)
    assert line.count("\n") == line.count("\r") == 0
    assert line.endswith("::job a failed: E: 100 %25")
    report = replace(report, verdict=replace(report.verdict, reasons=("a\nb\r%0A",)))
    (line,) = workflow_commands(report, ACTIONS)
    assert line.endswith("::a␊b␍%250A")


def test_a_slower_job_is_a_warning_after_the_errors(make_report):
    speed = SpeedComparison("train_examples_per_second", 300.0, 100.0, 3.0, 1.3, None, None, True)
    job = JobComparison("tutorial", "unchanged", "as before", speed=(speed,))
    comparison = Comparison("base", "2026-03-01T12:00:00+00:00", None, (job,))
    lines = workflow_commands(replace(make_report(TUTORIAL, SHORT), comparison=comparison), ACTIONS)
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning"]
    assert "::job tutorial: train_examples_per_second is 100, 3.00 times slower than 300" in lines[1]


# --- the summary --------------------------------------------------------------------------------------------


@pytest.fixture
def summary(tmp_path):
    return tmp_path / "summary.md"


def test_the_summary_of_a_step_is_the_report_without_drawings(mixed, summary):
    write_summary(mixed, {"GITHUB_STEP_SUMMARY": str(summary)})
    text = summary.read_text("utf-8")
    whole = markdown(mixed)
    assert "](jobs/" in whole
    assert "](jobs/" not in text
    assert "### Attention" not in text
    kept = [line for line in whole.splitlines() if "](jobs/" not in line]
    assert set(text.splitlines()) <= set(kept)
    assert "### Samples" in text


def test_the_report_is_appended_and_cut_to_the_remaining_room(make_report, summary):
    summary.write_bytes(b"x" * (MAX_BYTES - 50_000) + b"\n")
    report = make_report(*(replace(TUTORIAL, name=f"job-{i}") for i in range(100)))
    assert byte_count(markdown(report)) > 100_000
    write_summary(report, {"GITHUB_STEP_SUMMARY": str(summary)})
    content = summary.read_bytes()
    assert content.startswith(b"xxx")
    assert MAX_BYTES - 10_000 < len(content) <= MAX_BYTES < 2**20
    assert b"**Cut to fit.**" in content
    write_summary(report, {"GITHUB_STEP_SUMMARY": str(summary)})  # no room is left
    assert summary.read_bytes() == content


def test_there_is_no_summary_outside_github_actions(mixed, tmp_path):
    write_summary(mixed, {"GITHUB_STEP_SUMMARY": ""})
    write_summary(mixed, ACTIONS)
    assert [*tmp_path.iterdir()] == []
