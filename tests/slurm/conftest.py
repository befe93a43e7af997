"""A running cluster. Without Slurm or root the tests are skipped; with REQUIRE_SLURM set they fail."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from one_node import missing, started


@pytest.fixture(scope="session")
def cluster():
    """A running cluster of one node."""
    if reason := missing():
        if os.environ.get("REQUIRE_SLURM"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not below pytest's directories, which only root may enter: munged is another user.
    root = Path(tempfile.mkdtemp(prefix="slurm-"))
    root.chmod(0o755)
    try:
        with started(root) as running:
            yield running
    finally:
        shutil.rmtree(root, ignore_errors=True)
