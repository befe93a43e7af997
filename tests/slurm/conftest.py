"""A running cluster. Without Slurm or root the tests are skipped; with REQUIRE_SLURM set they fail."""

import shutil
import tempfile
from pathlib import Path

import pytest
from one_node import missing, started
from required_tools import require_tool


@pytest.fixture(scope="session")
def cluster():
    """A running cluster of one node."""
    require_tool(missing(), "REQUIRE_SLURM")
    # Not below pytest's directories, which only root may enter: munged is another user.
    root = Path(tempfile.mkdtemp(prefix="slurm-"))
    root.chmod(0o755)
    try:
        with started(root) as running:
            yield running
    finally:
        shutil.rmtree(root, ignore_errors=True)
