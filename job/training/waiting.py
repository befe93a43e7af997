"""A limit on how long a process of a cluster waits for the others in one call of compiled code.

TensorFlow's own limit, `CommunicationOptions.timeout_seconds`, starts a thread for each collective operation
that lives until the time is over: thousands of threads at a hundred steps a second. Here one thread watches.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WAIT_SECONDS = 60.0
"""Time after which a process of a cluster no longer waits for the others in a call."""

FIRST_WAIT_SECONDS = 600.0
"""The same for what is compiled in the call, or for which another process may still read its data."""

LOOK_SECONDS = 0.5
"""Seconds between two looks at the time."""


def abort_collectives(message: str) -> None:
    """Let all collective operations of this process raise `DeadlineExceededError`, now and later."""
    import tensorflow as tf
    from tensorflow.python.eager import context  # as TensorFlow's strategies do; there is no public name

    context.context().abort_collective_ops(tf.errors.DEADLINE_EXCEEDED, message)


class WaitLimit:
    """The limit on the calls of one process, of which one runs at a time.

    Args:
        abort: ends what the process waits for; called with a message.
    """

    def __init__(self, abort: Callable[[str], None] = abort_collectives) -> None:
        self._abort = abort
        self._seconds = self._deadline = math.inf
        self._thread: threading.Thread | None = None

    @contextmanager
    def limiting(self, seconds: float) -> Iterator[None]:
        """Limit the time of the block; when it is over, what it waits for is aborted and raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        self._seconds, self._deadline = seconds, time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = math.inf

    def _watch(self) -> None:
        while time.monotonic() < self._deadline:
            time.sleep(LOOK_SECONDS)
        self._abort(f"waited {self._seconds:g} s for another process of the cluster")
