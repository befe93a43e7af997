"""Nodes that have nothing in common but a store, without threads and with a clock of the test."""

from __future__ import annotations

from types import SimpleNamespace

from stores import flaky_store

from job.batch import stored_queue
from job.batch.queue_joining import join_batch
from job.batch.stored_jobs import StoredJobs
from job.batch.stored_queue import StoredQueue
from job.storage.artifacts import prepare_output, write_text
from job.storage.manifests import read_manifests
from job.storage.mirror import Mirror
from job.storage.stored_queue_files import StoredQueueFiles

LEASE = 30.0
NAMES = ("a", "b")


class Clock:
    """Time as the nodes read it."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def watch(monkeypatch, clock, *modules):
    """Have modules read a clock, which is returned."""
    for module in modules:
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(stored_queue, "_LEAVING_SECONDS", 0.0)
    return clock


class Node:
    """A node with an output directory of its own; `turn` is what its threads do."""

    def __init__(self, files, root, plan="p"):
        self.files, self.output = files, prepare_output(root)
        remote, _ = flaky_store(files)
        remote.waits = ()
        self.mirror = Mirror(
            self.output,
            remote,
            read_manifests(remote)[0],
            owned=lambda unit: self.place.owns(unit),  # noqa: PLW0108 - it is made below
            confirmed=lambda unit: self.place.confirms(unit),  # noqa: PLW0108
        )
        uploads = SimpleNamespace(learn=self.mirror.learn, ask=lambda: None, verified=0)
        self.jobs = StoredJobs(self.output, remote.separate(), uploads)
        self.place = StoredQueue(StoredQueueFiles(self.output, remote.separate()), self.jobs, "s3://x", LEASE)
        self.batch = join_batch(self.output, plan, NAMES, LEASE, self.place)

    def turn(self, *, upload=False):
        self.batch.nodes.beat()
        for _ in range(2):
            self.place.work()
            self.jobs.fetch_now()
        self.place.work()
        if upload:
            assert self.mirror.sync() == {}
            self.place.work()

    def take(self, name):
        lease = self.batch.take(name)
        if name in self.batch._asked:
            self.turn()
            lease = self.batch.take(name)
        return lease

    def leave_files(self, name="a", **files):
        for path, text in files.items():
            place = self.output.job(name).directory / path.replace("__", "/").replace("_json", ".json")
            place.parent.mkdir(parents=True, exist_ok=True)
            write_text(place, text)

    def leave(self):
        self.batch.nodes.beat(left=True)
        self.place.work()
