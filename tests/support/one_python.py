"""Parameters of tests of numerics: some on every Python, the others, which are alike on all, on one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def on_one_python(names: Iterable[str], *everywhere: str) -> list[object]:
    """Return the parameters of a test or fixture.

    Args:
        names: all of them, such as a dictionary of architectures.
        everywhere: those that are tested on every Python; the others are marked `once`.
    """
    return [name if name in everywhere else pytest.param(name, marks=pytest.mark.once) for name in names]
