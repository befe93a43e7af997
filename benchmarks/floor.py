"""What a training step costs at the least: its arithmetic at the rate of this machine's matrix products, or
what it must read and write at the rate of this machine's copies, whichever takes longer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

FLOAT_BYTES = 4
_SIDE = 2048
_COPIED = 1 << 26
"""Numbers copied by each thread at a time, 256 MB: no cache holds them."""
_ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What the machine does in a second, with as many threads as it has cores.

    Attributes:
        flops: floating-point operations in a product of two square float32 matrices.
        bytes: read and written in a copy.
    """

    flops: float
    bytes: float


@dataclass(frozen=True, kw_only=True)
class Work:
    """The sizes of a training step: fixed lengths, one-hot inputs, no attention, one layer a side."""

    batch_size: int
    source_length: int
    target_length: int
    units: int
    cardinality: int

    @property
    def parameters(self) -> int:
        """Return how many numbers are trained."""
        lstm = 4 * self.units * (self.cardinality + self.units + 1)
        return 2 * lstm + (self.units + 1) * self.cardinality

    @property
    def flops(self) -> float:
        """Return the operations of all matrix products; a one-hot input picks a row, and multiplies nothing.

        Each product of the forward pass has two in the backward pass: for what went in, and for the weights.
        """
        recurrent = 2 * 4 * self.units * self.units * (self.source_length + self.target_length)
        output = 2 * self.units * self.cardinality * self.target_length
        return 3.0 * self.batch_size * (recurrent + output)

    @property
    def bytes(self) -> float:
        """Return what must be read or written, were the rest held in registers.

        Adam reads a weight, its gradient and two moments, and writes all but the gradient; the gradient is
        written before. A step of an LSTM leaves its four gates, the cell and the state for the backward pass.
        Logits are written, read for the loss, and their gradient written and read for two products.
        """
        weights = 8 * self.parameters
        kept = 2 * 6 * self.units * (self.source_length + self.target_length)
        logits = 5 * self.cardinality * self.target_length
        return float(FLOAT_BYTES) * (weights + self.batch_size * (kept + logits))

    def seconds(self, rates: Rates) -> float:
        """Return the least that a step takes."""
        return max(self.flops / rates.flops, self.bytes / rates.bytes)


def machine_rates(threads: int) -> Rates:
    """Measure this machine in a process of its own: a process counts the memory of whoever started it to its
    peak, so whoever starts the contenders must not hold much."""
    command = [sys.executable, "-m", "benchmarks.floor", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Rates(**json.loads(done.stdout))


def measure_rates(threads: int) -> Rates:
    """Measure this machine, now."""
    rng = np.random.default_rng(1)
    left, right = (rng.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    product = np.empty_like(left)
    sources = [np.ones(_COPIED, np.float32) for _ in range(threads)]
    targets = [np.zeros(_COPIED, np.float32) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        copying = _fastest(lambda: list(pool.map(np.copyto, targets, sources)))
    multiplying = _fastest(lambda: np.matmul(left, right, out=product))
    return Rates(flops=2.0 * _SIDE**3 / multiplying, bytes=2.0 * FLOAT_BYTES * _COPIED * threads / copying)


def _fastest(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    print(json.dumps(vars(measure_rates(int(sys.argv[1])))))
