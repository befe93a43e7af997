"""Parameters of tests of numerics: some on every Python, the others, which are alike on all, on one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def on_one_python(values: Iterable[object], *everywhere: object) -> list[object]:
    """Return the parameters of a test or fixture.

    Args:
        values: all of them, such as the names of architectures.
        everywhere: those that are tested on every Python; the others are marked `once`.
    """
    return [value if value in everywhere else pytest.param(value, marks=pytest.mark.once) for value in values]
