"""The files that a job leaves, with sizes and checksums."""

from __future__ import annotations

from pathlib import Path

from job.results.checksums import sha256_of
from job.results.job_result import Artifact
from job.storage.artifacts import JobPaths
from job.storage.moving import TEMPORARY


def list_files(job_dir: Path) -> tuple[Artifact, ...]:
    """List the files that a job leaves, in the order of their paths.

    Left out: `result.json` (it holds the list), `job.log` (still being written), `checkpoint/` (about to
    go), temporary files and those that exist only while the job runs.

    Args:
        job_dir: the job's directory.
    """
    paths = JobPaths(job_dir)
    left_out = {paths.result, paths.log, *paths.passing}
    files = (
        path
        for path in job_dir.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and path not in left_out
        and paths.checkpoint not in path.parents
        and not path.name.startswith(TEMPORARY)
    )
    named = sorted((path.relative_to(job_dir).as_posix(), path) for path in files)
    return tuple(Artifact(name, path.stat().st_size, sha256_of(path)) for name, path in named)
