"""Begin to share a batch in a store: where the nodes meet, and the uploads of this one."""

from __future__ import annotations

from collections.abc import Mapping

from job.batch.stored_jobs import StoredJobs
from job.batch.stored_queue import StoredQueue
from job.storage.artifacts import OutputPaths
from job.storage.manifests import Manifest
from job.storage.mirror import Mirror
from job.storage.mirror_thread import MirrorThread
from job.storage.remote_files import RemoteFiles
from job.storage.stored_queue_files import StoredQueueFiles


def share_store(
    remote: RemoteFiles, stored: Mapping[str, Manifest], output: OutputPaths, lease_seconds: float
) -> tuple[StoredQueue, MirrorThread]:
    """Start the threads of a node.

    Args:
        remote: the files of the store; those of the uploads.
        stored: the manifests in the store, by unit.
        output: prepared and locked.
        lease_seconds: time after which a node without heartbeat is lost.

    Returns:
        where the nodes meet; and the uploads of this node.
    """
    queue: StoredQueue | None = None
    mirror = Mirror(
        output,
        remote,
        stored,
        owned=lambda unit: queue is not None and queue.owns(unit),
        confirmed=lambda unit: queue is not None and queue.confirms(unit),
    )
    uploads = MirrorThread(mirror)
    jobs = StoredJobs(output, remote.separate(), uploads)
    files = StoredQueueFiles(output, remote.without_retries())
    queue = StoredQueue(files, jobs, remote.name, lease_seconds)
    queue.start()
    return queue, uploads
