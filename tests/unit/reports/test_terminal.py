"""The table on the terminal.

The golden file is made anew by `UPDATE_GOLDEN=1 pytest tests/unit/reports`; read its diff before committing.
"""

import io
from dataclasses import replace

from rich.console import Console
from sample_results import BROKEN, SHORT, TUTORIAL

from job.reports.terminal import print_summary
from job.results.job_result import Failure


def printed(report, **settings):
    file = io.StringIO()
    print_summary(report, Console(file=file, **{"width": 80, **settings}))
    return file.getvalue()


def test_the_table_equals_the_golden_file_at_80_columns(mixed, golden):
    golden("summary.txt", printed(mixed))


def test_the_table_fits_80_columns_and_cuts_nothing(make_report):
    long = replace(TUTORIAL, name="n" * 100, timings={"train_seconds": 12345.6})
    text = printed(make_report(long, SHORT))
    table = text[: text.index("2 jobs")]
    assert max(len(line) for line in table.splitlines() if line != long.name) <= 80
    assert "…" not in table
    assert long.name in table.splitlines()
    for cell in ("gate failed", "98.996 %", "2/3 failed", "12,345.6 s", "trained now"):
        assert cell in table


def test_a_wide_console_has_validation_beside_the_test(mixed):
    narrow, wide = printed(mixed, width=99), printed(mixed, width=100)
    assert "validation" not in narrow
    assert "99.25 %" in next(line for line in wide.splitlines() if line.startswith("tutorial "))


def test_there_are_no_escape_codes_without_a_terminal(mixed):
    assert "\x1b" not in printed(mixed)
    assert "\x1b[" in printed(mixed, force_terminal=True, color_system="standard", legacy_windows=False)


def test_text_from_outside_is_not_interpreted(make_report):
    error = Failure("E", "[red]no markup[/red] \x1b[31m :smile:")
    text = printed(make_report(replace(BROKEN, error=error)))
    assert "failed: E: [red]no markup[/red] ␛[31m :smile:" in text


def test_a_reason_is_on_one_line(make_report):
    error = Failure("E", "word " * 50)
    lines = printed(make_report(replace(BROKEN, error=error))).splitlines()
    assert lines[-1].count("word") == 50


def test_a_batch_without_results(make_report):
    text = printed(make_report())
    assert "Exit code 1" in text
    assert "  - no job was run" in text


def test_each_status_has_its_colour(mixed):
    text = printed(mixed, force_terminal=True, color_system="standard", legacy_windows=False)
    colours = {"passed": 32, "gate failed": 33, "failed": 31, "interrupted": 35, "missing": 31}
    for status, colour in colours.items():
        assert f"\x1b[{colour}m{status}" in text
