"""Lock an output directory for one batch at a time; the kernel releases the lock when its process ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from job.errors import OutputError

EXCLUSIVE = "batch"
"""The name of the lock that excludes every other."""

_NO_LOCK = "{} is a symbolic link or no regular file, so it cannot be the lock of this directory; remove it"
_BUSY = (errno.EACCES, errno.EAGAIN)
_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def lock_output(directory: Path, name: str = EXCLUSIVE) -> Iterator[None]:
    """Lock an output directory for the block.

    Locks with different names can be held at the same time; `batch` is exclusive. A lock is a `flock` on
    `.lock` or `.lock-NAME`; such a file without a `flock` locks nothing. On a file system that does not
    support locks, nothing is locked.

    Args:
        directory: prepared, see `artifacts.prepare_output`.
        name: of the lock; safe as a file name.

    Raises:
        OutputError: another process holds a lock that excludes this one; the message names the process.
    """
    with ExitStack() as held:
        held.enter_context(_lock(directory / ".lock", shared=name != EXCLUSIVE))
        if name != EXCLUSIVE:
            held.enter_context(_lock(directory / f".lock-{name}", shared=False))
        yield


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Lock one file for the block, apart from the locks of output directories.

    Args:
        path: the file, which is made and removed; its directory must exist.

    Raises:
        OutputError: another process holds the lock.
    """
    with _lock(path, shared=False):
        yield


def refuse_beside(directory: Path, names: str) -> None:
    """Check that no other process holds a lock with one of these names.

    Args:
        directory: the output directory.
        names: start of the names of locks, such as `shard-`.

    Raises:
        OutputError: one does.
    """
    for path in sorted(directory.glob(f".lock-{names}*")):
        if holder := _holder(path):
            raise OutputError(_in_use_by(directory, holder))


def running_batch(directory: Path) -> str | None:
    """Return a description of a process that has locked an output directory.

    Returns:
        None if no process has, or if the file system does not support locks.
    """
    return next(filter(None, map(_holder, sorted(directory.glob(".lock*")))), None)


def _holder(path: Path) -> str | None:
    """Return a description of a process that holds the lock of a file, None if none does."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                return _description(descriptor)
        finally:
            os.close(descriptor)
    return None


def _description(descriptor: int) -> str:
    return os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "a shard"


@contextmanager
def _lock(path: Path, *, shared: bool) -> Iterator[None]:
    descriptor = _acquire(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        if not shared:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        with suppress(OSError):  # the last process with a shared lock removes the file
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        os.close(descriptor)


def _acquire(path: Path, kind: int) -> int:
    """Open and lock the file, again if its last holder has removed it in between."""
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                raise OutputError(_in_use(path, descriptor)) from error
            if error.errno not in _UNSUPPORTED:
                os.close(descriptor)
                raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise OutputError(_NO_LOCK.format(path)) from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OutputError(_NO_LOCK.format(path))


def _in_use(path: Path, descriptor: int) -> str:
    holder = _description(descriptor)
    os.close(descriptor)
    return _in_use_by(path.parent, holder)


def _in_use_by(directory: Path, holder: str) -> str:
    return (
        f"output directory {directory} is in use by another batch ({holder}): wait until it ends, or choose "
        "another directory with --output-dir"
    )
