"""The options of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from job.batch.cluster import Cluster
from job.batch.queue_place import QueuePlace
from job.process.stopping import Stop
from job.workers.worker_handle import Worker

if TYPE_CHECKING:
    from job.batch.baseline import RunBaseline
    from job.batch.planning import PlannedJob


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How a batch is run.

    Args:
        workers: number of worker processes; no more are started than there are jobs to train.
        cores: number of cores that the workers share.
        gpus: GPUs that the workers share, see `limits.device_variables`.
        first_worker: a worker process that was started in advance, see `pool.first_worker`.
        stop: asks the batch to stop; running jobs then save their state, and the reports are still written.
        fresh: train finished jobs again.
        fail_fast: stop at the first job that fails.
        tensorboard: write event files for TensorBoard.
        live_history: write the history of each job while it is trained, for a tracker.
        may_be_empty: an empty plan is no failure: the batch may have more shards than jobs.
        baseline: compared with the results, unless the batch is stopped.
        lease_seconds: time after which a node of a queue without heartbeat is lost; None for a batch that
            one process runs.
        costs: estimated seconds by job name, see `cost_estimate`.
        cluster: the processes that train one model together, of which this is one; None without `--cluster`.
        queue_place: where the nodes of a queue meet; None for the output directory.
        on_joined: called once this node has joined the batch of a queue.
        flush_store: uploads what the jobs have left, and returns a sentence for each part that it could not.
    """

    workers: int = 1
    cores: int = 1
    gpus: tuple[str, ...] = ()
    first_worker: Worker | None = None
    stop: Stop = field(default_factory=Stop)
    fresh: bool = False
    fail_fast: bool = False
    tensorboard: bool = False
    live_history: bool = False
    may_be_empty: bool = False
    baseline: RunBaseline | None = None
    lease_seconds: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    cluster: Cluster | None = None
    queue_place: QueuePlace | None = None
    on_joined: Callable[[], object] = lambda: None
    flush_store: Callable[[], Sequence[str]] = tuple

    def for_mirrored_models(self, plan: Iterable[PlannedJob]) -> BatchOptions:
        """Return options with one worker that sees every GPU, if a job's model is mirrored on several.

        The worker that was started in advance sees only one GPU, so it is not used.
        """
        mirrored = any(planned.job.training.distribution != "none" for planned in plan)
        if len(self.gpus) < 2 or not mirrored:
            return self
        return replace(self, gpus=(",".join(self.gpus),), workers=1, first_worker=None)
