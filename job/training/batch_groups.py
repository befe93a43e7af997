"""Groups of batches: each call of the compiled loop trains on one group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from job.problems.training_batches import Batch, TrainingBatches
from job.training.state import TrainingState


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """Limits on the number of steps in one call of the compiled loop; results do not depend on them.

    Args:
        seconds: longest time a call should take, so that a job stops soon after it is asked to.
        max_steps: largest number of steps.
        first_steps: number of steps until the duration of a step is known.
    """

    seconds: float = 0.25
    max_steps: int = 128
    first_steps: int = 4

    def steps(self, state: TrainingState) -> int:
        """Return the number of steps of the next call."""
        if not state.step_seconds:
            return self.first_steps
        return max(1, min(self.max_steps, int(self.seconds / state.step_seconds)))


def batch_groups(
    batches: TrainingBatches, state: TrainingState, max_batches: Callable[[], int]
) -> Iterator[list[Batch]]:
    """Yield the remaining batches of an epoch in groups of consecutive batches with equal shapes.

    Args:
        batches: the batches of every epoch.
        state: the step and epoch to start from.
        max_batches: returns the largest number of batches of the next group.
    """
    group: list[Batch] = []
    for index in range(state.step - state.epochs * batches.steps, batches.steps):
        batch = batches.batch(state.epochs, index)
        if group and (len(group) >= max_batches() or [a.shape for a in batch] != [a.shape for a in group[0]]):
            yield group
            group = []
        group.append(batch)
    if group:
        yield group
