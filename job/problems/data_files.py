"""Data files as bytes, or a sentence about what is wrong with one."""

from __future__ import annotations

import codecs
import gzip
import stat
import zlib
from pathlib import Path

from job.errors import DataError

MOST_ERRORS = 20
"""Bad lines named one by one for a file; the rest are counted."""


def read_data(path: Path) -> bytes:
    """Return the content of a text file, unpacked where its name ends in `.gz`, without a byte order mark.

    Raises:
        DataError: the file cannot be read, or there is nothing in it.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError("the file is a directory; name a file inside it", file=path)
        if not stat.S_ISREG(mode):
            raise DataError("the file is a device or a pipe; name a regular file", file=path)
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            "the file is not there; check the name (relative names start where the spec lies)", file=path
        ) from None
    except PermissionError:
        raise DataError(
            "the file may not be read; give this user read permission (chmod +r)", file=path
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"the file cannot be read ({error}); name another", file=path) from None
    if path.suffix == ".gz":
        data = _unpacked(data, path)
    if not data.strip():
        raise DataError("the file is empty; fill it or name another", file=path)
    return data.removeprefix(codecs.BOM_UTF8)


def _unpacked(data: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"the name ends in .gz, but the file is not whole gzip data ({error}); compress it again, or "
            "rename it if it is not compressed",
            file=path,
        ) from None
