"""The task that a worker process receives: a job and the place of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from job.results.job_result import JobResult
from job.spec.file_locations import PlannedData
from job.spec.schema import JobSpec
from job.storage.artifacts import JobPaths
from job.storage.lease import Lease


@dataclass(frozen=True, kw_only=True)
class StartModel:
    """The trained model that a training starts from.

    Args:
        model: its model directory.
        job: the name of the job of the same spec that has it; None for any other directory.
        identity: the job's training fingerprint, or the checksum of the model's files, see
            `PlannedData.start`.
    """

    model: Path
    job: str | None
    identity: str


@dataclass(frozen=True, kw_only=True)
class ClusterPlace:
    """The place of this process among those that train one model together.

    Args:
        rank: its number; process 0 is the chief, which writes the results.
        variables: environment variables of its worker, by which TensorFlow finds the others.
        key: identifies the attempt, for all processes.
        evaluates: whether this process takes part in the evaluation of a saved model alone, without training;
            of the chief `Task.trained` says so.
    """

    rank: int
    variables: Mapping[str, str]
    key: str
    evaluates: bool = False


@dataclass(frozen=True)
class Task:
    """A job to run.

    Args:
        job: the resolved spec.
        fingerprint: the job's evaluation fingerprint, see `job.spec.fingerprints.Fingerprints`.
        directory: the spec directory; names of data files are relative to it.
        paths: the files of the job directory.
        commit: git commit of the user's repository, for the record.
        dirty: whether files of that repository differed from the commit; None if unknown.
        attempt: attempt number, from 1; larger if a worker process was lost.
        tensorboard: whether to write a TensorBoard event file.
        live_history: whether to write the history while the job is trained, see `LiveHistory`.
        threads: number of operations that TensorFlow may run at once; takes effect with the first task of a
            worker and does not affect results.
        problem_fingerprint: see `job.spec.fingerprints.problem_fingerprint`.
        data: checksums of the data when the batch was planned; None to accept any data.
        training_fingerprint: see `job.spec.fingerprints.Fingerprints`; empty to use `fingerprint` for both.
        trained: a finished result of the same training, whose model in the job directory is evaluated again;
            None to train.
        model_of: the job that left the model to evaluate, if that is another one.
        after: jobs of the batch with the same training, for one of which this task waits to evaluate its
            model, see `JobControl.prepare`; empty for a task that can be run as it is.
        start: the model that training starts from, if there is one.
        cluster: the place of this process, if several train the model together.
        lease: the right to work on the job, if several machines share the batch.
        cache: the directory of the cache of tokenized data; None to use none.
    """

    job: JobSpec
    fingerprint: str
    directory: Path
    paths: JobPaths
    commit: str | None
    dirty: bool | None = None
    attempt: int = 1
    tensorboard: bool = False
    live_history: bool = False
    threads: int = 1
    problem_fingerprint: str = ""
    data: PlannedData | None = None
    training_fingerprint: str = ""
    trained: JobResult | None = None
    model_of: str | None = None
    after: tuple[str, ...] = ()
    start: StartModel | None = None
    cluster: ClusterPlace | None = None
    lease: Lease | None = None
    cache: Path | None = None

    @property
    def is_member(self) -> bool:
        """Whether another process of a cluster writes the results."""
        return self.cluster is not None and self.cluster.rank > 0

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables with which a worker must be started for this task."""
        return self.cluster.variables if self.cluster is not None else {}

    @property
    def waits_for(self) -> str | None:
        """The name of the job of the batch that must be finished before this one is started, if any."""
        return self.start.job if self.start is not None and self.trained is None else None

    def check_lease(self) -> None:
        """Check that no other machine has taken the job over; raises `LeaseLostError`."""
        if self.lease is not None:
            self.lease.check()

    @property
    def is_lost(self) -> bool:
        """Whether another machine has taken the job over."""
        return self.lease is not None and not self.lease.held
