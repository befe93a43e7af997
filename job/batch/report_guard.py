"""Reports for a run that ends before it could report, in place of those of an earlier run.

Whoever reads the output directory after a run (an alert on `metrics.prom`, a CI system that collects
`junit.xml`) must not take the reports of an earlier run for those of this one.
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
from job.storage.store_address import with_addresses

if TYPE_CHECKING:  # loading pydantic takes a while, and few runs need it here
    from job.results.batch_report import Report
    from job.storage.artifacts import OutputPaths


@dataclass
class ReportGuard:
    """The guarantee that a run, or a merge, leaves reports however it ends.

    Args:
        root: the output directory.
        shard: the shard's label in the names of the run's own reports, '' for a whole batch; None while it is
            not known.
        planned: whether `plan.json` is that of this run: `report` then judges the results by it.
        reported: whether the run has written its reports, which are then left as they are.
        report: of the run, once it has one.
        replaced: whether reports of an error have replaced those of an earlier run.
        began: when the run began.
    """

    root: Path
    shard: str | None = ""
    planned: bool = False
    reported: bool = False
    report: Report | None = None
    replaced: bool = False
    began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @contextmanager
    def reports_on_error(self) -> Iterator[None]:
        """If the block raises before the run's own reports are written, write reports of the error."""
        try:
            yield
        except BaseException as error:
            if not self.reported and (described := describe_error(error)):
                with suppress(OSError):
                    self.write(*described)
            raise

    def start(self) -> None:
        """Note that the plan is written, and remove the reports of an earlier run that did not start."""
        from job.results.batch_report import Report
        from job.storage.artifacts import OutputPaths

        self.planned = True
        own = OutputPaths(self.root, self.shard or "")
        with suppress(OSError, ValueError):
            if Report.from_json(own.report.read_bytes()).unstarted:
                _remove(own.report_files)

    def write(self, exit_code: int, text: str) -> None:
        """Replace earlier reports: the run's own and, for a shard, those of the whole batch.

        Nothing is written to a directory where no batch has left anything, or which another process has
        locked.

        Args:
            exit_code: of the run.
            text: why it ended, a reason on each line.

        Raises:
            OSError: earlier reports can be neither replaced nor removed.
        """
        from job.batch.lock import EXCLUSIVE, lock_output
        from job.storage.artifacts import OutputPaths

        whole = OutputPaths(self.root)
        own = replace(whole, shard=self.shard or "")
        if not any(path.exists() for path in (*own.report_files, *whole.report_files, whole.plan)):
            return
        reasons = text.splitlines() or [f"the run ended with exit code {exit_code}"]
        with suppress(OutputError), lock_output(self.root, f"shard-{own.shard}" if own.shard else EXCLUSIVE):
            if self.shard is not None:
                self._write_reports(own, exit_code, reasons, () if self.planned else reasons)
            if self.shard != "" and any(path.exists() for path in whole.report_files):
                place = f"shard {self.shard}: " if self.shard else ""
                self._write_reports(whole, exit_code, [place + reason for reason in reasons], ())

    def _write_reports(
        self, output: OutputPaths, exit_code: int, reasons: Sequence[str], unstarted: Sequence[str]
    ) -> None:
        from job.reports.report_files import build_report, write_reports
        from job.results.batch_report import Verdict

        report = build_report(
            [],
            started_at=self.began,
            finished_at=datetime.now(timezone.utc),
            verdict=Verdict(exit_code, tuple(reasons)),
            unstarted=unstarted,
        )
        try:
            write_reports(output, report)
            self.replaced = True
        except OSError:  # on a full disk files can still be removed
            _remove(output.report_files)


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)


def describe_error(error: BaseException) -> tuple[int, str] | None:
    """Return the exit code and the message with which an error ends the command.

    Returns:
        None for `typer.Exit` and `SystemExit`, which carry an exit code and are no errors.
    """
    match error:
        case Stopped():
            described = error.request.exit_code, f"stopped by {error.request.cause}"
        case KeyboardInterrupt():
            described = SIGINT_EXIT, "stopped by SIGINT"
        case JobError():
            described = error.exit_code, str(error)
        case OSError():
            place = error.filename or "a file"
            described = FAILED, f"{place}: {error.strerror or error}; the batch cannot continue"
        case Exception() if hasattr(error, "format_message"):  # of a wrong option
            described = getattr(error, "exit_code", FAILED), error.format_message()
        case Exception() if not hasattr(error, "exit_code"):
            described = FAILED, f"this is a bug of seq2seq-job: {type(error).__name__}: {error}"
        case _:
            return None
    return described[0], with_addresses(described[1])
