"""Join the batch that several nodes work on, or begin one.

Nothing is locked, since locks do not work on every file system that machines share: the first node creates
`queue/batch-N.json`, which only one can; the largest N counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from pathlib import Path

from job.batch.planning import PlannedJob
from job.batch.queue_batch import QueueBatch
from job.batch.queue_nodes import MAX_BYTES, QueueNodes
from job.errors import OutputError
from job.storage.artifacts import OutputPaths
from job.storage.documents import read_object
from job.storage.exclusive import create_exclusively


def join_batch(output: OutputPaths, plan: str, names: Collection[str], lease_seconds: float) -> QueueBatch:
    """Join the batch that nodes work on in an output directory; begin one if there is none.

    A batch that all nodes have left is over. One whose nodes were all lost continues, so that what has failed
    in it is not run again; unless every job has ended.

    Args:
        output: prepared and locked.
        plan: fingerprint of the plan, see `queue_fingerprint`: all nodes must have the same.
        names: of the jobs of the batch.
        lease_seconds: see `QueueNodes`.

    Raises:
        OutputError: other nodes work on another plan.
        OSError: the directory cannot be read or written to.
    """
    output.queue.mkdir(exist_ok=True)
    while True:
        number = max(_numbers(output), default=0)
        if number and (joined := _open(output, number, lease_seconds)) and not joined.nodes.all_left:
            same = read_object(_pointer(output, number), MAX_BYTES).get("plan") == plan
            if same and not (joined.to_repeat(names) and not joined.nodes.others_live()):
                joined.nodes.beat()
                if max(_numbers(output)) == number:
                    return joined
                continue
            if not same and joined.nodes.others_live():
                raise OutputError(
                    f"output directory {output.root} is in use by nodes that run another spec, or other jobs "
                    "of it: run the same command on all nodes, or choose another directory with --output-dir"
                )
        _begin(output, number + 1, plan)
        if max(_numbers(output)) == number + 1:
            for old in range(1, number):
                _pointer(output, old).unlink(missing_ok=True)
                shutil.rmtree(output.queue / str(old), ignore_errors=True)


def queue_fingerprint(plan: Sequence[PlannedJob]) -> str:
    """Return the SHA-256 of what all nodes of a batch must agree on: the jobs, their data and their gates."""
    content = [[planned.fingerprint, planned.job.model_dump(mode="json")] for planned in plan]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _begin(output: OutputPaths, number: int, plan: str) -> None:
    for name in ("nodes", "leases", "ended"):
        (output.queue / str(number) / name).mkdir(parents=True, exist_ok=True)
    record = {"plan": plan, "began": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    create_exclusively(_pointer(output, number), json.dumps(record).encode())


def _open(output: OutputPaths, number: int, lease_seconds: float) -> QueueBatch | None:
    folder = output.queue / str(number)
    try:
        began = datetime.fromisoformat(str(read_object(_pointer(output, number), MAX_BYTES).get("began")))
    except ValueError:
        return None
    began = began if began.tzinfo else began.replace(tzinfo=timezone.utc)
    nodes = QueueNodes(folder / "nodes", lease_seconds)
    return QueueBatch(folder, began, nodes) if folder.is_dir() else None


def _pointer(output: OutputPaths, number: int) -> Path:
    return output.queue / f"batch-{number}.json"


def _numbers(output: OutputPaths) -> list[int]:
    found = (re.fullmatch(r"batch-(\d{1,9})\.json", name) for name in os.listdir(output.queue))
    return [int(match[1]) for match in found if match]
