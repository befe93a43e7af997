"""`report.html` of a real batch, as a browser shows it."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image
from red_night import red_night

from job.gating.batch_verdict import decide
from job.reports.html import html_page
from job.results.batch_report import MetricOverSeeds, Report, SeedsSummary
from job.results.comparison_records import Comparison, FlippedExample, JobComparison, MetricComparison
from job.results.job_result import Failure, GateOutcome, JobResult
from job.storage.artifacts import OutputPaths
from job.trend.metric_series import all_series
from job.trend.runs import Run
from job.trend.trend_page import trend_page

SPEC = {
    "version": 1,
    "defaults": {
        "model": {"units": 16},
        "training": {"examples": 3200, "batch_size": 64},
        "evaluation": {"examples": 200},
    },
    "jobs": [
        {
            "name": "sums",
            "problem": {"kind": "addition", "digits": 1},
            "model": {"attention": "luong_dot"},
            "evaluation": {"also": [{"digits": 2}]},
            "gate": {"min_sequence_accuracy": 0.999, "max_train_seconds": 600},
        },
        {"name": "copies", "problem": {"kind": "copy", "source_length": 3, "cardinality": 11}},
    ],
}
BROKEN = JobResult(
    "broken", "failed", "c3" * 32, 7, {}, error=Failure("E", "<b>first</b>\nsecond", "error.txt")
)
STOPPED = JobResult("stopped", "interrupted", "d4" * 32, 7, {}, error=Failure("Interrupted", "by SIGTERM"))


AGAINST = Comparison(
    baseline="baseline/report.json",
    baseline_finished_at="2026-03-01T12:00:00+00:00",
    baseline_commit="abc",
    jobs=(
        JobComparison(
            name="sums",
            verdict="regression",
            reason="sequence accuracy is worse",
            metrics=(
                MetricComparison(
                    *("sequence_accuracy", "McNemar", 0.9, 0.1, -0.8, 1e-9, 1e-8, 0.01, 0.005, 200, True),
                    detail="160 lost, 0 won",
                    change="regression",
                ),
            ),
            lost=(FlippedExample("3", "1+2", "3", "3", "4"),),
            won=(FlippedExample("4", "1+3", "4", "", "4"),),
            lost_count=160,
            won_count=1,
            speed_note="not the same machine",
        ),
        JobComparison("copies", "not_comparable", "the baseline has no predictions"),
        JobComparison("gone", "removed", "only the baseline has it"),
    ),
)
SEEDS = SeedsSummary(
    name="runs",
    seeds=(1, 2),
    jobs=("runs-seed-1", "runs-seed-2"),
    absent=(),
    gate_on="mean",
    metrics=(MetricOverSeeds("sequence_accuracy", (0.5, 0.7), 0.6, 0.1, 0.1, 1.0),),
    gates=(GateOutcome("sequence_accuracy", 0.9, 0.6, False, "5 seeds would settle it"),),
)


@pytest.fixture(scope="session")
def page(browser, tmp_path_factory):
    """The page of a batch that the command ran, with jobs added that ended otherwise."""
    directory = tmp_path_factory.mktemp("page")
    spec = directory / "jobs.yaml"
    spec.write_text(yaml.safe_dump(SPEC), "utf-8")
    command = [sys.executable, "-m", "job", "--spec", spec, "--output-dir", directory]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 3, done.stderr
    output = OutputPaths(directory)
    report = Report.from_json(output.report.read_bytes())
    jobs = (*report.jobs, BROKEN, STOPPED)
    verdict = decide([*(job.name for job in jobs), "never-run"], jobs)
    totals = {"gate_failed": 1, "passed": 1, "failed": 1, "interrupted": 1, "missing": 1}
    report = replace(report, comparison=AGAINST, seeds=(SEEDS,))
    report = replace(report, jobs=jobs, missing=("never-run",), verdict=verdict, exit_code=1, totals=totals)
    output.html.write_text(html_page(report, output), "utf-8")
    return output.html


@pytest.fixture(scope="session")
def red(browser, tmp_path_factory):
    """The page of a night of eight jobs of which one failed, one failed its gate and one is a regression."""
    output = OutputPaths(tmp_path_factory.mktemp("red"))
    output.html.write_text(html_page(red_night(output), output), "utf-8")
    return output.html


@pytest.fixture(scope="session")
def trend(page):
    """The page of a series of runs in which one job got worse."""
    report = Report.from_json((page.parent / "report.json").read_bytes())
    well = [replace(job, status="passed", gates=()) for job in report.jobs if job.metrics]
    report = replace(report, jobs=tuple(well), comparison=None, seeds=(), missing=(), exit_code=0)
    report = replace(report, verdict=replace(report.verdict, exit_code=0, reasons=()))
    runs = []
    for night in range(20):
        accuracy = (0.9 if night < 12 else 0.8) + 0.001 * (night * 7 % 5)
        jobs = tuple(
            replace(job, metrics={**job.metrics, "sequence_accuracy": accuracy}) for job in report.jobs
        )
        ended = f"2026-03-{night + 1:02d}T01:00:00+00:00"
        runs.append(Run(page.parent / f"{night}.json", replace(report, jobs=jobs, finished_at=ended)))
    path = page.parent / "trend.html"
    path.write_text(trend_page(runs, all_series(runs)), "utf-8")
    return path


@pytest.fixture
def show(browser, page):
    """Show the page as somebody with these settings sees it."""

    def shown(scheme="light", *, width=1280, height=1600, medium="screen", scripts=True, path=page):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(path.as_uri())
        return browser

    yield shown
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def pixels(browser):
    """Return what is on the screen, (height, width, 3) 0..255."""
    return np.asarray(Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB"), np.int16)


@pytest.mark.parametrize(("scheme", "ground"), [("light", (255, 255, 255)), ("dark", (20, 24, 29))])
def test_the_screen_is_not_blank_and_follows_the_reader_s_colours(show, scheme, ground):
    found = pixels(show(scheme))
    if directory := os.environ.get("SCREENSHOTS"):
        Image.fromarray(found.astype(np.uint8)).save(os.path.join(directory, f"{scheme}.png"))
    same = (np.abs(found - ground).max(axis=2) <= 2).mean()
    assert 0.5 < same < 0.95
    # a red verdict, and below it writing
    verdict, below = found[10:100], found[120:]
    assert (verdict[..., 0] - verdict[..., 1] > 25).mean() > 0.005
    assert len(np.unique(below.reshape(-1, 3), axis=0)) > 50


def test_it_needs_no_script(show):
    with_scripts = pixels(show())
    assert np.array_equal(pixels(show(scripts=False)), with_scripts)


def test_the_console_is_silent_and_nothing_is_loaded(show):
    browser = show()
    assert browser.get_log("browser") == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_a_script_would_not_run(show):
    """The policy of the page, should text from outside ever get through as markup."""
    browser = show()
    browser.execute_script(
        "const element = document.createElement('script'); element.textContent = 'window.ran = 1';"
        "document.body.append(element)"
    )
    assert browser.execute_script("return window.ran") is None
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


def test_every_drawing_is_shown_and_says_what_it_shows(show):
    browser = show()
    unfold(browser)
    drawn = browser.execute_script(
        "return [...document.images].map(i => [i.complete && i.naturalWidth > 100, i.alt])"
    )
    assert len(drawn) == 4 + 3  # curves, accuracy, contexts of each, and attention
    assert all(done for done, _ in drawn)
    assert all(re.match("Curves|Accuracy|Context|The source token", text) for _, text in drawn)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(show, scheme, width):
    checked = audited(show(scheme, width=width))
    assert {"color-contrast", "image-alt", "html-has-lang", "heading-order", "svg-img-alt"} <= checked
    assert {"document-title", "landmark-one-main", "list", "link-name"} <= checked


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_the_trend_too(show, trend, scheme, width):
    browser = show(scheme, width=width, path=trend)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert "first bad run: 13 of 20" in browser.find_element("tag name", "h1").text
    marks = (
        "return [...document.querySelectorAll('.chart a')].every(a => a.querySelector('title').textContent)"
    )
    assert browser.execute_script(marks)
    assert "color-contrast" in audited(browser)


def audited(browser):
    """Return the rules that axe found kept; it must find none broken."""
    from axe_selenium_python import Axe

    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    axe = Axe(browser)
    axe.inject()
    result = axe.run()
    assert json.dumps(result["violations"], indent=1) == "[]"
    return {rule["id"] for rule in result["passes"]}


@pytest.mark.parametrize("width", [1280, 390, 360])
def test_no_page_is_wider_than_the_screen(show, width):
    browser = show(width=width)
    unfold(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def unfold(browser):
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


def test_on_a_phone_rows_are_cards_and_nothing_scrolls_sideways(show, red):
    browser = show(width=390, path=red)
    unfold(browser)
    assert scrolled_sideways(browser) == []
    label = "return getComputedStyle(document.querySelector('.overview td'), '::before').content"
    assert browser.execute_script(label) == '"status"'
    left = "return [...document.querySelectorAll('.overview tbody tr:first-child > *')]"
    lefts = browser.execute_script(left + ".map(e => e.getBoundingClientRect().left)")
    assert len(set(lefts)) <= 2  # one below the other; a label's cell may begin where its card does


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_trend_fits_on_a_phone_and_its_rows_are_cards(show, trend, scheme):
    browser = show(scheme, width=390, path=trend)
    unfold(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert scrolled_sideways(browser) == []
    label = "return [...document.querySelectorAll('td[data-label]')].map(e =>"
    labels = browser.execute_script(label + " getComputedStyle(e, '::before').content)")
    assert {'"sequence accuracy"', '"validation sequence accuracy"', '"finished"', '"report"'} <= {*labels}
    left = "return [...document.querySelectorAll('tbody tr')].map(r => new Set([...r.children]"
    left += ".filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().left)).size)"
    assert max(browser.execute_script(left)) <= 2


def scrolled_sideways(browser):
    """Return the elements that are wider than what is shown of them."""
    wide = "return [...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 &&"
    wide += " getComputedStyle(e).overflowX != 'visible' && e.clientWidth > 1).map(e => e.outerHTML)"
    return browser.execute_script(wide)


@pytest.mark.parametrize(("width", "most"), [(1200, 5000), (390, 10_000)])
def test_eight_jobs_of_a_red_night_are_a_few_screens(show, red, width, most):
    browser = show(width=width, path=red)
    assert browser.execute_script("return document.documentElement.scrollHeight") < most
    assert red.stat().st_size < 1_500_000
    at = (
        browser.find_element("id", "baseline").location["y"],
        browser.find_element("id", "jobs").location["y"],
    )
    assert at[0] < 700 * (1 if width > 1000 else 2)
    assert at[0] < at[1]


def test_what_is_well_is_folded_and_a_link_unfolds_it(show, red):
    browser = show(width=1200, path=red)
    shown = "return [...document.querySelectorAll('details.job')]"
    shown += ".map(d => [d.querySelector('h2').innerText, d.open])"
    before = dict(browser.execute_script(shown))
    assert [name for name, opened in before.items() if opened] == ["broken", "g2p", "short"]
    browser.find_element("link text", "copy").click()
    assert dict(browser.execute_script(shown))["copy"]
    assert browser.execute_script("return [...document.images].some(i => i.checkVisibility())") is False


def test_no_picture_is_embedded_twice(red):
    sources = re.findall(r'<img src="([^"]+)"', red.read_text("utf-8"))
    assert len(sources) == len(set(sources)) == 4 * 7


def test_every_column_and_row_of_every_table_has_a_header_with_its_scope(show):
    browser = show()
    tables = browser.execute_script(
        "return [...document.querySelectorAll('table')].map(t => [t.querySelectorAll('tbody tr').length,"
        " t.querySelectorAll('tbody th[scope=row]').length, t.querySelectorAll('th:not([scope])').length])"
    )
    assert len(tables) > 10
    assert all(rows == headers and bare == 0 for rows, headers, bare in tables)


def test_links_within_the_page_and_to_files_lead_somewhere(show, page):
    browser = show()
    links = browser.execute_script("return [...document.links].map(a => a.getAttribute('href'))")
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    files = {link for link in links if not link.startswith("#")} - {"jobs/broken/error.txt"}
    assert len(files) > 10
    assert [link for link in files if not (page.parent / link).is_file()] == []


def test_paper_has_black_writing_on_white_and_what_is_folded(show):
    browser = show("dark", medium="print")
    style = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    assert browser.execute_script(style) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    heights = browser.execute_script(
        "return [...document.querySelectorAll('details table')].map(t => t.getBoundingClientRect().height)"
    )
    assert len(heights) > 5
    assert min(heights) > 10
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    pages = max(map(int, re.findall(rb"/Count (\d+)", pdf)))
    assert pages >= 5  # the table, and each job on a page of its own
