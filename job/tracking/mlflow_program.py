"""The program of the process that `mlflow_process` starts: log the batch of an output directory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from job.results.batch_report import Report
from job.storage.artifacts import OutputPaths
from job.storage.documents import read_regular
from job.tracking.mlflow_batch import alone
from job.tracking.mlflow_process import URI_VARIABLE
from job.tracking.mlflow_runs import MlflowRuns


def main(root: str, shard: str) -> int:
    """Log the batch of an output directory; print why that fails, on one line.

    Args:
        root: the output directory.
        shard: the shard's label in the names of its reports; empty for a whole batch.

    Returns:
        the exit code of the process.
    """
    output = OutputPaths(Path(root), shard)
    try:
        report = Report.from_json(read_regular(output.report))
        with alone(output):
            MlflowRuns(output).log(report)
    except Exception as error:  # MLflow's own, those of its HTTP library and of stores of artifacts
        print(_one_line(error), flush=True)
        return 1
    return 0


def _one_line(error: Exception) -> str:
    """Return why logging failed, without a password in the server's address."""
    server = os.environ.get(URI_VARIABLE, "")
    text = " ".join(f"{server}: {error or type(error).__name__}".split())
    text = re.sub(r"//[^/@\s]*@", "//", text)
    return text if len(text) <= 300 else text[:299] + "…"
