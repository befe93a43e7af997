"""Reports of many runs."""

from datetime import timedelta

import pytest
from nightly_runs import START

from job.gating.batch_verdict import decide
from job.reports.report_files import build_report


@pytest.fixture
def nights(tmp_path):
    """Write the report of one night after the other."""

    def write(*batches, names=None):
        for number, jobs in enumerate(batches):
            directory = tmp_path / (names[number] if names else f"night-{number + 1:02d}")
            directory.mkdir()
            at = START + timedelta(days=number)
            report = build_report(jobs, started_at=at, finished_at=at, verdict=decide([], jobs))
            (directory / "report.json").write_text(report.to_json())
        return tmp_path

    return write
