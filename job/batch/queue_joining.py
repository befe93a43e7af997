"""Join the batch that several nodes work on, or begin one.

Nothing is locked, since locks do not work on every file system that machines share: the first node creates
`queue/batch-N.json`, which only one can; the largest N counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from pathlib import Path

from job.batch.planning import PlannedJob
from job.batch.queue_batch import QueueBatch
from job.batch.queue_nodes import MAX_BYTES, QueueNodes
from job.batch.queue_place import QueuePlace, SharedDirectory
from job.errors import OutputError
from job.storage.artifacts import OutputPaths
from job.storage.documents import read_object


def join_batch(
    output: OutputPaths,
    plan: str,
    names: Collection[str],
    lease_seconds: float,
    place: QueuePlace | None = None,
) -> QueueBatch:
    """Join the batch that nodes work on in an output directory; begin one if there is none.

    A batch that all nodes have left is over. One whose nodes were all lost continues, so that what has failed
    in it is not run again; unless every job has ended.

    Args:
        output: prepared and locked.
        plan: fingerprint of the plan, see `queue_fingerprint`: all nodes must have the same.
        names: of the jobs of the batch.
        lease_seconds: see `QueueNodes`.
        place: where the nodes meet; None for the output directory itself.

    Raises:
        OutputError: other nodes work on another plan.
        StoreError: the store in which they meet cannot be read or written to.
        OSError: the directory cannot be read or written to.
    """
    place = place or SharedDirectory()
    output.queue.mkdir(exist_ok=True)
    while True:
        place.refresh()
        number = max(_numbers(output), default=0)
        if number and (joined := _open(output, number, lease_seconds, place)) and not joined.nodes.all_left:
            same = read_object(_pointer(output, number), MAX_BYTES).get("plan") == plan
            if same and not (joined.to_repeat(names) and not joined.nodes.others_live()):
                joined.nodes.beat()
                place.refresh()
                if max(_numbers(output)) == number:
                    return joined
                continue
            if not same and joined.nodes.others_live():
                raise OutputError(_in_use(output, place))
        _begin(output, number + 1, plan, place)
        if max(_numbers(output)) == number + 1:
            # a node of an earlier batch that was suspended has no lease any more
            place.remove(output.queue / str(number) / "leases")
            for old in range(1, number):
                place.remove(_pointer(output, old), output.queue / str(old))


def _in_use(output: OutputPaths, place: QueuePlace) -> str:
    where = f"output directory {output.root}" if place.address is None else f"the store {place.address}"
    other = "directory with --output-dir" if place.address is None else "one with --store"
    return (
        f"{where} is in use by nodes that run another spec, or other jobs of it: run the same command on all "
        f"nodes, or choose another {other}"
    )


def queue_fingerprint(plan: Sequence[PlannedJob]) -> str:
    """Return the SHA-256 of what all nodes of a batch must agree on: the jobs, their data and their gates."""
    content = [[planned.fingerprint, planned.job.model_dump(mode="json")] for planned in plan]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _begin(output: OutputPaths, number: int, plan: str, place: QueuePlace) -> None:
    for name in ("nodes", "leases", "ended"):
        (output.queue / str(number) / name).mkdir(parents=True, exist_ok=True)
    record = {"plan": plan, "began": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    place.create(_pointer(output, number), json.dumps(record).encode())


def _open(output: OutputPaths, number: int, lease_seconds: float, place: QueuePlace) -> QueueBatch | None:
    folder = output.queue / str(number)
    try:
        began = datetime.fromisoformat(str(read_object(_pointer(output, number), MAX_BYTES).get("began")))
    except ValueError:
        return None
    began = began if began.tzinfo else began.replace(tzinfo=timezone.utc)
    nodes = QueueNodes(folder / "nodes", lease_seconds, place)
    return QueueBatch(folder, began, nodes, place) if folder.is_dir() else None


def _pointer(output: OutputPaths, number: int) -> Path:
    return output.queue / f"batch-{number}.json"


def _numbers(output: OutputPaths) -> list[int]:
    found = (re.fullmatch(r"batch-(\d{1,9})\.json", name) for name in os.listdir(output.queue))
    return [int(match[1]) for match in found if match]
