"""Checks of the GPU path: `make gpu-check`. Without a GPU they are skipped.

With GPU_CHECK_DEVICE=cpu they run on the CPU, as two logical devices, so that the checks themselves are
tested where there is no GPU.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REHEARSED = os.environ.get("GPU_CHECK_DEVICE") == "cpu"
if REHEARSED:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def gpus():
    """CUDA's names of the GPUs to check; on the CPU of two that are not there."""
    from job.workers.limits import read_limits

    found = ("0", "1") if REHEARSED else read_limits().gpus
    if not found:
        pytest.skip("this machine has no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it")
    return found


@pytest.fixture(scope="session")
def device(gpus):
    """The kind of device to check, once TensorFlow is loaded as a worker loads it: GPU or CPU."""
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # the commands of other tests need memory too
    from job.process.tensorflow_loading import load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    if REHEARSED:
        cpu = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    kind = "CPU" if REHEARSED else "GPU"
    assert tf.config.list_logical_devices(kind), "TensorFlow sees no GPU: is tensorflow[and-cuda] installed?"
    return kind


@pytest.fixture
def batch(tmp_path, gpus):
    """A function that runs `seq2seq-job` on a spec in `tmp_path`, and returns the finished process."""
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if REHEARSED else {}

    def run(spec, *options, path=(), limit=None):
        (tmp_path / "jobs.yaml").write_text(spec)
        paths = os.pathsep.join(map(str, (*path, ROOT)))
        return subprocess.run(
            [sys.executable, "-m", "job", *options],
            cwd=tmp_path, env={**os.environ, **visible, "PYTHONPATH": paths}, preexec_fn=limit,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    return run
