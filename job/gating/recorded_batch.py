"""Read an earlier batch: its `report.json` and, from an output directory, the predictions of its jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from job.errors import BaselineError
from job.results.checksums import damages
from job.results.records import JobResult, Prediction, Report
from job.storage.artifacts import OutputPaths
from job.storage.documents import read_regular, why


@dataclass(frozen=True)
class RecordedBatch:
    """A batch read from disk.

    Args:
        name: its path as the user wrote it.
        output: the directory that contains its `report.json`.
        report: content of that file.
    """

    name: str
    output: OutputPaths
    report: Report

    @cached_property
    def results(self) -> dict[str, JobResult]:
        """The results by job name, in the report's order."""
        return {result.name: result for result in self.report.jobs}

    @property
    def commit(self) -> str | None:
        """The Git commit that the jobs were run from; None if unknown or not the same for all jobs."""
        commits = {result.environment.get("git_commit") for result in self.report.jobs}
        return commits.pop() if len(commits) == 1 else None


def read_recorded(path: Path, role: str = "baseline") -> RecordedBatch:
    """Read the batch of an output directory, or of a `report.json` alone.

    Args:
        path: the directory or the file.
        role: how errors call the batch: `baseline` or `candidate`.

    Raises:
        BaselineError: it does not exist, cannot be read, has another schema version, or its last run did not
            start.
    """
    output = OutputPaths(path if path.is_dir() else path.parent)
    file = output.report if path.is_dir() else path
    try:
        batch = RecordedBatch(str(path), output, Report.from_json(read_regular(file)))
    except FileNotFoundError:
        raise BaselineError(f"{role} {path} {_absent(path)}") from None
    except OSError as error:
        raise BaselineError(f"{role} {file} cannot be read: {why(error)}") from error
    except ValueError as error:
        raise BaselineError(
            f"{role} {file} is not a report that this version reads ({why(error)}); run its batch again"
        ) from error
    if batch.report.unstarted:
        raise BaselineError(
            f"{role} {path} has no results of its last run, which did not start "
            f"({batch.report.unstarted[0]}); run its batch again"
        )
    return batch


def check_files(batch: RecordedBatch, names: Iterable[str], role: str = "baseline") -> None:
    """Check that the files of some jobs of a batch are unchanged since their results were written.

    Args:
        batch: read from disk. Files may be missing: a baseline has no models.
        names: of the jobs; names that the batch does not have are ignored.
        role: see `read_recorded`.

    Raises:
        BaselineError: files have changed; a sentence for each.
    """
    found = [
        f"{role} {batch.name}: job {name}: {batch.output.job(name).directory}/{problem}; run its batch again"
        for name in names
        if (result := batch.results.get(name)) is not None
        for problem in damages(batch.output.job(name).directory, result.artifacts, lambda _: True)
    ]
    if found:
        raise BaselineError("\n".join(found))


def _absent(path: Path) -> str:
    """Return what is missing at a path without a report, and what was expected, as a clause."""
    if path.is_dir() and OutputPaths(path).reports:
        return f"holds only the reports of shards; merge them with: seq2seq-job report {path}"
    found = "holds no report.json" if path.is_dir() else "is not there"
    return f"{found}; expected a report.json or an output directory, such as --output-dir of an earlier run"


def read_predictions(output: OutputPaths, result: JobResult) -> tuple[Prediction, ...] | None:
    """Return the predictions of a job, in the order of its test set; None if it has no file of them.

    Raises:
        BaselineError: the file is not the one whose checksum the result records, or cannot be read.
    """
    path = output.job(result.name).predictions
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {why(error)}") from error
    checksums = {artifact.path: artifact.sha256 for artifact in result.artifacts}
    if checksums.get(path.name) != hashlib.sha256(content).hexdigest():
        raise BaselineError(f"{path} is not the file that the result of job {result.name} lists")
    try:
        return tuple(map(Prediction.from_line, content.splitlines()))
    except ValueError as error:
        raise BaselineError(f"{path} has a line that is not a prediction: {why(error)}") from error
