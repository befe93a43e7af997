"""What `status` needs of batches in stores: fetched again before each look, to a temporary directory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from job.batch.heartbeat import HEARTBEAT_SECONDS
from job.batch.job_status import StatusReader
from job.errors import StoreError
from job.gating.plan_file import read_entries
from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.fetched_places import new_copy, no_output
from job.storage.manifests import Manifest, read_manifests
from job.storage.remote_files import Content, RemoteFiles, connect_store
from job.storage.store_address import is_store, parse_store
from job.storage.stored_heartbeats import BEAT_SECONDS, stored_heartbeats
from job.storage.stored_queue_files import copy_names
from job.storage.stored_units import fetch_file

_PLANS = ("plan.json", "shards.json")


@dataclass
class StoredOutput:
    """A copy of an output directory in a store: plan, results, heartbeats and names of checkpoints.

    Args:
        remote: the files of the store.
        root: the directory of the copy.
    """

    remote: RemoteFiles
    root: Path
    _fetched: dict[Path, tuple[Content, ...]] = field(default_factory=dict)

    def refresh(self) -> None:
        """Fetch what has changed in the store.

        Raises:
            StoreError: the store cannot be read, has no output directory, or a file differs from its
                checksum.
            OSError: a file cannot be written.
        """
        output = OutputPaths(self.root)
        places = stored_heartbeats(self.remote)  # before the results, which take their place
        heartbeats = self.remote.read(places.values())
        stored, _ = read_manifests(self.remote)
        if not stored:
            raise no_output(self.remote)
        for name in _PLANS:
            if name in stored:
                self._fetch(stored[name], name, self.root / name)
        copy_names(self.remote, output)
        for name in self._planned(output):
            job = output.job(name)
            job.directory.mkdir(parents=True, exist_ok=True)
            _write_or_remove(job.progress, heartbeats.get(places.get(name, "")))
            self._fetch_job(stored.get(f"jobs/{name}"), job)

    def _planned(self, output: OutputPaths) -> list[str]:
        with suppress(OSError, ValueError):  # reading the status says what is wrong with the plan
            return [*read_entries(output.plan)]
        return []

    def _fetch_job(self, manifest: Manifest | None, job: JobPaths) -> None:
        """Fetch a job's result; of its checkpoints only the names matter."""
        if manifest is None or job.result.name not in manifest.files:
            job.result.unlink(missing_ok=True)
            self._fetched.pop(job.result, None)
        else:
            self._fetch(manifest, job.result.name, job.result)
        names = {
            name.rpartition("/")[2]
            for name in (manifest.files if manifest else ())
            if name.startswith(f"{job.checkpoint.name}/")
        }
        job.checkpoint.mkdir(exist_ok=True)
        for path in job.checkpoint.iterdir():
            if path.name not in names:
                path.unlink()
        for name in names:
            (job.checkpoint / name).touch()

    def _fetch(self, manifest: Manifest, name: str, target: Path) -> None:
        """Fetch a file unless the copy has it."""
        contents = manifest.files[name]
        if self._fetched.get(target) == contents and len(contents) == 1:
            return
        only = Manifest(manifest.unit, {name: contents})
        if problems := fetch_file(self.remote, only, target):
            raise StoreError("; ".join(problems))
        self._fetched[target] = contents


def status_reader(places: Sequence[str]) -> StatusReader:
    """Return the reader of a batch in output directories and stores.

    Raises:
        StoreError: the URL of a store is wrong, or the package that it needs is missing.
    """
    outputs = {place: _stored_output(place) for place in places if is_store(place)}
    if not outputs:
        return StatusReader([Path(place) for place in places])

    def refresh() -> None:
        for output in outputs.values():
            output.refresh()

    directories = [outputs[place].root if place in outputs else Path(place) for place in places]
    return StatusReader(directories, refresh, HEARTBEAT_SECONDS + BEAT_SECONDS)


def _stored_output(url: str) -> StoredOutput:
    address = parse_store(url)
    return StoredOutput(connect_store(address), new_copy(address))


def _write_or_remove(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)
