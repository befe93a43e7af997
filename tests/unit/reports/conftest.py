"""Reports of the sample results, and golden files."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL

from job.gating.batch_verdict import decide
from job.reports.report_files import build_report
from job.results.batch_report import Report
from job.results.job_result import JobResult

GOLDEN = Path(__file__).parents[2] / "golden"
STARTED = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """Build the report of some results, judged by the real gates."""

    def make(*results: JobResult, missing: tuple[str, ...] = (), reused: tuple[str, ...] = ()) -> Report:
        return build_report(
            results,
            started_at=STARTED,
            finished_at=STARTED + timedelta(minutes=2),
            verdict=decide([*(result.name for result in results), *missing], results),
            missing=missing,
            reused=reused,
        )

    return make


@pytest.fixture
def mixed(make_report: Callable[..., Report]) -> Report:
    return make_report(TUTORIAL, SHORT, BROKEN, STOPPED, missing=("never-run",), reused=("tutorial",))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a file in tests/golden; with UPDATE_GOLDEN=1 in the environment, write the file."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare
