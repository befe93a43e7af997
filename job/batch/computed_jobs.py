"""What a run has done with the jobs of its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from job.process.stopping import Request
from job.results.batch_report import SetAside
from job.results.job_result import JobResult


@dataclass(frozen=True, kw_only=True)
class ComputedJobs:
    """The results of a run, before the batch is judged.

    Args:
        results: by job name.
        reused: names of the jobs that were done before.
        set_aside: what was in the way.
        stopped_by: the request that stopped the run before all jobs ended, if any.
        unusable: by job name, why a result cannot be used.
        began_at: when the batch began, if that was before this run.
    """

    results: Mapping[str, JobResult]
    reused: Sequence[str]
    set_aside: Sequence[SetAside]
    stopped_by: Request | None
    unusable: Mapping[str, str] = field(default_factory=dict)
    began_at: datetime | None = None
