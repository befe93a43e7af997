"""The image. Without podman or root the tests are skipped; with REQUIRE_CONTAINER set they fail.

With CONTAINER_STORE set to a directory, images are kept there, and the next run builds only what changed.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from containers import Containers, missing
from required_tools import require_tool

BASE = "localhost/seq2seq-job-base"
IMAGE = "localhost/seq2seq-job"


@pytest.fixture(scope="session")
def podman():
    """podman with a store of its own and a base image in it."""
    require_tool(missing(), "REQUIRE_CONTAINER")
    kept = os.environ.get("CONTAINER_STORE")
    # Not below pytest's directories, which only root may enter: the containers' users are others.
    store = Path(kept or tempfile.mkdtemp(prefix="containers-"))
    store.mkdir(parents=True, exist_ok=True)
    store.chmod(0o755)
    containers = Containers(store, keeps=bool(kept))
    try:
        if not containers.has(BASE):
            containers.make_base(BASE)
        yield containers
        containers.call("rm", "--all", "--force", "--time=5")
    finally:
        if not kept:
            containers.call("system", "reset", "--force", check=False)
            shutil.rmtree(store, ignore_errors=True)


@pytest.fixture(scope="session")
def image(podman):
    """The name of the image for CPUs, just built."""
    podman.make_image("image", BASE)
    return IMAGE
