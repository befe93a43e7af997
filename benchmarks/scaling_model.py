"""What a training step by several machines costs, on paper, from steps that were measured on one.

A step of n processes takes the computation of its share, and the exchange of the gradients. A ring all-reduce
(Patarasuk and Yuan 2009) sends 2(n-1)/n times the bytes of the gradients from each process, in 2(n-1) turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLOAT_BYTES = 4
MOST_MACHINES = 1024


def ring_bytes(parameters: int, processes: int) -> float:
    """Return the bytes that each process sends in a step, for float32 gradients."""
    return 2 * (processes - 1) / processes * FLOAT_BYTES * parameters


@dataclass(frozen=True, kw_only=True)
class Network:
    """What connects the processes.

    Attributes:
        latency: seconds of a turn, whatever is sent.
        bandwidth: bytes a second.
    """

    latency: float
    bandwidth: float

    def seconds(self, parameters: int, processes: int) -> float:
        """Return the time that a ring all-reduce of the gradients takes."""
        turns = 2 * (processes - 1)
        return turns * self.latency + ring_bytes(parameters, processes) / self.bandwidth


@dataclass(frozen=True, kw_only=True)
class Computation:
    """What a step takes in one process.

    Attributes:
        fixed: seconds whatever the batch.
        per_example: seconds for each example.
    """

    fixed: float
    per_example: float

    @classmethod
    def fitted(cls, points: Sequence[tuple[float, float]]) -> Computation:
        """Return the line through measured batch sizes and seconds, by least squares; neither is negative."""
        sizes, seconds = np.array(points, float).T
        if len(set(sizes)) == 1:
            return cls(fixed=0.0, per_example=float(seconds.mean() / sizes[0]))
        slope, start = np.polyfit(sizes, seconds, 1)
        if start < 0:
            return cls(fixed=0.0, per_example=float((seconds / sizes).mean()))
        return cls(fixed=float(start), per_example=max(0.0, float(slope)))

    def seconds(self, examples: float) -> float:
        """Return the time of a step of this many examples."""
        return self.fixed + self.per_example * examples


def fit_network(points: Sequence[tuple[int, int, float]]) -> Network | None:
    """Return the latency and the bandwidth that explain measured exchanges best, by least squares.

    The errors are relative: a model with few parameters counts as much as a large one. Neither is negative.

    Args:
        points: parameters, processes and seconds of each exchange.

    Returns:
        None without points.
    """
    if not points:
        return None
    turns = np.array([2.0 * (processes - 1) for _, processes, _ in points])
    sent = np.array([ring_bytes(parameters, processes) for parameters, processes, _ in points])
    seconds = np.array([seconds for *_, seconds in points])
    scaled = np.stack([turns / seconds, sent / seconds], axis=1)
    (latency, slowness), *_ = np.linalg.lstsq(scaled, np.ones(len(points)), rcond=None)
    if latency < 0 or len(points) == 1:
        latency, slowness = 0.0, _alone(scaled[:, 1])
    if slowness <= 0:
        latency, slowness = _alone(scaled[:, 0]), 0.0
    return Network(latency=float(latency), bandwidth=float(1 / slowness) if slowness else float("inf"))


def _alone(column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the factor by which one column comes closest to ones, by least squares."""
    return float(column.sum() / (column @ column))


def speedup(
    computation: Computation, network: Network, *, parameters: int, batch: int, machines: int
) -> float:
    """Return how many times as many examples a second several machines train as one does.

    Args:
        computation: of one machine.
        network: between them.
        parameters: of the model.
        batch: examples a step on each machine.
        machines: their number.
    """
    alone = computation.seconds(batch)
    together = alone + (network.seconds(parameters, machines) if machines > 1 else 0.0)
    return machines * alone / together


def machines_worth(
    computation: Computation, network: Network, *, parameters: int, batch: int, efficiency: float = 0.5
) -> int:
    """Return the largest number of machines of which each does at least a share of what it does alone.

    Args:
        computation, network, parameters: see `speedup`.
        batch: examples a step, which the machines divide.
        efficiency: this share.

    Returns:
        at most `MOST_MACHINES`, and at most one for each example; 1 if two do not pay.
    """
    alone = computation.seconds(batch)
    worth = 1
    for machines in range(2, min(MOST_MACHINES, batch) + 1):
        together = computation.seconds(batch / machines) + network.seconds(parameters, machines)
        if alone / together < efficiency * machines:
            break
        worth = machines
    return worth
