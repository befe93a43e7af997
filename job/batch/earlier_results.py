"""Finished results outside a job's own directory: in `superseded/`, and in the directories of other jobs.

A job's name decides nothing, so a job that was renamed, copied or changed back takes its result from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from job.batch.derived_files import model_damage, result_damage
from job.batch.resume import read_recorded_result
from job.results.job_result import FINISHED, JobResult
from job.spec.fingerprints import Fingerprints
from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.documents import read_json
from job.storage.moving import TEMPORARY


@dataclass(frozen=True)
class EarlierResult:
    """A finished result outside a job's own directory.

    Args:
        directory: the job directory that has it.
        result: its record.
        movable: whether it may be moved, not only copied: it is one of the job's own in `superseded/`.
    """

    directory: Path
    result: JobResult
    movable: bool


@dataclass(frozen=True)
class _Candidate:
    directory: Path
    name: str
    fingerprints: Fingerprints
    superseded: bool


class EarlierResults:
    """The finished results in an output directory, which is read when the first one is asked for.

    Args:
        output: the output directory.
    """

    def __init__(self, output: OutputPaths) -> None:
        self._output = output
        self._by_training: dict[str, list[_Candidate]] | None = None

    def complete(self, name: str, fingerprints: Fingerprints) -> EarlierResult | None:
        """Return a result with the same fingerprints and whole files; None if there is none."""
        for candidate in self._candidates(name, fingerprints):
            if candidate.fingerprints.evaluation != fingerprints.evaluation:
                continue
            found = _read(candidate, name)
            if found and not result_damage(JobPaths(found.directory), found.result):
                return found
        return None

    def trained(self, name: str, fingerprints: Fingerprints) -> EarlierResult | None:
        """Return a result whose model has the same training fingerprint and is whole; None if none has."""
        for candidate in self._candidates(name, fingerprints):
            found = _read(candidate, name)
            if found and not model_damage(JobPaths(found.directory), found.result):
                return found
        return None

    def _candidates(self, name: str, fingerprints: Fingerprints) -> list[_Candidate]:
        """Return candidates for a job, its own from `superseded/` first, then those of other jobs."""
        if self._by_training is None:
            self._by_training = {}
            for candidate in _scan(self._output):
                self._by_training.setdefault(candidate.fingerprints.training, []).append(candidate)
        found = self._by_training.get(fingerprints.training, [])
        elsewhere = [c for c in found if c.superseded or c.directory.name != name]
        return sorted(elsewhere, key=lambda c: (not (c.superseded and c.name == name), c.superseded))


def _scan(output: OutputPaths) -> Iterator[_Candidate]:
    """Yield every finished result in an output directory, as far as it can be read."""
    for folder in (output.superseded, output.jobs):
        with suppress(OSError):
            for directory in sorted(folder.iterdir()) if not folder.is_symlink() else ():
                if directory.is_dir() and not directory.is_symlink() and TEMPORARY not in directory.name:
                    with suppress(OSError, ValueError, LookupError, TypeError):
                        yield _candidate(directory, superseded=folder == output.superseded)


def _candidate(directory: Path, *, superseded: bool) -> _Candidate:
    """Return what the few keys of a result say that decide whether to read all of it.

    Raises:
        OSError, ValueError, LookupError, TypeError: it cannot be read, or is not finished.
    """
    record = read_json(JobPaths(directory).result)
    training, evaluation = record["training_fingerprint"], record["fingerprint"]
    if record["status"] not in FINISHED or not training:
        raise ValueError("not a finished result with a training fingerprint")
    fingerprints = Fingerprints(training=str(training), evaluation=str(evaluation))
    return _Candidate(directory, str(record["name"]), fingerprints, superseded)


def _read(candidate: _Candidate, name: str) -> EarlierResult | None:
    result, _ = read_recorded_result(JobPaths(candidate.directory))
    if result is None or not result.finished:
        return None
    return EarlierResult(candidate.directory, result, candidate.superseded and result.name == name)
