"""The options of a run, checked."""

from __future__ import annotations

import math
import os
import secrets
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import typer

from job.batch.cluster import Cluster
from job.batch.lock import EXCLUSIVE
from job.batch.shard import WHOLE, Shard
from job.batch.store_copy import StoreCopy
from job.cli.finished_batch import check_update_options
from job.cli.options import choice
from job.process.stopping import Stop
from job.storage.file_names import short_job_name
from job.tracking.mlflow_process import check_mlflow


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The checked options of a run; each field is the command-line option with its name.

    Args:
        only: globs of job names; empty for all jobs.
        workers: number of worker processes; None for `auto`.
        stop: asks the run to stop on a signal, and at the time limit.
        lease_seconds: time after which a node or a process of a cluster without heartbeat is lost.
        cluster: the processes that train one model together, of which this is one.
        store: the remote copy of the output directory.
        mlflow: log the finished batch to MLflow.

    Raises:
        typer.BadParameter: options contradict each other, or the log format is unknown.
        DependencyError, UsageError: see `check_mlflow`.
    """

    spec: Path
    output_dir: Path
    only: tuple[str, ...]
    workers: int | None
    shard: Shard
    fresh: bool
    fail_fast: bool
    stop: Stop
    tensorboard: bool
    log_format: str
    baseline: Path | None
    update_baseline: bool
    queue: bool = False
    lease_seconds: float = 60.0
    cluster: Cluster | None = None
    store: StoreCopy = field(default_factory=lambda: StoreCopy(None))
    mlflow: bool = False

    def __post_init__(self) -> None:
        choice("--log-format", self.log_format, ("text", "json"))
        if self.queue and self.shard != WHOLE:
            raise typer.BadParameter("choose one of --queue and --shard", param_hint="--queue")
        if self.queue and self.fresh:
            text = "not with --queue: later nodes cannot tell new results from old; use a new --output-dir"
            raise typer.BadParameter(text, param_hint="--fresh")
        if self.cluster is not None and self.store.url is not None:
            text = (
                "not with --cluster, whose processes share one output directory; shards (--shard) and the "
                "nodes of a queue (--queue) can meet in a store"
            )
            raise typer.BadParameter(text, param_hint="--store")
        if self.mlflow:
            check_mlflow(os.environ)
        check_update_options(self.baseline, self.update_baseline, shard=self.is_shard or self.queue)

    @property
    def is_shard(self) -> bool:
        """Whether this run is one shard of the batch."""
        return self.shard != WHOLE

    @property
    def lock_name(self) -> str:
        """The name of this run's lock of the output directory."""
        if self.queue and self.store.url is None:
            return f"queue-{secrets.token_hex(8)}"
        return f"shard-{self.shard.label}" if self.is_shard else EXCLUSIVE

    @property
    def refused_locks(self) -> str:
        """Prefix of the names of locks that no other process may hold; empty for none."""
        if self.queue:
            return "shard-"
        return "queue-" if self.is_shard else ""

    def select(self, names: list[str]) -> set[str]:
        """Return the job names that `--only` selects.

        Raises:
            typer.BadParameter: a glob matches no job.
        """
        for pattern in self.only:
            if not any(_matches(name, pattern) for name in names):
                raise typer.BadParameter(
                    f"{pattern!r} matches no job; the spec has {', '.join(names)}", param_hint="--only"
                )
        return {name for name in names if not self.only or any(_matches(name, p) for p in self.only)}


def _matches(name: str, pattern: str) -> bool:
    """Return whether a glob matches a job's name, or is the long name that was shortened to it."""
    return fnmatchcase(name, pattern) or name == short_job_name(pattern)


def parse_worker_count(text: str) -> int | None:
    """Return the value of `--workers`, None for `auto`; raises `typer.BadParameter`."""
    if text == "auto":
        return None
    if text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= 1024:
        return int(text)
    raise typer.BadParameter(f"{text!r}: expected a number from 1 to 1024, or auto", param_hint="--workers")


def parse_time_limit(minutes: float | None) -> float:
    """Return the value of `--time-limit` in seconds, infinite for None; raises `typer.BadParameter`."""
    if minutes is None:
        return math.inf
    if not minutes > 0:
        raise typer.BadParameter(
            f"{minutes:g}: expected a number of minutes above 0", param_hint="--time-limit"
        )
    return 60 * minutes
