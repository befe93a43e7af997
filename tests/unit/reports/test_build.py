from dataclasses import replace

from job.results.records import Report


def test_totals_count_every_job_once(mixed):
    assert mixed.totals == {"passed": 1, "gate_failed": 1, "failed": 1, "interrupted": 1, "missing": 1}
    assert mixed.missing == ("never-run",)


def test_times_are_written_in_utc(mixed):
    assert mixed.started_at == "2026-03-01T12:00:00+00:00"
    assert mixed.finished_at == "2026-03-01T12:02:00+00:00"


def test_exit_code_is_the_verdicts(mixed):
    assert mixed.exit_code == mixed.verdict.exit_code == 1


def test_marks_the_jobs_done_before_and_keeps_the_order(mixed):
    assert [(job.name, job.reused) for job in mixed.jobs] == [
        ("tutorial", True),
        ("addition_of-1.digit", False),
        ("broken", False),
        ("stopped", False),
    ]


def test_keeps_a_mark_that_is_there_already(make_report, mixed):
    assert make_report(*mixed.jobs).jobs[0].reused


def test_a_report_survives_json(mixed):
    assert Report.from_json(mixed.to_json()) == mixed
    assert Report.from_json(mixed.to_json()) != replace(mixed, exit_code=0)
