"""Local paths given by the user: an address such as `s3://bucket/key` is refused.

`pathlib` would turn it into the path `s3:/bucket/key`, so names are checked before they become paths.
"""

from __future__ import annotations

import re

_SECRETS = re.compile(r"(:/+)[^\s'\"]*@|(\?)[^\s'\"]+")
_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|(?!package:)[a-z][a-z0-9+.-]+:/)", re.IGNORECASE)
"""A scheme followed by slashes. `c:/x` and `package:/x` are not addresses: before a single slash, a scheme
has more than one letter, and `package:` begins names of the spec."""


def is_address(name: str) -> bool:
    """Return whether a name is an address with a scheme (`s3://`, `file://`, `http://`), not a path."""
    return _ADDRESS.match(name) is not None


def masked(text: str) -> str:
    """Return a text in which user names, passwords and queries of addresses are replaced by `***`."""
    return _SECRETS.sub(lambda found: f"{found[1]}***@" if found[1] else "?***", text)


def refusal(name: str) -> str:
    """Return the sentence that refuses an address."""
    shown = masked(name)
    return f"{shown!r} is an address, but only files on this machine are read and written; give a local path"
