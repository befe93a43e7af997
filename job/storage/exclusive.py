"""Create a file exclusively: only one of several processes, on any machines, succeeds."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from job.storage.moving import flush, temporary_path

_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def create_exclusively(path: Path, content: bytes) -> bool:
    """Create a file with its whole content, unless it exists.

    The file gets its name by a hard link, which is atomic on network file systems too. On a file system
    without hard links a reader may see an incomplete file for a moment.

    Returns:
        whether this call has created it.

    Raises:
        OSError: it cannot be written.
    """
    temporary = temporary_path(path)
    try:
        temporary.write_bytes(content)
        flush(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return temporary.stat().st_nlink == 2  # linked, but the answer of the file server was lost
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return _create_open(path, content)
    finally:
        with suppress(OSError):
            temporary.unlink()
    flush(path.parent)
    return True


def _create_open(path: Path, content: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return True
