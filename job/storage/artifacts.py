"""The paths of an output directory, and atomic writes of its files.

Every file is written to a temporary name in the same directory, synced to disk and renamed. A reader finds
the old file or the new one, never a part of one, whenever the process or the machine stops. An `OSError` (for
example a full disk) is passed on with the old file in place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from job.errors import OutputError
from job.storage.links import refuse_link, refuse_linked_folders
from job.storage.moving import TEMPORARY, flush, temporary_path


@dataclass(frozen=True)
class JobPaths:
    """The files of one job, all inside `directory`."""

    directory: Path

    @property
    def result(self) -> Path:
        """`result.json`, written last: a job that has one is complete."""
        return self.directory / "result.json"

    @property
    def spec(self) -> Path:
        """The resolved spec of this job, YAML."""
        return self.directory / "spec.yaml"

    @property
    def history(self) -> Path:
        """Training history, CSV with a header."""
        return self.directory / "history.csv"

    @property
    def predictions(self) -> Path:
        """Predictions: one JSON object a line for every test example."""
        return self.directory / "predictions.jsonl"

    @property
    def validation_predictions(self) -> Path:
        """Predictions for the validation examples, in the same form."""
        return self.directory / "validation_predictions.jsonl"

    @property
    def curves(self) -> Path:
        """Loss and accuracy over training, SVG."""
        return self.directory / "curves.svg"

    @property
    def accuracy(self) -> Path:
        """Accuracy by target position and by source length, SVG."""
        return self.directory / "accuracy.svg"

    @property
    def attention(self) -> Path:
        """Attention weights of each sample, SVG; only for models with attention."""
        return self.directory / "attention.svg"

    @property
    def contexts(self) -> Path:
        """Context vectors of test sources, projected to two dimensions, JSON."""
        return self.directory / "contexts.json"

    @property
    def contexts_plot(self) -> Path:
        """The projected context vectors as a picture, SVG."""
        return self.directory / "contexts.svg"

    @property
    def log(self) -> Path:
        """Output of the job's process."""
        return self.directory / "job.log"

    @property
    def progress(self) -> Path:
        """`progress.json`: the heartbeat of the job; exists only while it runs."""
        return self.directory / "progress.json"

    @property
    def cancel(self) -> Path:
        """`cancel`: a request to stop the job, removed by the process that runs it."""
        return self.directory / "cancel"

    @property
    def live_history(self) -> Path:
        """`live_history.json`: the history so far, for a tracker; exists only while the job runs."""
        return self.directory / "live_history.json"

    @property
    def passing(self) -> tuple[Path, ...]:
        """Files that exist only while the job runs and are not part of its result."""
        return self.progress, self.cancel, self.live_history

    @property
    def model(self) -> Path:
        """The directory of the three models and the vocabulary."""
        return self.directory / "model"

    @property
    def card(self) -> Path:
        """The model card, `README.md` in the directory of the models."""
        return self.model / "README.md"

    @property
    def export(self) -> Path:
        """The directory of the model for other runtimes; only for jobs with `export`."""
        return self.directory / "export"

    @property
    def tensorboard(self) -> Path:
        """The directory of the TensorBoard event file; exists only with `--tensorboard`."""
        return self.directory / "tensorboard"

    @property
    def checkpoint(self) -> Path:
        """The directory of checkpoints; exists only while the job is unfinished."""
        return self.directory / "checkpoint"


@dataclass(frozen=True)
class PartPaths(JobPaths):
    """The files of a process that takes part in a job: all its own, but for what the chief has written.

    Args:
        whole: the files of the job, as the chief writes them.
    """

    whole: JobPaths

    @property
    def checkpoint(self) -> Path:
        """The directory of the job's checkpoints, of which this process writes none."""
        return self.whole.checkpoint

    @property
    def model(self) -> Path:
        """The directory of the job's models, of which this process writes none."""
        return self.whole.model


@dataclass(frozen=True)
class OutputPaths:
    """The files of a batch, all inside `root`.

    Args:
        root: the output directory.
        shard: part of the report names of one shard, such as `2-of-4`; empty for a whole batch. Shards may
            share an output directory.
    """

    root: Path
    shard: str = ""

    @property
    def cache(self) -> Path:
        """The directory of tokenized data, which any run can make anew."""
        return self.root / "cache"

    @property
    def report(self) -> Path:
        """`report.json`; a shard's is `report-2-of-4.json`."""
        return self._of_shard("report", "json")

    @property
    def markdown(self) -> Path:
        """`report.md`."""
        return self._of_shard("report", "md")

    @property
    def html(self) -> Path:
        """`report.html`."""
        return self._of_shard("report", "html")

    @property
    def junit(self) -> Path:
        """`junit.xml`."""
        return self._of_shard("junit", "xml")

    @property
    def prometheus(self) -> Path:
        """`metrics.prom`, for node_exporter; a shard's is `metrics-2-of-4.prom`."""
        return self._of_shard("metrics", "prom")

    @property
    def report_files(self) -> tuple[Path, ...]:
        """All report files, `report.json` last."""
        return self.html, self.markdown, self.junit, self.prometheus, self.report

    def _of_shard(self, stem: str, suffix: str) -> Path:
        return self.root / (f"{stem}-{self.shard}.{suffix}" if self.shard else f"{stem}.{suffix}")

    @property
    def reports(self) -> list[Path]:
        """Every existing `report.json`: the batch's and those of shards."""
        return sorted([*self.root.glob("report.json"), *self.root.glob("report-*-of-*.json")])

    @property
    def plan(self) -> Path:
        """`plan.json`: every job of the spec, all shards."""
        return self.root / "plan.json"

    @property
    def shards(self) -> Path:
        """`shards.json`: which shard each job goes to."""
        return self.root / "shards.json"

    @property
    def queue(self) -> Path:
        """`queue/`: what the nodes of `--queue` share, see `job.batch.queue_batch`."""
        return self.root / "queue"

    @property
    def jobs(self) -> Path:
        """The directory that holds a directory for each job."""
        return self.root / "jobs"

    @property
    def superseded(self) -> Path:
        """The directory to which `set_aside` moves older job directories."""
        return self.root / "superseded"

    def job(self, name: str) -> JobPaths:
        """Return the paths of a job; `name` must be a valid job name."""
        return JobPaths(self.jobs / name)


def prepare_output(directory: Path) -> OutputPaths:
    """Create the output directory, check that it is writable, and return its paths.

    Raises:
        OutputError: it is a file, cannot be created or written to, or a directory in it is a symbolic link.
    """
    paths = OutputPaths(directory)
    # `jobs` too: a run as another user (root in a container) leaves one that this user cannot write to.
    for folder in (paths.jobs, paths.superseded):
        refuse_link(folder)
    for folder in (paths.root, paths.jobs):
        _prepare_folder(folder)
    return paths


def refuse_links(output: OutputPaths, names: Iterable[str]) -> None:
    """Check that job directories and their subdirectories are not symbolic links.

    Raises:
        OutputError: one of them is.
    """
    for folder in (output.jobs, output.superseded):
        refuse_link(folder)
    for name in names:
        job = output.job(name)
        inner = (job.model.name, job.export.name, job.checkpoint.name, job.tensorboard.name)
        refuse_linked_folders(job.directory, inner)


def _prepare_folder(folder: Path) -> None:
    advice = "choose another directory with --output-dir"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = temporary_path(folder / "probe")  # permission bits do not show whether a file can be created
        probe.write_bytes(b"probe")
        probe.unlink()
    except FileExistsError as error:
        raise OutputError(f"output directory {folder} is a file: move it away, or {advice}") from error
    except NotADirectoryError as error:
        raise OutputError(f"output directory {folder} has a file in its path: {advice}") from error
    except PermissionError as error:
        raise OutputError(
            f"output directory {folder} is not writable: change its owner, or {advice}"
        ) from error
    except OSError as error:
        raise OutputError(f"output directory {folder} cannot be used ({error.strerror}): {advice}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which is renamed to `path` at the end, or removed on an error.

    It is in the same directory and has the same suffix, which some writers require.

    Raises:
        OSError: the file cannot be written or renamed; `path` is unchanged, and the error names it.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    except BaseException as error:  # KeyboardInterrupt too: nothing may be left behind
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)  # a full disk names no file, and users do not know the temporary one
        raise
    flush(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; raises `OSError` with the old file in place."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically; raises `OSError` with the old file in place.

    A lone surrogate (for example in the name of a file that is not UTF-8) is written as `?`.
    """
    write_bytes(path, text.encode("utf-8", errors="replace"))


def write_unsynced(path: Path, text: str) -> None:
    """Write a file atomically without syncing it to disk: this is fast, but a power failure may lose it.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    temporary = temporary_path(path)
    try:
        temporary.write_text(text, "utf-8")
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def clear_temporaries(directory: Path) -> None:
    """Remove partly written files of a killed process; no other process may write to `directory`."""
    for path in directory.rglob(f"{TEMPORARY}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
