"""Receive the messages of busy workers, and detect lost workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait

from job.errors import DependencyError
from job.results.job_result import Decoding, Failure, Progress
from job.workers.lost_workers import describe_exit, lost_worker
from job.workers.messages import Advanced, Broken, Failed, Finished, Interrupted, Joined, Joining, Ready
from job.workers.watcher import Watcher
from job.workers.worker_handle import Worker

POLL_SECONDS = 0.25
"""Maximum time to wait for a message, in seconds."""


@dataclass(frozen=True)
class Lost:
    """A worker has ended without finishing its task, not because the job raised an exception."""

    failure: Failure


Reply = Finished | Joined | Failed | Joining | Ready | Lost


def receive_replies(workers: Sequence[Worker], watcher: Watcher) -> Iterator[tuple[Worker, Reply]]:
    """Wait at most `POLL_SECONDS` for messages, and yield each with its worker.

    Messages about progress are not yielded: the watcher receives them.

    Args:
        workers: Workers with a task.
        watcher: Receiver of the progress of training.

    Raises:
        DependencyError: TensorFlow does not work in a worker.
    """
    by_connection: dict[object, Worker] = {worker.connection: worker for worker in workers}
    for connection in wait([worker.connection for worker in workers], timeout=POLL_SECONDS):
        worker = by_connection[connection]
        reply = _receive(worker, watcher)
        if reply is not None:
            yield worker, reply


def _receive(worker: Worker, watcher: Watcher) -> Reply | None:
    """Receive one message; see `receive_replies`. Return None for progress."""
    assert worker.task is not None
    try:
        message = worker.connection.recv()
    except (EOFError, OSError):
        return Lost(lost_worker(worker, describe_exit(worker.process)))
    match message:
        case Finished() | Joined() | Failed() | Joining() | Ready():
            return message
        case Interrupted(cause):  # on a signal from this process or from elsewhere
            return Lost(lost_worker(worker, f"was stopped by {cause}"))
        case Advanced(Decoding(share)):
            watcher.decoded(worker.task.job.name, share)
        case Advanced(Progress() as progress):
            worker.progress = progress
            watcher.advanced(worker.task.job.name, progress)
        case Broken(text):
            raise DependencyError(text)
    return None
