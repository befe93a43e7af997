"""The image. Without podman or root the tests are skipped; with REQUIRE_CONTAINER set they fail.

With CONTAINER_STORE set to a directory, images are kept there, and the next run builds only what changed.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from containers import CALLER, Containers, missing
from required_tools import require_tool

BASE = "localhost/seq2seq-job-base"
IMAGE = "localhost/seq2seq-job"
GPU_IMAGE = "localhost/seq2seq-job:latest-gpu"
GPU_BYTES = 40 << 30
"""Free space for the two stages of the build of the image for GPUs, and the image."""


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


@pytest.fixture(scope="session")
def gpu_image(podman):
    """The name of the image for GPUs, just built."""
    if not os.environ.get("GPU_IMAGE"):
        pytest.skip("GPU_IMAGE is not set: the image for GPUs takes 6.6 GB and minutes to build")
    free = shutil.disk_usage(podman.store).free
    if free < GPU_BYTES:
        pytest.skip(f"{free >> 30} GB are free at {podman.store}, the image for GPUs needs {GPU_BYTES >> 30}")
    podman.make_image("image-gpu", BASE)
    return GPU_IMAGE


@pytest.fixture
def workspace():
    """A directory of the caller's, to be mounted; not below pytest's, which only root may enter."""
    directory = Path(tempfile.mkdtemp(prefix="workspace-"))
    os.chown(directory, *CALLER)
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)
