"""Replace the results of a baseline with those of a batch: all or none, whenever the process stops."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from job.batch.baseline_copy import copy_to_baseline
from job.batch.opened_output import opened_output
from job.batch.planning import write_fingerprints
from job.errors import OutputError
from job.gating import batch_verdict
from job.gating.recorded_batch import output_directory_of, read_recorded
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Report
from job.storage.artifacts import OutputPaths, refuse_links, write_text
from job.storage.staged_update import STAGED, complete_update, updating


def update_baseline(path: Path, output: OutputPaths, report: Report, planned: Sequence[str]) -> None:
    """Replace the results of a baseline with those of a batch.

    Results of planned jobs that were not run stay; those of jobs that are no longer planned are removed. The
    job directories that are replaced are set aside. Only what a comparison needs is copied: no models.

    Args:
        path: the baseline, an output directory or a `report.json`.
        output: of the batch.
        report: of the batch; its exit code is 0.
        planned: names of all jobs of the spec, in its order.

    Raises:
        BaselineError: the baseline can no longer be read.
        DamagedResultError: predictions of the batch have changed since they were recorded.
        OutputError: another process has locked the baseline.
        OSError: a file cannot be written. After any of these errors the baseline is as it was.
    """
    root = output_directory_of(path)
    if root is None:
        write_text(path, _updated(path, report, planned).to_json())
        return
    with opened_output(root) as baseline:
        updated = _updated(path, report, planned)
        refuse_links(baseline, [result.name for result in report.jobs])
        with updating(baseline) as new:
            for result in report.jobs:
                copy_to_baseline(output.job(result.name), new.job(result.name), result)
            write_fingerprints(new, {job.name: job.fingerprint for job in updated.jobs})
            write_reports(new, updated)
        with suppress(OSError):  # the new files are current already; the next process with the lock finishes
            complete_update(baseline)


def _updated(path: Path, report: Report, planned: Sequence[str]) -> Report:
    """Return the report of the next baseline."""
    kept = {**read_recorded(path).results, **{result.name: result for result in report.jobs}}
    jobs = [kept[name] for name in planned if name in kept]
    return build_report(
        [replace(job, reused=False) for job in jobs],
        started_at=datetime.fromisoformat(report.started_at),
        finished_at=datetime.fromisoformat(report.finished_at),
        verdict=batch_verdict.decide([job.name for job in jobs], jobs),
    )


def finish_update(path: Path) -> None:
    """Finish an update of a baseline that was interrupted, if this process may write to it.

    Otherwise readers find the new files nevertheless, see `staged_update`.

    Args:
        path: the baseline, as the user named it.
    """
    root = output_directory_of(path)
    if root is not None and (root / STAGED).is_dir():
        with suppress(OSError, OutputError), opened_output(root):
            pass  # opening it has finished the update
