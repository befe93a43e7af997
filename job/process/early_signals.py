"""Handlers for signals that arrive while the command is imported, before `stopping.Stop` handles them.

Without them, the first process of a container would ignore SIGTERM, and SIGINT would print a traceback.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_EXIT_CODES = {
    signal.SIGTERM: 143,
    signal.SIGINT: 130,
    signal.SIGHUP: 129,
    signal.SIGUSR1: 143,
}
"""Exit code by signal, as in `stopping`; importing that module would take too long."""


def exit_on_signals() -> None:
    """Install handlers that print one line and exit, except for signals that are ignored."""
    for number in _EXIT_CODES:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    cause = signal.Signals(number)
    try:
        os.write(2, f"error: stopped by {cause.name}\n".encode())
    finally:
        os._exit(_EXIT_CODES[cause])
