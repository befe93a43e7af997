"""The state of each job of a batch, read from its output directories by any process on any machine.

Nothing is written, and no file that is damaged, half written or gone between two looks is an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from job.batch.gather import common_plan, distinct
from job.batch.heartbeat import HEARTBEAT_SECONDS, Heartbeat, is_recent, read_heartbeat, this_machine
from job.batch.job_state import FURTHEST, JobStatus, ended_status, lost_status, running_status
from job.batch.resume import read_recorded_result
from job.gating.plan_file import PlanEntry
from job.results.job_result import JobResult
from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.store_address import shown
from job.training.checkpoints import checkpointed_fingerprints


@dataclass(frozen=True)
class _Look:
    """What one look at a job directory has shown.

    Args:
        status: the state of the job.
        doubted: its heartbeat, if that must be read again to know whether the process lives.
        paths: of the job; None without doubt.
    """

    status: JobStatus
    doubted: Heartbeat | None = None
    paths: JobPaths | None = None


@dataclass
class StatusReader:
    """Reads the state of a batch, again and again; results that have not changed are read once.

    Args:
        directories: the output directory of a batch, or those of its shards.
        refresh: brings the directories up to date before each look.
        beat_seconds: seconds between two heartbeats in the directories.
    """

    directories: Sequence[Path]
    refresh: Callable[[], object] = lambda: None
    beat_seconds: float = HEARTBEAT_SECONDS
    _results: dict[Path, tuple[tuple[int, int], JobResult | str]] = field(default_factory=dict)
    _lost: dict[Path, int] = field(default_factory=dict)

    def plan(self) -> dict[str, PlanEntry]:
        """Return the batch's jobs by name, in the spec's order.

        Raises:
            OutputError: a directory is missing or has no plan, or two are of different specs.
        """
        outputs = distinct(self.directories)
        return common_plan(outputs, outputs)

    def read(self) -> list[JobStatus]:
        """Return the state of every job, in the order of the plan; raises as `plan` does.

        Heartbeats of other machines that seem too old, or seem to come from the future, are read a second
        time after a few seconds: clocks may differ, but a process that lives has written another by then.
        """
        self.refresh()
        plan, outputs = self.plan(), distinct(self.directories)
        seen = {name: [self._look(output, entry) for output in outputs] for name, entry in plan.items()}
        if any(look.doubted for looks in seen.values() for look in looks):
            time.sleep(2.5 * self.beat_seconds)
            self.refresh()
        return [
            min((self._decided(look) for look in looks), key=lambda status: FURTHEST.index(status.state))
            for looks in seen.values()
        ]

    def _look(self, output: OutputPaths, entry: PlanEntry) -> _Look:
        """Return a job's state in one output directory."""
        paths = output.job(entry.name)
        heartbeat = read_heartbeat(paths)  # before the result, which takes its place
        result = self._result(paths)
        works = heartbeat is not None and is_recent(heartbeat)  # also if it replaces a result
        if isinstance(result, JobResult) and result.fingerprint == entry.fingerprint and not works:
            return _Look(ended_status(entry, result))
        if heartbeat is not None:
            status = running_status(entry.name, heartbeat)
            if is_recent(heartbeat):
                return _Look(status)
            sure = heartbeat.machine == this_machine() or self._lost.get(paths.progress) == heartbeat.count
            return _Look(lost_status(status)) if sure else _Look(status, heartbeat, paths)
        if isinstance(result, str):
            return _Look(
                JobStatus(name=entry.name, state="failed", reason=f"{shown(paths.result)}: {result}")
            )
        if result is None and checkpointed_fingerprints(paths.checkpoint):
            return _Look(JobStatus(name=entry.name, state="interrupted", reason="it left a checkpoint"))
        other = "its result is of another spec, data or version" if result is not None else None
        return _Look(JobStatus(name=entry.name, state="waiting", reason=other))

    def _decided(self, look: _Look) -> JobStatus:
        """Return the state of a job, whose heartbeat is read again if there was doubt."""
        if look.doubted is None or look.paths is None:
            return look.status
        again = read_heartbeat(look.paths)
        if again is not None and again.count != look.doubted.count:
            return running_status(look.status.name, again)
        self._lost[look.paths.progress] = look.doubted.count
        return lost_status(look.status)

    def _result(self, paths: JobPaths) -> JobResult | str | None:
        """Return a job's result, None without one, or why it cannot be read."""
        try:
            stat = paths.result.stat()
        except OSError:
            return None
        version = (stat.st_mtime_ns, stat.st_size)
        known = self._results.get(paths.result)
        if known is None or known[0] != version:
            result, unreadable = read_recorded_result(paths)
            if result is None and not unreadable:
                return None
            known = self._results[paths.result] = (version, result or unreadable)
        return known[1]
