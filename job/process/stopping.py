"""A request to stop, made by a signal or by the clock: raised on the spot, or noted for whoever looks."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from job.errors import SIGHUP_EXIT, SIGINT_EXIT, SIGTERM_EXIT

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that ask to stop. SIGHUP comes when a terminal goes away; SIGUSR1 is what Slurm sends ahead of its
time limit (`--signal=B:USR1@90`)."""

_EXIT_CODES = {signal.SIGINT: SIGINT_EXIT, signal.SIGHUP: SIGHUP_EXIT}
"""Of the others it is that of SIGTERM."""

SAME_SECONDS = 0.3
"""A signal that comes so soon after the first is the same one, by another way: Slurm sends SIGTERM to a
script, which hands it on, and to all that the script started; timeout(1) to a command and to its group."""


@dataclass(frozen=True)
class Request:
    """Why to stop.

    Args:
        cause: `SIGTERM`, or `the time limit`.
        exit_code: that the batch ends with.
    """

    cause: str
    exit_code: int


class Stopped(BaseException):
    """Work ends because it was asked to. No `Exception`, as `KeyboardInterrupt` is none: nothing on the way
    up is to take it for a failure.

    Args:
        request: why.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request = request


class Stop:
    """Whether this process was asked to stop.

    A signal raises `Stopped` wherever the main thread is, but inside `noting` the first one is only noted.

    Args:
        limit_seconds: from now; then the time limit asks, which is only ever noted.
        insistent: a second signal inside `noting`, more than `SAME_SECONDS` later, raises; else it is passed
            over. SIGHUP never is a second one: a terminal that goes away asks in several ways.
    """

    def __init__(self, limit_seconds: float = math.inf, *, insistent: bool = True) -> None:
        self._deadline = time.monotonic() + limit_seconds
        self._insistent = insistent
        self._noting = 0
        self._signalled: Request | None = None
        self._signalled_at = 0.0
        self._limited: Request | None = None

    @property
    def request(self) -> Request | None:
        """Why to stop, None where nobody asked; the first cause stands."""
        if self._limited is None and self._signalled is None and time.monotonic() >= self._deadline:
            self._limited = Request("the time limit", SIGTERM_EXIT)
        return self._limited or self._signalled

    def check(self) -> None:
        """Raise `Stopped` where somebody asked."""
        if self.request is not None:
            raise Stopped(self.request)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer to `SIGNALS` in the block; only for the main thread.

        SIGHUP stays ignored if it is: nohup(1) started this process.
        """
        numbers = [n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Only note the first signal that comes in the block."""
        self._noting += 1
        try:
            yield
        finally:
            self._noting -= 1

    def _receive(self, number: int, _: object) -> None:
        now = time.monotonic()
        again = self._signalled is not None
        if again and now - self._signalled_at < SAME_SECONDS:
            return
        cause = signal.Signals(number)
        request = self._signalled or Request(cause.name, _EXIT_CODES.get(cause, SIGTERM_EXIT))
        if not again:
            self._signalled, self._signalled_at = request, now
        if not self._noting or (again and self._insistent and cause != signal.SIGHUP):
            raise Stopped(request)
