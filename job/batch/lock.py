"""One batch at a time in an output directory: a lock that the kernel takes back when its holder dies."""

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

ALL = "batch"
"""The name of a lock on everything in the directory."""

_NO_LOCK = "{} is a symbolic link or no regular file, so it cannot be the lock of this directory; remove it"
_BUSY = (errno.EACCES, errno.EAGAIN)
_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def lock_output(directory: Path, name: str = ALL) -> Iterator[None]:
    """Hold an output directory in the block.

    Locks of different names go together, but for that of the name `batch`, which goes with no other. A lock
    is a `flock` on `.lock` (or `.lock-<name>`); a file that was left behind locks nothing. On a file system
    without locks there is none.

    Args:
        directory: prepared, see `artifacts.prepare_output`.
        name: what is held; safe as a file name.

    Raises:
        OutputError: somebody else holds it; says who.
    """
    with ExitStack() as held:
        held.enter_context(_lock(directory / ".lock", shared=name != ALL))
        if name != ALL:
            held.enter_context(_lock(directory / f".lock-{name}", shared=False))
        yield


def holder(directory: Path) -> str | None:
    """Return who holds an output directory, or a part of it.

    Returns:
        None where nobody does, as far as the file system tells.
    """
    for path in sorted(directory.glob(".lock*")):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _BUSY:
                    return os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "a shard"
            finally:
                os.close(descriptor)
    return None


@contextmanager
def _lock(path: Path, *, shared: bool) -> Iterator[None]:
    descriptor = _acquire(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        if not shared:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        with suppress(OSError):  # the last one to leave takes the file away
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        os.close(descriptor)


def _acquire(path: Path, kind: int) -> int:
    """Open and lock the file that is at `path` once it is locked: its holder may just have removed it."""
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                raise OutputError(_taken(path, descriptor)) from error
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


def _taken(path: Path, descriptor: int) -> str:
    holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
    os.close(descriptor)
    return (
        f"output directory {path.parent} is in use by another batch ({holder or 'a shard'}): wait for its "
        "end, or choose another directory with --output-dir"
    )
