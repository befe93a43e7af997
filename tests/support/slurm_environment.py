"""The environment of jobs of a Slurm cluster: `seq2seq-job` is on their path."""

import sys
from pathlib import Path

import job

ROOT = Path(__file__).parents[2]
"""The directory of the project."""


def variables(cluster, bin_directory):
    """The environment that jobs inherit: `seq2seq-job` is on the path."""
    program = bin_directory / "seq2seq-job"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m job "$@"\n')
    program.chmod(0o755)
    return {
        **{name: value for name, value in cluster.variables.items() if not name.startswith("SEQ2SEQ_JOB_")},
        "PATH": f"{bin_directory}:{cluster.variables['PATH']}",
        "PYTHONPATH": str(Path(job.__file__).parents[1]),
    }
