"""The process that trains: `python -m job.batch.worker FD`. TensorFlow is imported here and nowhere above.

Talks to its parent over a socket with pickled messages. From the parent: a `Task`, or None to leave. To the
parent, one of `messages`.
"""

from __future__ import annotations

import os
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from job import environment
from job.batch.messages import Advanced, Broken, Failed, Finished, Ready
from job.errors import DataError, DataErrors, DependencyError, JobError
from job.results import Failure
from job.task import Task

VARIABLES = {
    # One thread: small recurrent models gain nothing from more, and results do not depend on their number.
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
"""Set for a worker before it starts: some libraries read them as they load."""


def main(connection: Connection) -> None:
    """Run the tasks that come, until None comes or the parent is gone."""
    try:
        environment.check_works()
    except DependencyError as error:
        connection.send(Broken(str(error)))
        return
    from job.run_job import run_job

    connection.send(Ready())
    while (task := _next(connection)) is not None:
        _redirect(task.paths.log)
        try:
            result = run_job(task, lambda progress: connection.send(Advanced(progress)))
            connection.send(Finished(result))
        except (KeyboardInterrupt, ConnectionError):  # stopped, or nobody is left to tell
            return
        except BaseException as error:
            traceback.print_exc()
            sys.stderr.flush()
            connection.send(Failed(_failure(error, task)))


def _next(connection: Connection) -> Task | None:
    try:
        task: Task | None = connection.recv()
    except (EOFError, ConnectionError):
        return None
    return task


def _redirect(log: Path) -> None:
    """Send what this process and the libraries in it print to the job's log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _failure(error: BaseException, task: Task) -> Failure:
    if isinstance(error, JobError | DataError | DataErrors):  # their sentence says it all
        return Failure(type(error).__name__, str(error))
    return Failure(type(error).__name__, str(error), traceback_file=task.paths.log.name)


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
