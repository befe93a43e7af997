"""What changed between two runs besides the metrics, as sentences without markup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from job.gating.differences import changed_settings
from job.process.git import commits_between
from job.reports.what_changed import NOTHING_CHANGED, change_lines, commit_lines
from job.trend.runs import Run


def run_differences(before: Run, now: Run) -> Iterator[str]:
    """Yield a line for each change between the jobs that two runs share, then the commits between the two.

    Git is asked in the working directory.

    Args:
        before, now: consecutive runs.
    """
    earlier = {job.name: job for job in before.report.jobs}
    shared = [(earlier[job.name], job) for job in now.report.jobs if job.name in earlier]
    if not shared:
        return
    lines = [*change_lines({job.name: changed_settings(was, job) for was, job in shared})]
    yield from lines or [NOTHING_CHANGED]
    yield from commit_lines(*commits_between(Path.cwd(), before.commit, now.commit))
