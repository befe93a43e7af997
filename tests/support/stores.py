"""Stores in memory that lose, tear and refuse what is written to them."""

from __future__ import annotations

from collections import Counter

from fsspec.implementations.memory import MemoryFileSystem

from job.storage.remote_files import RemoteFiles


class FlakyFiles(MemoryFileSystem):
    """A store of its own in memory, whose next operations go wrong.

    `faults` has by operation what befalls the next ones: `error`, `denied`, `tear` (half is written), `lose`
    (nothing is written), `lie` (it is written, then an error is reported).
    """

    protocol = "flaky"
    cachable = False
    conditional = True
    """Whether `mode="create"` is known; if not, it is ignored, as old services do."""

    def __init__(self, **options):
        super().__init__(**options)
        self.store, self.pseudo_dirs = {}, [""]
        self.faults = {"write": [], "read": [], "find": []}
        self.count = Counter()

    def _fault(self, operation):
        self.count[operation] += 1
        fault = self.faults[operation].pop(0) if self.faults[operation] else None
        if fault == "error":
            raise ConnectionResetError(104, "Connection reset by peer")
        if fault == "denied":
            raise PermissionError(13, "Access Denied")
        return fault

    def pipe_file(self, path, value, mode="overwrite", **options):
        fault = self._fault("write")
        if mode == "create" and self.conditional and self.exists(path):
            raise FileExistsError(path)
        if fault != "lose":
            with super().open(path, "wb") as file:
                file.write(value[: len(value) // 2] if fault == "tear" else value)
        if fault == "lie":
            raise TimeoutError(110, "Connection timed out")

    def open(self, path, mode="rb", **options):
        self._fault("read" if mode == "rb" else "write")
        return super().open(path, mode, **options)

    def find(self, path, **options):
        self._fault("find")
        return super().find(path, **options)

    def contents(self):
        """Everything in the store, by path."""
        return {path.removeprefix("/run/"): file.getvalue() for path, file in sorted(self.store.items())}


class SharedFiles(FlakyFiles):
    """Such a store with a driver that is known to write conditionally."""

    protocol = "memory"


def flaky_store(files=None):
    """Return the files of a store, and the pauses that it made between retries."""
    pauses = []
    remote = RemoteFiles(files or FlakyFiles(), "/run", "flaky://run", pause=pauses.append)
    return remote, pauses
