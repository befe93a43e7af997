"""The parent's handle of a worker process: start it, give it tasks, and stop it.

This module imports little, because a worker needs seconds to load TensorFlow and is started first.
"""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import IO, TYPE_CHECKING

from job.process.import_path import worker_command, worker_variables
from job.process.tensorflow_loading import IGNORED_VARIABLES, VARIABLES

if TYPE_CHECKING:
    from job.results.job_result import Progress
    from job.running.task import Task


CLUSTER_VARIABLE = "TF_CONFIG"
"""The environment variable by which TensorFlow joins a cluster."""


@dataclass
class Worker:
    """A worker process and its current task.

    Args:
        process, connection: The process, and the parent's end of the connection to it.
        output: File with what the process prints before its first job.
        variables: Environment variables that select its device; a replacement gets the same.
        joining: Whether it has loaded TensorFlow, which waits for the other processes of the cluster.
        ready: Whether TensorFlow works; in a cluster, with the other processes.
        task: The current task; None if it is free.
        log_start: Size of the task's log in bytes when the attempt began; earlier lines are from other
            attempts.
        progress: The last progress of the task; None before the first.
        deadline: Deadline of the current task, in monotonic seconds.
        spent: Whether it must be replaced before its next task.
        cancelling: Whether its task is being cancelled: it saves its state and exits.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    output: IO[bytes]
    variables: Mapping[str, str] = field(default_factory=dict)
    joining: bool = False
    ready: bool = False
    task: Task | None = None
    log_start: int = 0
    progress: Progress | None = None
    deadline: float = math.inf
    spent: bool = False
    cancelling: bool = False

    @property
    def trained(self) -> bool:
        """Whether the training of its task is over, as far as it has reported."""
        return self.progress is not None and self.progress.step >= self.progress.steps

    def begin(self, task: Task) -> None:
        """Send the worker a task. If the process is gone, its next answer is an error."""
        self.task = task
        self.progress, self.cancelling = None, False
        self.log_start = task.paths.log.stat().st_size if task.paths.log.exists() else 0
        with suppress(OSError):
            self.connection.send(task)


def start_worker(variables: Mapping[str, str]) -> Worker:
    """Start a worker process, which loads TensorFlow while it waits for a task."""
    here, there = socket.socketpair()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    left_out = (*IGNORED_VARIABLES, CLUSTER_VARIABLE)  # the latter is for the tasks of a cluster only
    given = {name: value for name, value in worker_variables().items() if name not in left_out}
    process = subprocess.Popen(
        worker_command(sys.executable, there.fileno()),
        pass_fds=[there.fileno()],
        env={**given, **VARIABLES, **variables},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C reaches only the parent, which stops its workers
    )
    there.close()
    return Worker(process, Connection(here.detach()), output, variables)


def stop_worker(worker: Worker, *, kill: bool = False) -> None:
    """Stop a worker process: ask it to exit, or kill it."""
    if kill:
        worker.process.kill()
    with suppress(OSError):
        worker.connection.send(None)
    try:
        worker.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
    worker.connection.close()
    worker.output.close()
