"""The process that trains (see `import_path.worker_command`). TensorFlow is imported here and nowhere above.

Talks to its parent over a socket with pickled messages. From the parent: a `Task`, or None to leave. To the
parent, one of `messages`. SIGTERM and SIGHUP have it save the state of its job and leave.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from job.errors import DataError, DataErrors, DependencyError, JobError
from job.process import environment
from job.process.standard_streams import secure_streams
from job.process.stopping import Stop, Stopped
from job.results.job_result import Failure
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.workers.messages import Advanced, Broken, Failed, Finished, Interrupted, Ready

_PR_SET_PDEATHSIG = 1  # prctl(2)


class _ParentGone(BaseException):
    """Nobody is left to tell. No `ConnectionError`: a problem that reads over a network may raise those."""


def main(connection: Connection) -> None:
    """Run the tasks that come, until None comes or the parent is gone."""
    _die_with_parent()
    with suppress(Exception):  # it is time that would pass idly; what does not work is told below
        environment.load()
        import job.running.run_job  # noqa: F401
    with suppress(_ParentGone):
        if (task := _next(connection)) is None:
            return
        try:
            environment.check_works(task.threads)
        except DependencyError as error:
            _tell(connection, Broken(str(error)))
            return
        from job.running.model_cache import ModelCache
        from job.running.run_job import run_job

        run = partial(run_job, cache=ModelCache())
        _tell(connection, Ready())
        while task is not None:
            message = _do(task, run, connection)
            _tell(connection, message)
            if isinstance(message, Interrupted):
                return
            task = _next(connection)


def serve(descriptor: int) -> NoReturn:
    """Run the tasks that come over the connection with that descriptor, and end the process."""
    secure_streams()
    main(Connection(descriptor))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # there is nothing left to do, and TensorFlow takes a while to be taken down


def _do(
    task: Task, run_job: Callable[..., TrainedJob], connection: Connection
) -> Finished | Failed | Interrupted:
    stop = Stop(second_signal_raises=False)  # a cluster signals every process, and so does the parent
    try:
        _redirect(task.paths.log)
        with stop.handling_signals():
            trained = run_job(task, lambda progress: _tell(connection, Advanced(progress)), stop)
        return Finished(trained, _resident_bytes())
    except Stopped as stopped:
        return Interrupted(stopped.request.cause)
    except _ParentGone:
        raise
    except BaseException as error:
        traceback.print_exc()
        sys.stderr.flush()
        return Failed(_failure(error, task))


def _next(connection: Connection) -> Task | None:
    try:
        task: Task | None = connection.recv()
    except (EOFError, ConnectionError):
        return None
    return task


def _tell(connection: Connection, message: object) -> None:
    try:
        connection.send(message)
    except ConnectionError as error:
        raise _ParentGone from error


def _die_with_parent() -> None:
    """Have the kernel kill this process once its parent has ended, so that no two ever train one job.

    Only Linux does; elsewhere the next message to the parent fails. One that ended before now is noticed so
    too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _redirect(log: Path) -> None:
    """Send what this process and the libraries in it print to the job's log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _resident_bytes() -> int:
    """Return how much memory this process holds; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _failure(error: BaseException, task: Task) -> Failure:
    if isinstance(error, JobError | DataError | DataErrors):  # their sentence says it all
        errors = error.errors if isinstance(error, DataErrors) else [error]
        return Failure(type(error).__name__, "\n".join(map(_sentence, errors)))
    return Failure(type(error).__name__, str(error), traceback_file=task.paths.log.name)


def _sentence(error: BaseException) -> str:
    """Return what an error says, after the file that it is about."""
    if not isinstance(error, DataError) or error.file is None:
        return str(error)
    return f"{error.file}:{error.line}: {error}" if error.line else f"{error.file}: {error}"
