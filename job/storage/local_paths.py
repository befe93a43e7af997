"""Local paths given by the user: an address such as `s3://bucket/key` is refused.

`pathlib` would turn it into the path `s3:/bucket/key`, so names are checked before they become paths.
"""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|(?!package:)[a-z][a-z0-9+.-]+:/)", re.IGNORECASE)
"""A scheme followed by slashes. `c:/x` and `package:/x` are not addresses: before a single slash, a scheme
has more than one letter, and `package:` begins names of the spec."""


def is_address(name: str) -> bool:
    """Return whether a name is an address with a scheme (`s3://`, `file://`, `http://`), not a path."""
    return _ADDRESS.match(name) is not None


def refusal(name: str) -> str:
    """Return the sentence that refuses an address."""
    return f"{name!r} is an address, but only files on this machine are read and written; give a local path"
