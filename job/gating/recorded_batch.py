"""What a batch left: its `report.json` and, where it lies in an output directory, its predictions."""

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
        name: where it lies, as the user named it.
        output: the directory that its `report.json` lies in.
        report: what it says.
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
        """The commit that its jobs were run at; None where it is not known, or not the same for all."""
        commits = {result.environment.get("git_commit") for result in self.report.jobs}
        return commits.pop() if len(commits) == 1 else None


def read_recorded(path: Path, role: str = "baseline") -> RecordedBatch:
    """Read an output directory, or a `report.json` alone.

    Args:
        path: of either.
        role: what the batch is for whoever reads an error.

    Raises:
        BaselineError: it is not there, cannot be read, or was written by another version's schema.
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
            f"{role} {file} is no report that this version reads ({why(error)}); run its batch again"
        ) from error
    if batch.report.unstarted:
        raise BaselineError(
            f"{role} {path} has no results of its last run, which did not start "
            f"({batch.report.unstarted[0]}); run its batch again"
        )
    return batch


def check_files(batch: RecordedBatch, names: Iterable[str], role: str = "baseline") -> None:
    """See that the files that a batch still has of some jobs are those that its results tell of.

    Args:
        batch: read from disk; a baseline holds no models, so files may be missing.
        names: of the jobs; those that it does not have are passed over.
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
    if path.is_dir() and OutputPaths(path).reports:
        return f"holds reports of shards alone; merge them with: seq2seq-job report {path}"
    found = "holds no report.json" if path.is_dir() else "is not there"
    return f"{found}; expected a report.json or an output directory, such as --output-dir of an earlier run"


def read_predictions(output: OutputPaths, result: JobResult) -> tuple[Prediction, ...] | None:
    """Return the predictions of a job, None where there is no file of them.

    Raises:
        BaselineError: the file is not the one that the result tells of, or cannot be read.
    """
    path = output.job(result.name).predictions
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {why(error)}") from error
    told = {artifact.path: artifact.sha256 for artifact in result.artifacts}
    if told.get(path.name) != hashlib.sha256(content).hexdigest():
        raise BaselineError(f"{path} is not the file that the result of job {result.name} tells of")
    try:
        return tuple(map(Prediction.from_line, content.splitlines()))
    except ValueError as error:
        raise BaselineError(f"{path} holds a line that is no prediction: {why(error)}") from error
