"""The evaluation of a model by all processes of the cluster that has trained it.

Each decodes its share; the first one, the chief, gets all rows and scores them. Rows are exchanged as sums
over all processes, to which each adds zeros for the rows of the others: no file of a shared directory can be
seen late, and a process that is lost is noticed as it is in a training step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.evaluation.timed_decoding import ALONE, Part, Rows, Spread
from job.process.stopping import Stop, Stopped
from job.training.agreement import Agreement, agreement_for
from job.training.saved_state import OTHERS_REQUEST
from job.training.waiting import FIRST_WAIT_SECONDS, WAIT_SECONDS

SHARED_AT_ONCE = 1 << 20
"""Number of numbers of four bytes that are sent at once."""

SLOWER = 10.0
"""How many times as long as this process another one may take to decode a part."""


def spread_for(strategy: Any, stop: Stop) -> Spread:
    """Return the processes that evaluate what was trained by a `tf.distribute` strategy.

    Args:
        strategy: of the training.
        stop: requests to stop this process.
    """
    agreement = agreement_for(strategy)
    return ClusterSpread(agreement, stop) if agreement.processes > 1 else ALONE


@dataclass
class ClusterSpread(Spread):
    """Decoding by all processes of an agreement; see `Spread`.

    Args:
        agreement: of all processes.
        stop: requests to stop this one; after each round all stop if one of them was asked to.
    """

    agreement: Agreement
    stop: Stop
    _longest: float = 0.0

    @property
    def processes(self) -> int:  # type: ignore[override]
        """Number of processes that decode."""
        return self.agreement.processes

    def share_weights(self, models: Sequence[Any]) -> None:
        """Give all processes the chief's weights: on unequal machines others may differ in the last bits."""
        with self.stop.deferring_signals():
            for model in models:
                model.set_weights([self._of_chief(weights) for weights in model.get_weights()])

    def rounds(self, parts: Sequence[Part], decode: Callable[[Part], Rows]) -> Iterator[list[Rows]]:
        """Decode parts, one in each process at once; see `Spread.rounds`."""
        number, seconds, width = self.agreement.processes, FIRST_WAIT_SECONDS, 0
        for first in range(0, len(parts), number):
            with self.stop.deferring_signals():
                group = parts[first : first + number]
                own = self._decoded(group, decode)
                if not first:  # the chief always has a part of the first round
                    words = 0 if own is None else _words(own).shape[1]
                    width = round(self.agreement.total(np.array([self._if_chief(words)]), seconds)[0])
                    seconds = WAIT_SECONDS
                rows = self._gathered(group, own, width, seconds + SLOWER * self._longest)
            if self.agreement.is_chief:
                assert own is not None
                yield [np.ascontiguousarray(each).view(own.dtype) for each in rows]  # type: ignore[misc]

    def _if_chief(self, value: float) -> float:
        return value if self.agreement.is_chief else 0.0

    def _decoded(self, group: Sequence[Part], decode: Callable[[Part], Rows]) -> Rows | None:
        """Return the rows of this process's part; None if there are fewer parts than processes."""
        if self.agreement.rank >= len(group):
            return None
        began = time.monotonic()
        rows = decode(group[self.agreement.rank])
        self._longest = max(self._longest, time.monotonic() - began)
        return rows

    def _gathered(
        self, group: Sequence[Part], own: NDArray[Any] | None, width: int, seconds: float
    ) -> list[NDArray[np.int32]]:
        """Return the rows of all parts, (n, width) int32 each.

        Raises:
            Stopped: a process was asked to stop.
        """
        given = [np.zeros((len(part), width)) for part in group]
        if own is not None:
            given[self.agreement.rank] = _words(own).astype(np.float64)
        asked = float(self.stop.request is not None)
        flat = np.concatenate([[asked], *(rows.ravel() for rows in given)])
        stopping, *_ = total = self.agreement.total(flat, seconds)
        if stopping:
            raise Stopped(self.stop.request or OTHERS_REQUEST)
        ends = np.cumsum([rows.size for rows in given])[:-1]
        return [rows.reshape(-1, width).astype(np.int32) for rows in np.split(total[1:], ends)]

    def _of_chief(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the chief's array, of the same shape and dtype."""
        given = array.tobytes()
        words = np.frombuffer(given + bytes(-len(given) % 4), np.int32).astype(np.float64)
        mine = words if self.agreement.is_chief else np.zeros_like(words)
        parts = [mine[first : first + SHARED_AT_ONCE] for first in range(0, len(mine), SHARED_AT_ONCE)]
        found = [self.agreement.total(part, FIRST_WAIT_SECONDS) for part in parts]
        sent = np.concatenate(found).astype(np.int32).tobytes()[: len(given)] if found else given
        return np.frombuffer(sent, array.dtype).reshape(array.shape)


def _words(rows: NDArray[Any]) -> NDArray[np.int32]:
    """Return rows as numbers of four bytes: sums of these with zeros are exact, for floats as well."""
    return np.ascontiguousarray(rows).view(np.int32)
