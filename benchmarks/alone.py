"""A process that does jobs of a spec one after the other, with no parent and nobody beside it.

What `job.batch` is held against: `python -m benchmarks.alone SPEC OUTPUT FIRST STEP` does every STEP-th job
from the FIRST-th on, counted from 0. Who starts it pins it to a core and sets the variables of a worker.
"""

from __future__ import annotations

import sys
from pathlib import Path

from job.running.run_job import run_job
from job.running.task import Task
from job.spec.fingerprints import fingerprints_of
from job.spec.spec_loading import load_spec
from job.storage.artifacts import prepare_output


def main(path: Path, directory: Path, first: int, step: int) -> None:
    """Do the jobs."""
    output = prepare_output(directory)
    for job in load_spec(path).jobs[first::step]:
        paths = output.job(job.name)
        paths.directory.mkdir(exist_ok=True)
        run_job(Task(job, fingerprints_of(job, path.parent).evaluation, path.parent, paths, commit=None))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
