"""Result files -> reports, without training anything."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from job import gates
from job.artifacts import OutputPaths, prepare_output
from job.batch.plan import read_plan
from job.errors import OutputError
from job.reports.build import build_report
from job.reports.writing import write_reports
from job.results import JobResult, Report


def rebuild_report(output_dir: Path) -> Report:
    """Read a batch's results, hold them against its plan, and write its reports again.

    Raises:
        OutputError: there is no plan, or a result file cannot be read.
    """
    began = datetime.now(timezone.utc)
    output = OutputPaths(output_dir)
    try:
        plan = read_plan(output.plan)
    except (OSError, ValueError) as error:
        raise OutputError(f"{output_dir} holds no batch ({error}); expected what a run left there") from error
    prepare_output(output_dir)
    results = {
        name: _read(output, name, mark) for name, mark in plan.items() if output.job(name).result.exists()
    }
    report = build_report(
        list(results.values()),
        started_at=began,
        finished_at=datetime.now(timezone.utc),
        verdict=gates.decide(list(plan), list(results.values())),
        missing=[name for name in plan if name not in results],
        reused=list(results),
    )
    write_reports(output, report)
    return report


def _read(output: OutputPaths, name: str, fingerprint: str) -> JobResult:
    path = output.job(name).result
    try:
        result = JobResult.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); train the job again"
        ) from error
    if result.fingerprint != fingerprint:
        raise OutputError(
            f"{path} is of another spec than plan.json (fingerprint {result.fingerprint[:8]}, planned "
            f"{fingerprint[:8]}); train the job again"
        )
    return result
