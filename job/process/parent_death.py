"""End this process when its parent process ends."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, so that no job is trained twice at a time.

    Only Linux supports it. On other systems, or if the parent has already ended, the next message to the
    parent raises an error.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
