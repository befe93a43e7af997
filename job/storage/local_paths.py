"""Names of files and directories on this machine: an address such as `s3://bucket/key` is refused.

`pathlib` makes `s3:/bucket/key` of it, a path like any other, so names are checked before they become paths.
"""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|(?!package:)[a-z][a-z0-9+.-]+:/)", re.IGNORECASE)
"""A scheme and slashes. `c:/x` and `package:/x` have none: a scheme before a single slash is longer than a
letter, and the spec has names of its own that begin with `package:`."""


def is_address(name: str) -> bool:
    """Return whether a name is an address with a scheme (`s3://`, `file://`, `http://`), not a path."""
    return _ADDRESS.match(name) is not None


def refusal(name: str) -> str:
    """Return the sentence that refuses an address."""
    return f"{name!r} is an address, but only files on this machine are read and written; give a local path"
