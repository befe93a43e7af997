"""Jobs without gates are reported as trained: never in green, and never as passed."""

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from rich.console import Console
from sample_results import TUTORIAL

from job.reports.content import counts, headline
from job.reports.html import html_page
from job.reports.junit import junit_xml
from job.reports.markdown import markdown
from job.reports.prometheus import metrics_text
from job.reports.terminal import print_summary
from job.results.batch_report import SeedsSummary
from job.results.comparison_records import Comparison, JobComparison
from job.results.job_result import GateOutcome
from job.storage.artifacts import OutputPaths

BARE = replace(TUTORIAL, name="bare", gates=())
GREEN = "\x1b[1;32m"


@pytest.fixture
def bare(make_report):
    return make_report(BARE, replace(BARE, name="other"))


def printed(report):
    file = io.StringIO()
    options = {"force_terminal": True, "color_system": "standard", "legacy_windows": False, "width": 100}
    print_summary(report, Console(file=file, **options))
    return file.getvalue()


def family(*, passed=True, absent=()):
    gates = () if absent else (GateOutcome("sequence_accuracy", 0.9, 0.95, passed),)
    return SeedsSummary("a", (1, 2), ("a-seed-1", "a-seed-2"), tuple(absent), "mean", (), gates)


RUNS = [replace(BARE, name=f"a-seed-{seed}") for seed in (1, 2)]
UNCHANGED = Comparison("b", "2026-03-01", None, (JobComparison("bare", "unchanged", ""),))


def test_exit_code_0_has_a_meaning_in_words(make_report, bare):
    judged = make_report(TUTORIAL)
    some = make_report(TUTORIAL, BARE)
    on_mean = make_report(*RUNS)
    assert {name: headline(report).removeprefix("Exit code 0: ") for name, report in {
        "all": judged,
        "none": bare,
        "some": some,
        "compared": replace(bare, comparison=UNCHANGED),
        "mean": replace(on_mean, seeds=(family(),)),
        "mean of some": replace(on_mean, jobs=tuple(RUNS[:1]), seeds=(family(absent=["a-seed-2"]),)),
        "nothing": replace(bare, jobs=()),
    }.items()} == {
        "all": "every job trained and passed its gates",
        "none": "every job trained; no job has gates",
        "some": "every job trained; 1 passed its gates, 1 without gates",
        "compared": "every job trained and none is worse than the baseline; no job has gates",
        "mean": "every job trained and passed its gates",
        "mean of some": "every job trained; the gates on the mean of a are not judged without all its seeds",
        "nothing": "there was no job to run",
    }  # fmt: skip


def test_the_terminal_shows_trained_and_nothing_green(bare):
    text = printed(bare)
    assert "2 jobs: 2 trained; 2 trained now" in text
    assert "passed" not in text
    assert "\x1b[32m" not in text
    assert GREEN not in text


def test_the_terminal_is_green_if_gates_were_passed(make_report):
    assert GREEN in printed(make_report(TUTORIAL))
    assert counts(make_report(TUTORIAL, BARE)).startswith("2 jobs: 1 passed, 1 trained; ")


def test_markdown_and_html_show_trained(bare, make_report, tmp_path):
    text = markdown(bare)
    assert "## `bare`: trained" in text
    assert "passed" not in text
    page = html_page(bare, OutputPaths(tmp_path))
    body = page[page.index("<body>") :]
    assert '<header class="verdict plain">' in body
    assert not re.search(r'badge good" data-symbol="[^"]*">(passed|trained)', body)
    assert body.count('data-symbol="•">trained</span>') == 4
    assert '<header class="verdict good">' in html_page(make_report(TUTORIAL), OutputPaths(tmp_path))


def test_junit_prometheus_and_json_mark_jobs_without_gates(bare, make_report):
    root = ET.fromstring(junit_xml(make_report(TUTORIAL, BARE)))
    told = {
        p.get("name"): p.get("value") for p in root.iter("property") if p.get("name") in ("status", "judged")
    }
    assert told == {"status": "passed", "judged": "false"}
    assert "no gates of its own" in root.findall("testsuite")[1].find("testcase/system-out").text
    lines = metrics_text(make_report(TUTORIAL, BARE)).splitlines()
    assert 'seq2seq_job_judged{name="tutorial"} 1' in lines
    assert 'seq2seq_job_judged{name="bare"} 0' in lines
    assert 'seq2seq_job_status{name="bare",status="passed"} 1' in lines
    assert json.loads(bare.to_json())["jobs"][0]["judged"] is False
