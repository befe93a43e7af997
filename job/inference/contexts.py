"""The encoder's last states for each source: their arrays and their file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.storage.artifacts import replacing

Contexts = dict[str, NDArray[np.float32]]
"""The encoder's last states by name (`h1`, `c1`, `h2`, ...), each (n, H)."""


def joined(parts: Sequence[Contexts]) -> Contexts:
    """Concatenate the contexts of several parts; without parts return an empty dict."""
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def write_contexts(output: Path, ids: Sequence[int], contexts: Contexts) -> None:
    """Write a `.npz` file: `ids` (n,) int64, the 0-based line of each source, and each state by its name."""
    with replacing(output) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {"ids": np.array(ids, np.int64), **contexts}
        np.savez(file, **arrays)
