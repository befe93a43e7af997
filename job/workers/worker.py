"""The worker process (see `import_path.worker_command`): the only one of a batch that imports TensorFlow.

It exchanges pickled messages with its parent over a socket: it receives a `Task`, or None to exit, and sends
the messages of `messages.py`. On SIGTERM and SIGHUP it saves the state of its job and exits.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NoReturn

from job.errors import DependencyError
from job.process import tensorflow_loading
from job.process.parent_death import die_with_parent
from job.process.standard_streams import secure_streams
from job.running.ensemble_task import EnsembleTask
from job.running.task import Task
from job.workers.messages import Advanced, Broken, Interrupted, Joining, ParentGone, Ready
from job.workers.run_task import run_ensemble_task, run_task


def serve(descriptor: int) -> NoReturn:
    """Run the tasks that arrive on the connection with this file descriptor, and end the process."""
    secure_streams()
    main(Connection(descriptor))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # TensorFlow would take a while to shut down


def main(connection: Connection) -> None:
    """Run the tasks that arrive, until None arrives or the parent has ended."""
    die_with_parent()
    with suppress(Exception):  # use the time until the first task; errors are reported below
        tensorflow_loading.load_tensorflow()
        import job.running.run_part  # noqa: F401
    with suppress(ParentGone):
        if (task := _receive(connection)) is None:
            return
        if isinstance(task, Task) and task.cluster is not None:
            _send(connection, Joining())
        try:
            _set_up_tensorflow(task)
        except DependencyError as error:
            _send(connection, Broken(str(error)))
            return
        from job.running.run_part import runner

        run = runner()
        _send(connection, Ready())
        while task is not None:
            if isinstance(task, EnsembleTask):
                _send(connection, run_ensemble_task(task))
            else:
                message = run_task(task, run, lambda progress: _send(connection, Advanced(progress)))
                _send(connection, message)
                if isinstance(message, Interrupted):
                    return
            task = _receive(connection)


def _set_up_tensorflow(task: Task | EnsembleTask) -> None:
    """Check that TensorFlow works; before that, wait for the other processes of the task's cluster."""
    threads: int | None = task.threads
    if isinstance(task, Task) and task.cluster is not None:
        from job.training.replicas import join_cluster

        join_cluster(task.threads)
        threads = None  # they are set
    tensorflow_loading.check_tensorflow(threads)


def _receive(connection: Connection) -> Task | EnsembleTask | None:
    try:
        task: Task | EnsembleTask | None = connection.recv()
    except (EOFError, ConnectionError):
        return None
    return task


def _send(connection: Connection, message: object) -> None:
    try:
        connection.send(message)
    except ConnectionError as error:
        raise ParentGone from error
