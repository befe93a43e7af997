"""A run that ends before it can report -> reports that say so, in place of those of an earlier run.

Who reads the output directory after a run (an alert on `metrics.prom`, a CI system that collects `junit.xml`)
must not take the reports of an earlier run for those of this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from job.errors import FAILED, SIGINT_EXIT, JobError, OutputError
from job.process.stopping import Stopped

if TYPE_CHECKING:  # loading pydantic takes a while, and few runs end so
    from job.storage.artifacts import OutputPaths


@dataclass
class Ending:
    """How a run, or a merge, is on its way to its reports.

    Args:
        root: the output directory.
        shard: as in the names of the run's own reports; None while it is not known.
        planned: whether `plan.json` is that of this run: `report` then judges what there is by it.
        reported: whether the reports are written; they are then left as they are.
    """

    root: Path
    shard: str | None = ""
    planned: bool = False
    reported: bool = False
    began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @contextmanager
    def recorded(self) -> Iterator[Ending]:
        """Write reports of whatever ends the block, unless the run's own are written by then."""
        try:
            yield self
        except BaseException as error:
            if not self.reported and (told := explain(error)):
                with suppress(OSError):
                    self.record(*told)
            raise

    def start(self) -> None:
        """Note that the plan is written, and remove reports of an earlier run that never came to that."""
        from job.results.records import Report
        from job.storage.artifacts import OutputPaths

        self.planned = True
        own = OutputPaths(self.root, self.shard or "")
        with suppress(OSError, ValueError):
            if Report.from_json(own.report.read_bytes()).unstarted:
                _remove(own.report_files)

    def record(self, exit_code: int, text: str) -> None:
        """Write reports in place of earlier ones: this run's own and, of a shard, those of the whole batch.

        Nothing is written where no batch left anything, and where somebody else holds the directory.

        Raises:
            OSError: what is there can be neither replaced nor removed.
        """
        from job.batch.lock import ALL, lock_output
        from job.storage.artifacts import OutputPaths

        whole = OutputPaths(self.root)
        own = replace(whole, shard=self.shard or "")
        if not any(path.exists() for path in (*own.report_files, *whole.report_files, whole.plan)):
            return
        reasons = text.splitlines() or [f"the run ended with exit code {exit_code}"]
        with suppress(OutputError), lock_output(self.root, f"shard-{own.shard}" if own.shard else ALL):
            if self.shard is not None:
                self._write(own, exit_code, reasons, () if self.planned else reasons)
            if self.shard != "" and any(path.exists() for path in whole.report_files):
                place = f"shard {self.shard}: " if self.shard else ""
                self._write(whole, exit_code, [place + reason for reason in reasons], ())

    def _write(
        self, output: OutputPaths, exit_code: int, reasons: Sequence[str], unstarted: Sequence[str]
    ) -> None:
        from job.reports.build import build_report
        from job.reports.report_files import write_reports
        from job.results.records import Verdict

        report = build_report(
            [],
            started_at=self.began,
            finished_at=datetime.now(timezone.utc),
            verdict=Verdict(exit_code, tuple(reasons)),
            unstarted=unstarted,
        )
        try:
            write_reports(output, report)
        except OSError:  # on a full disk files can still be removed
            _remove(output.report_files)


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)


def explain(error: BaseException) -> tuple[int, str] | None:
    """Return the exit code and the sentences that an error ends the command with.

    Returns:
        None for what is no error: the command leaves with an exit code of its own.
    """
    match error:
        case Stopped():
            told = error.request.exit_code, f"stopped by {error.request.cause}"
        case KeyboardInterrupt():
            told = SIGINT_EXIT, "stopped by SIGINT"
        case JobError():
            told = error.exit_code, str(error)
        case OSError():
            what = f"{error.filename or 'a file'}: {error.strerror or error}"
            told = FAILED, f"{what}; the batch cannot go on"
        case Exception() if hasattr(error, "format_message"):  # of a wrong option
            told = getattr(error, "exit_code", FAILED), error.format_message()
        case Exception() if not hasattr(error, "exit_code"):
            told = FAILED, f"this is a bug of seq2seq-job: {type(error).__name__}: {error}"
        case _:
            return None
    return told
