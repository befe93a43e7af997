"""The results of a batch that several nodes work on, as one node knows them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from job.batch.planning import PlannedJob
from job.batch.progress import Log
from job.batch.resume import read_recorded_result
from job.gating import gates
from job.results.job_result import JobResult
from job.results.shared_models import awaits_model
from job.storage.artifacts import OutputPaths


@dataclass
class QueueResults:
    """The results of all nodes.

    Args:
        output: the output directory.
        log: receives the results of other nodes.
        patience: seconds after which a result that cannot be read counts as unusable.
        by_name: results by job name; those of this node are added as soon as they are recorded.
        unusable: by job name, why a job that has ended has no result.
    """

    output: OutputPaths
    log: Log
    patience: float
    by_name: dict[str, JobResult]
    unusable: dict[str, str] = field(default_factory=dict)
    _unread_since: dict[str, float] = field(default_factory=dict)

    def known(self, name: str) -> bool:
        """Return whether a job has ended, with a result or without."""
        return name in self.by_name or name in self.unusable

    def lack_model_of(self, names: Sequence[str]) -> bool:
        """Return whether none of these jobs with the same training is trained, but one may still be."""
        return awaits_model(names, self.by_name, [name for name in names if not self.known(name)])

    @property
    def failed(self) -> bool:
        """Whether a job of any node has failed."""
        return any(result.status == "failed" for result in self.by_name.values())

    def collect(self, planned: PlannedJob, *, cancelled: bool = False) -> None:
        """Add the result of a job that another node has ended.

        A file server may show a result later than the end of its job.

        Args:
            planned: the job.
            cancelled: see `Ended`: there is no result to wait for.
        """
        name = planned.job.name
        if cancelled:
            self.unusable[name] = "it was cancelled while it was evaluated again; run the batch again"
            return
        since = self._unread_since.setdefault(name, time.monotonic())
        result, unreadable = read_recorded_result(self.output.job(name))
        if result is not None and result.fingerprint == planned.fingerprint:
            self.by_name[name] = gates.judge_result(result, planned.job.gate, planned.job.seeds)
            self.log.finished(self.by_name[name])
        elif time.monotonic() - since > self.patience:
            self.unusable[name] = unreadable or "another node has left no result of this spec"
