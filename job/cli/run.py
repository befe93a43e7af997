"""The batch: what `seq2seq-job` does without a subcommand."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Annotated

import typer

import job
from job.batch.cluster import parse_cluster
from job.batch.report_guard import ReportGuard
from job.batch.shard import WHOLE, parse_shard
from job.cli.command_group import check_no_options_before, check_surroundings
from job.cli.on_end import EndHook, OnEndOption
from job.cli.options import (
    DEFAULT_OUTPUT,
    DEFAULT_SPEC,
    BaselineOption,
    OutputOption,
    SpecOption,
    UpdateOption,
)
from job.cli.run_options import RunOptions, parse_time_limit, parse_worker_count
from job.cli.store import StoreOption, store_copy, uploaded_at_end
from job.process.stopping import Stop

OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        envvar="SEQ2SEQ_JOB_ONLY",
        help="Run only jobs whose name matches this glob; may be repeated.",
    ),
]
WorkersOption = Annotated[
    str,
    typer.Option(
        "--workers",
        envvar="SEQ2SEQ_JOB_WORKERS",
        help="Number of jobs to run at once, or auto: one per GPU, or without GPUs one per core, "
        "as control groups and memory allow.",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        envvar="SEQ2SEQ_JOB_SHARD",
        help="Run only shard I of N: I/N. All shards take about equally long. With auto, I and N are read "
        "from the variables of Kubernetes, Slurm, GitLab, CircleCI or Buildkite.",
    ),
]
QueueOption = Annotated[
    bool,
    typer.Option(
        "--queue",
        envvar="SEQ2SEQ_JOB_QUEUE",
        help="Share the batch with every process that runs the same command on the same output directory, "
        "or with the same store: each takes the next job, and also the jobs of a lost process.",
    ),
]
LeaseOption = Annotated[
    float,
    typer.Option(
        "--lease-seconds",
        min=1.0,
        max=86400.0,
        metavar="SECONDS",
        envvar="SEQ2SEQ_JOB_LEASE_SECONDS",
        help="With --queue or --cluster: time without a heartbeat after which a process counts as lost.",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        envvar="SEQ2SEQ_JOB_CLUSTER",
        metavar="auto|HOST:PORT,...",
        help="Train jobs of `distribution: multi_worker` together with the processes of these addresses, "
        "each started with the same command; auto: as TF_CONFIG, Slurm or Kubernetes says. Implies --queue.",
    ),
]
FreshOption = Annotated[
    bool,
    typer.Option(
        envvar="SEQ2SEQ_JOB_FRESH",
        help="Train finished jobs again; their old results are moved to superseded/.",
    ),
]
FailFastOption = Annotated[
    bool, typer.Option(envvar="SEQ2SEQ_JOB_FAIL_FAST", help="Stop at the first job that fails.")
]
TimeLimitOption = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="MINUTES",
        envvar="SEQ2SEQ_JOB_TIME_LIMIT",
        help="Stop after this time as on SIGTERM: running jobs save their state, and the same command "
        "resumes them. Stopping takes up to 10 seconds.",
    ),
]
TensorBoardOption = Annotated[
    bool,
    typer.Option(
        envvar="SEQ2SEQ_JOB_TENSORBOARD",
        help="Also write each trained job's history for TensorBoard, to jobs/NAME/tensorboard.",
    ),
]
MlflowOption = Annotated[
    bool,
    typer.Option(
        "--mlflow",
        envvar="SEQ2SEQ_JOB_MLFLOW",
        help="Log the batch to the MLflow server of MLFLOW_TRACKING_URI: a run for each job, nested under "
        "that of the batch, with the points of its history while it is trained. If that fails, the exit code "
        "does not change.",
    ),
]
LogFormatOption = Annotated[
    str,
    typer.Option(
        "--log-format", envvar="SEQ2SEQ_JOB_LOG_FORMAT", help="Format of progress lines: text or json."
    ),
]
VersionOption = Annotated[bool, typer.Option("--version", help="Print the version and exit.")]


def run(
    context: typer.Context,
    spec: SpecOption = DEFAULT_SPEC,
    output_dir: OutputOption = DEFAULT_OUTPUT,
    only: OnlyOption = None,
    workers: WorkersOption = "auto",
    shard: ShardOption = None,
    queue: QueueOption = False,
    lease_seconds: LeaseOption = 60.0,
    cluster: ClusterOption = None,
    fresh: FreshOption = False,
    fail_fast: FailFastOption = False,
    time_limit: TimeLimitOption = None,
    tensorboard: TensorBoardOption = False,
    mlflow: MlflowOption = False,
    log_format: LogFormatOption = "text",
    baseline: BaselineOption = None,
    update_baseline: UpdateOption = False,
    store: StoreOption = None,
    on_end: OnEndOption = None,
    version: VersionOption = False,
) -> None:
    """Train and evaluate the encoder-decoder models of a spec, and judge them by their gates."""
    guard = ReportGuard(output_dir, "" if shard is None else None)
    is_batch = context.invoked_subcommand is None and not version
    copy = store_copy(store if is_batch else None)
    with EndHook(on_end if is_batch else None, guard).runs_at_end(), uploaded_at_end(copy):
        if _is_something_else(context, guard, version=version):
            return
        with guard.reports_on_error():
            EndHook(on_end, guard).check()
            copy.check()
            stop = Stop(parse_time_limit(time_limit))
            part = WHOLE if shard is None else parse_shard(shard, os.environ)
            guard.shard = part.label
            options = RunOptions(
                spec=spec,
                output_dir=output_dir,
                only=tuple(only or ()),
                workers=parse_worker_count(workers),
                shard=part,
                queue=queue or cluster is not None,
                cluster=None if cluster is None else parse_cluster(cluster, os.environ),
                lease_seconds=lease_seconds,
                fresh=fresh,
                fail_fast=fail_fast,
                stop=stop,
                tensorboard=tensorboard,
                mlflow=mlflow,
                log_format=log_format,
                baseline=baseline,
                update_baseline=update_baseline,
                store=copy,
            )
            from job.cli.start_batch import start_batch

            raise typer.Exit(start_batch(options, guard))


def _is_something_else(context: typer.Context, guard: ReportGuard, *, version: bool) -> bool:
    """Check environment variables and packages, and return whether the command is not a batch."""
    subcommand = context.invoked_subcommand
    is_batch = subcommand is None and not version
    with guard.reports_on_error() if is_batch else nullcontext():
        check_surroundings(context)
    if subcommand is not None:
        check_no_options_before(context, subcommand)
    elif version:
        typer.echo(job.__version__)
    return not is_batch
