"""The option `--mlflow`: check what it needs, and log a finished batch in a process of its own.

The process imports MLflow, which takes seconds, and can be given up: whatever happens there, the batch has
ended, and its exit code stays.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping

from job.errors import DependencyError, UsageError
from job.process.hook import run_hook
from job.process.import_path import program_command, worker_variables
from job.process.installed_versions import installed
from job.storage.artifacts import OutputPaths

TIMEOUT_SECONDS = 600.0
"""Maximum duration of the process."""

URI_VARIABLE = "MLFLOW_TRACKING_URI"

DEFAULTS = {
    # A server that is down is given up after half a minute, not after the client's 15 minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "60",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Variables of the process, where the user has not set them."""

_PROGRAM = "from job.tracking.mlflow_program import main; sys.exit(main(sys.argv[2], sys.argv[3]))"


def check_mlflow(environment: Mapping[str, str]) -> None:
    """Check that a batch can be logged, without importing MLflow or asking the server.

    Raises:
        DependencyError: MLflow is not installed.
        UsageError: the environment names no tracking server.
    """
    if installed("mlflow-skinny") is None and installed("mlflow") is None:
        raise DependencyError(
            "--mlflow needs the package mlflow-skinny; install it with `pip install seq2seq-job[mlflow]`"
        )
    if not environment.get(URI_VARIABLE, "").strip():
        raise UsageError(
            f"--mlflow needs the address of the tracking server; set {URI_VARIABLE}, "
            "for example to http://127.0.0.1:5000"
        )


def log_to_mlflow(output: OutputPaths) -> str:
    """Log the batch whose reports are in an output directory.

    Args:
        output: of the batch, or of one shard.

    Returns:
        a clause on what went wrong; empty if everything is logged.
    """
    arguments = (os.path.abspath(output.root), output.shard)
    command = program_command(sys.executable, _PROGRAM, *arguments)
    environment = {**DEFAULTS, **worker_variables()}
    return run_hook(shlex.join(command), "", environment, TIMEOUT_SECONDS)
