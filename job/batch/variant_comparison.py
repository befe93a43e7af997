"""Compare two jobs of one batch on disk: the command `compare --jobs`."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from job.batch.recorded_candidate import read_candidate
from job.errors import UsageError
from job.gating import batch_verdict
from job.gating.comparison import compare_variants
from job.gating.recorded_batch import RecordedBatch
from job.results.batch_report import Verdict
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.spec.gate_section import GateSpec


def compare_jobs(path: Path, names: str) -> tuple[Comparison, Verdict]:
    """Compare two jobs of one batch on disk, and judge the second by the first.

    The plan's gate of the second job says what counts as a regression. Variants may differ in their training
    data; what they must share are the test examples.

    Args:
        path: an output directory or a `report.json`.
        names: names of the jobs, the baseline first, with a comma between them.

    Raises:
        DamagedResultError: a file of the jobs has changed since it was recorded.
        OutputError: the batch is missing or cannot be read.
        UsageError: `names` are not two jobs of the batch.
    """
    candidate = read_candidate(path)
    first, second = _two_jobs(candidate.batch, names)
    candidate.check_files([first.name, second.name])
    (second,), (entry,) = candidate.judged([second])
    gate = (entry.gate or GateSpec()).model_copy(update={"baseline": "same_test"})
    comparison = compare_variants(candidate.batch, first, second, gate)
    return comparison, batch_verdict.conclude(batch_verdict.comparison_findings(comparison.jobs))


def _two_jobs(batch: RecordedBatch, names: str) -> tuple[JobResult, JobResult]:
    asked = [name.strip() for name in names.split(",")]
    if len(asked) != 2 or asked[0] == asked[1]:
        raise UsageError(f"--jobs: expected the names of two jobs as BASELINE,CANDIDATE, found {names!r}")
    for name in asked:
        if name not in batch.results:
            known = ", ".join(islice(batch.results, 5)) or "none"
            raise UsageError(f"--jobs: {batch.name} has no result of a job {name!r}; its jobs: {known}")
    return batch.results[asked[0]], batch.results[asked[1]]
