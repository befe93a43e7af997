"""The address of a store: a URL, the extra that its scheme needs, and what messages may show of it.

Nothing here imports fsspec, so that an option can be checked at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from job.errors import StoreError
from job.storage.local_paths import masked

EXTRAS = {"s3": "s3", "gs": "gcs", "file": "store", "memory": "store"}
"""The extra of this package that each scheme needs."""

_MODULES = {"s3": "s3fs", "gcs": "gcsfs", "store": "fsspec"}
_EXPECTED = "expected s3://BUCKET/PATH, gs://BUCKET/PATH, file:///PATH or memory://NAME"
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class StoreAddress:
    """The address of a store.

    Args:
        scheme: a key of `EXTRAS`.
        path: what follows `://`, without a slash at its end: bucket and path, an absolute path, or a name.
    """

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"


_COPIES: dict[Path, str] = {}


def note_copy(path: Path, address: StoreAddress) -> None:
    """Note that a file or a directory is a copy from a store, to read from."""
    _COPIES[path] = str(address)
    _COPIES[path.resolve()] = str(address)  # as some messages name it


def is_copy(path: Path) -> bool:
    """Return whether a directory is a copy of a store, which must not be changed."""
    return path in _COPIES


def shown(path: Path) -> str:
    """Return a path as the user wrote it: of a copy of a store, and of a file in it, the URL."""
    return with_addresses(str(path))


def with_addresses(text: str) -> str:
    """Return a text with the URLs of stores in place of the paths of their copies."""
    for path in sorted(_COPIES, key=lambda path: -len(str(path))):  # what is in a copy comes before that
        text = text.replace(str(path), _COPIES[path])
    return text


def is_store(name: str) -> bool:
    """Return whether a name is a URL with the scheme of a store."""
    found = _URL.fullmatch(name.strip())
    return found is not None and found[1].lower() in EXTRAS


def parse_store(url: str) -> StoreAddress:
    """Return the address in a URL, after checking that the extra it needs is installed.

    Raises:
        StoreError: the URL is none of a store, contains credentials, or its extra is missing.
    """
    address = address_of(url)
    extra = EXTRAS[address.scheme]
    if find_spec(_MODULES[extra]) is None:
        raise StoreError(
            f"{address.scheme}:// needs the package {_MODULES[extra]}, which is not installed: "
            f"pip install 'seq2seq-job[{extra}]'"
        )
    return address


def address_of(url: str) -> StoreAddress:
    """Return the address in a URL.

    Raises:
        StoreError: the URL is none of a store, or contains credentials.
    """
    found = _URL.fullmatch(url.strip())
    scheme = found[1].lower() if found else ""
    if found is None or scheme not in EXTRAS:
        raise StoreError(f"{masked(url)!r} is not the URL of a store; {_EXPECTED}")
    path = found[2].rstrip("/")
    authority = path.partition("/")[0]
    if "@" in authority or "?" in path or (":" in authority and not authority.startswith("arn:")):
        raise StoreError(
            f"{masked(url)!r} has more than bucket and path; give credentials as the store's own library "
            "reads them (environment variables, configuration files or the machine's role), never in the URL"
        )
    if not authority if scheme != "file" else not path.startswith("/"):
        raise StoreError(f"{url!r} names no place in a store; {_EXPECTED}")
    return StoreAddress(scheme, path)
