"""Read an earlier batch: its `report.json` and, from an output directory, the predictions of its jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from job.errors import BaselineError
from job.results.batch_report import Report
from job.results.checksums import damages
from job.results.job_result import JobResult
from job.results.predictions import Prediction
from job.storage.artifacts import OutputPaths
from job.storage.documents import read_regular, why
from job.storage.staged_update import places_of_job, read_current
from job.storage.store_address import shown


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
        return common_commit(self.report.jobs)


def common_commit(results: Iterable[JobResult]) -> str | None:
    """Return the Git commit that jobs were run from; None if unknown or not the same for all of them."""
    commits = {result.environment.get("git_commit") for result in results}
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
    directory = output_directory_of(path)
    output = OutputPaths(directory or path.parent)
    file = output.report if directory else path
    try:
        content = read_current(output, file) if directory else read_regular(file)
        batch = RecordedBatch(shown(path), output, Report.from_json(content))
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


def output_directory_of(path: Path) -> Path | None:
    """Return the output directory of a batch on disk; None for a `report.json` alone.

    A `report.json` with a `jobs` directory beside it belongs to that output directory.

    Args:
        path: of an output directory or a `report.json`.
    """
    if path.is_dir():
        return path
    output = OutputPaths(path.parent)
    return path.parent if path.name == output.report.name and output.jobs.is_dir() else None


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
        f"{role} {batch.name}: job {name}: {problem}; run its batch again"
        for name in names
        if (result := batch.results.get(name)) is not None
        for problem in _damages(batch.output, result)
    ]
    if found:
        raise BaselineError("\n".join(found))


def _damages(output: OutputPaths, result: JobResult) -> Iterator[str]:
    """Yield a clause for each changed file of a job.

    An update of a baseline that was interrupted may have left the recorded file in another place; a file is
    changed if no copy of it has the recorded checksum. Missing files are not reported.
    """
    for artifact in result.artifacts:
        found = [
            (place, [*damages(place, [artifact], lambda _: True)])
            for place in places_of_job(output, result.name)
            if (place / artifact.path).exists()
        ]
        current = [(place, problems) for place, problems in found if output.superseded not in place.parents]
        if current and all(problems for _, problems in found):
            place, problems = current[0]
            yield f"{place}/{problems[0]}"


def _absent(path: Path) -> str:
    """Return what is missing at a path without a report, and what was expected, as a clause."""
    if path.is_dir() and OutputPaths(path).reports:
        return f"holds only the reports of shards; merge them with: seq2seq-job report {path}"
    found = "holds no report.json" if path.is_dir() else "is not there"
    return f"{found}; expected a report.json or an output directory, such as --output-dir of an earlier run"


def read_predictions(
    output: OutputPaths, result: JobResult, *, validation: bool = False
) -> tuple[Prediction, ...] | None:
    """Return the predictions of a job, in the order of its examples; None if it has no file of them.

    Args:
        output: the output directory.
        result: of the job.
        validation: whether those of the validation examples are meant, not those of the test.

    Raises:
        BaselineError: the file is not the one whose checksum the result records, or cannot be read.
    """
    paths = output.job(result.name)
    path = paths.validation_predictions if validation else paths.predictions
    content = _recorded_predictions(output, result, path.name)
    if content is None:
        return None
    try:
        return tuple(map(Prediction.from_line, content.splitlines()))
    except ValueError as error:
        raise BaselineError(f"{path} has a line that is not a prediction: {why(error)}") from error


def _recorded_predictions(output: OutputPaths, result: JobResult, name: str) -> bytes | None:
    """Return the content of a file of predictions that a result records, wherever an update left it.

    Returns:
        None if the job has no such file.

    Raises:
        BaselineError: it has another checksum, or cannot be read.
    """
    recorded = {artifact.path: artifact.sha256 for artifact in result.artifacts}.get(name)
    other: Path | None = None
    for place in places_of_job(output, result.name):
        try:
            content = read_regular(place / name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise BaselineError(f"{place / name} cannot be read: {why(error)}") from error
        if hashlib.sha256(content).hexdigest() == recorded:
            return content
        if output.superseded not in place.parents:
            other = other or place / name
    if other is None:
        return None
    raise BaselineError(f"{other} is not the file that the result of job {result.name} lists")
