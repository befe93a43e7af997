"""Requests to stop the process, made by a signal or by the time limit.

`Stop.handling_signals` turns signals into the exception `Stopped`. Code that must not be interrupted, such as
writing a file, runs inside `Stop.deferring_signals` and reads `Stop.request` afterwards.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from job.errors import SIGHUP_EXIT, SIGINT_EXIT, SIGTERM_EXIT

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that request a stop. SIGHUP is sent when a terminal is closed; Slurm sends SIGUSR1 before its time
limit (`--signal=B:USR1@90`)."""

_EXIT_CODES = {signal.SIGINT: SIGINT_EXIT, signal.SIGHUP: SIGHUP_EXIT}
"""Exit code by signal; all other signals have the exit code of SIGTERM."""

DUPLICATE_SIGNAL_SECONDS = 0.3
"""A signal within this time of the first is a duplicate of it. Slurm sends SIGTERM both to a script, which
forwards it, and to the processes that the script started; timeout(1) sends it to a command and to its
group."""


@dataclass(frozen=True)
class Request:
    """The reason for a stop.

    Args:
        cause: Name of the signal, such as `SIGTERM`, or `the time limit`.
        exit_code: Exit code of the batch.
    """

    cause: str
    exit_code: int


class Stopped(BaseException):
    """Raised to end the work after a request to stop.

    Like `KeyboardInterrupt` it does not derive from `Exception`, so that `except Exception` does not report a
    stop as a failure.

    Args:
        request: The reason.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request = request


class Stop:
    """The state of this process's request to stop.

    A signal raises `Stopped` in the main thread, except inside `deferring_signals`, where the first signal is
    only recorded.

    Args:
        limit_seconds: Time limit in seconds from now. Reaching it is recorded and never raises by itself.
        second_signal_raises: Whether a second signal inside `deferring_signals` raises, if it arrives more
            than `DUPLICATE_SIGNAL_SECONDS` after the first; otherwise it is ignored. SIGHUP never counts as
            a second signal, because closing a terminal sends several signals.
    """

    def __init__(self, limit_seconds: float = math.inf, *, second_signal_raises: bool = True) -> None:
        self._deadline = time.monotonic() + limit_seconds
        self._second_signal_raises = second_signal_raises
        self._deferring = 0
        self._signalled: Request | None = None
        self._signalled_at = 0.0
        self._limited: Request | None = None

    @property
    def request(self) -> Request | None:
        """The first request to stop, None if there is none."""
        if self._limited is None and self._signalled is None and time.monotonic() >= self._deadline:
            self._limited = Request("the time limit", SIGTERM_EXIT)
        return self._limited or self._signalled

    def ask(self, request: Request) -> None:
        """Record a request that came in another way than by a signal to this process."""
        self._limited = self._limited or request

    def check(self) -> None:
        """Raise `Stopped` if a stop was requested."""
        if self.request is not None:
            raise Stopped(self.request)

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle `SIGNALS` inside the block; call it in the main thread only.

        An ignored SIGHUP stays ignored: nohup(1) started this process.
        """
        numbers = [n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def deferring_signals(self) -> Iterator[None]:
        """Record the first signal that arrives inside the block instead of raising."""
        self._deferring += 1
        try:
            yield
        finally:
            self._deferring -= 1

    def _receive(self, number: int, _: object) -> None:
        now = time.monotonic()
        again = self._signalled is not None
        if again and now - self._signalled_at < DUPLICATE_SIGNAL_SECONDS:
            return
        cause = signal.Signals(number)
        request = self._signalled or Request(cause.name, _EXIT_CODES.get(cause, SIGTERM_EXIT))
        if not again:
            self._signalled, self._signalled_at = request, now
        if not self._deferring or (again and self._second_signal_raises and cause != signal.SIGHUP):
            raise Stopped(request)
