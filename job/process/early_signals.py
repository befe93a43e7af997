"""Signals that come while the command is still being imported, before `stopping.Stop` listens.

A container's first process is sent no signal that it has no handler for, and Python answers SIGINT with a
traceback.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_CODES = {
    signal.SIGTERM: 143,
    signal.SIGINT: 130,
    signal.SIGHUP: 129,
    signal.SIGUSR1: 143,
}
"""Signal -> exit code, as `stopping` has them: that module loads too much to wait for."""


def leave_on_signals() -> None:
    """End the process on a signal, with a sentence: nothing has begun. A signal that is ignored stays so."""
    for number in _CODES:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, _: FrameType | None) -> None:
    cause = signal.Signals(number)
    try:
        os.write(2, f"error: stopped by {cause.name}\n".encode())
    finally:
        os._exit(_CODES[cause])
