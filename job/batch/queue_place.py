"""Where the nodes of a queue meet: what it must be able to do, and the simplest one, a shared directory.

The nodes tell each other everything in small files of `OutputPaths.queue`, see `queue_batch`. They need no
locks: only that of several nodes which create the same file, one succeeds.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from job.storage.artifacts import write_unsynced
from job.storage.exclusive import create_exclusively
from job.storage.lease import Lease


class QueuePlace(Protocol):
    """A place where nodes meet. All paths are those of files in `OutputPaths.queue`, as this node sees it.

    Args:
        address: of the store; None for a shared directory.
    """

    address: str | None

    def refresh(self) -> None:
        """Look at what the others have written; raises `OSError`, or `StoreError`."""

    def seen_at(self) -> float:
        """Return when what this node sees was true, in monotonic seconds; infinite for now."""

    def create(self, path: Path, content: bytes) -> bool:
        """Create a file, and return whether this call has created it; raises as `refresh`."""

    def remove(self, *paths: Path) -> None:
        """Remove files and directories, as far as that can be done."""

    def take(self, lease: Lease, content: bytes) -> bool | None:
        """Take a lease, or with a later number take a job over: return whether it is this node's now.

        None as long as that is not known: ask again with the same lease. Once a job is this node's, its
        directory has what the node before has left.

        Raises:
            OSError: a file cannot be written.
        """

    def renew(self, path: Path, record: Mapping[str, object]) -> None:
        """Show the others that this node lives, and so keep its leases; raises `OSError`."""

    def release(self, path: Path, record: Mapping[str, object]) -> None:
        """Tell the others that this node has left, and that its leases are free; raises `OSError`."""

    def end(self, path: Path, content: bytes) -> None:
        """Tell the others that a job has ended, once they can read its result; raises `OSError`."""

    def retire(self) -> bool:
        """Let go of the jobs that have not ended, although the batch has not.

        Returns:
            whether this node must write the reports before it leaves.
        """

    def refuted(self) -> Collection[str]:
        """Return, once each, the jobs that this node finished after another node had taken them over."""

    @property
    def unsettled(self) -> bool:
        """Whether a job that this node has ended may still turn out to be another's."""

    def unreachable(self) -> str:
        """Return why the other nodes cannot be observed any more, as a clause; empty if they can."""

    def joined(self, take_reports: Callable[[], object], leave: Callable[[], object]) -> bool:
        """Note the batch of this node, and return whether the reports are one node's to write.

        Args:
            take_reports: takes the lease of the reports, as `take` does.
            leave: leaves the batch.
        """


class SharedDirectory:
    """The directory that all nodes see, on a file server for example."""

    address: str | None = None

    def refresh(self) -> None:
        """Do nothing: what is read is there."""

    def seen_at(self) -> float:
        """Return infinity: what is read is true now."""
        return math.inf

    def create(self, path: Path, content: bytes) -> bool:
        """Create a file."""
        return create_exclusively(path, content)

    def remove(self, *paths: Path) -> None:
        """Remove files and directories."""
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def take(self, lease: Lease, content: bytes) -> bool | None:
        """Take a lease at once."""
        return create_exclusively(lease.file, content)

    def renew(self, path: Path, record: Mapping[str, object]) -> None:
        """Write the heartbeat."""
        write_unsynced(path, json.dumps(record) + "\n")

    def release(self, path: Path, record: Mapping[str, object]) -> None:
        """Write that this node has left."""
        write_unsynced(path, json.dumps(record) + "\n")

    def end(self, path: Path, content: bytes) -> None:
        """Tell it at once: the result is there."""
        create_exclusively(path, content)

    def retire(self) -> bool:
        """Return that the node may leave at once."""
        return False

    def refuted(self) -> Collection[str]:
        """Return nothing: a lease is checked before a result is written."""
        return ()

    @property
    def unsettled(self) -> bool:
        """Nothing ever is."""
        return False

    def unreachable(self) -> str:
        """Return nothing: a directory that cannot be read is an error."""
        return ""

    def joined(self, take_reports: Callable[[], object], leave: Callable[[], object]) -> bool:
        """Return that the reports are everyone's: all nodes write the same ones."""
        return False
