"""Facts about the machine and the process in which a job runs: devices, memory, versions."""

from __future__ import annotations

import random
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from job.errors import DeviceError, no_implementation
from job.process import environment
from job.running.task import Task
from job.spec.entry_points import MODELS, PROBLEMS, find, owner
from job.spec.problem_sections import PluginSpec
from job.spec.schema import Device


def require_device(requested: Device) -> bool:
    """Check that a job's device is available, and return whether TensorFlow can use a GPU.

    Raises:
        DeviceError: see `check_device`.
    """
    gpu = bool(tf.config.list_physical_devices("GPU"))
    check_device(requested, gpu=gpu, cuda=tf.test.is_built_with_cuda())
    return gpu


def seed_generators(seed: int) -> None:
    """Seed the global generators: Python's, from which Keras draws, and for plugins NumPy's.

    TensorFlow's own seed is not used: setting it would trace the cached functions again.
    """
    random.seed(seed)
    np.random.seed(seed)


def check_device(requested: Device, *, gpu: bool, cuda: bool) -> None:
    """Check that the requested device is available.

    Args:
        requested: `device` of the spec.
        gpu: whether TensorFlow can use a GPU.
        cuda: whether TensorFlow was built with CUDA.

    Raises:
        DeviceError: a GPU is requested, but there is none.
    """
    match requested:
        case "auto":
            return
        case "gpu":
            if not gpu:
                raise DeviceError(_missing_gpu(cuda=cuda))
        case unknown:
            no_implementation("device", unknown)


def _missing_gpu(*, cuda: bool) -> str:
    if cuda:
        reason, remedy = "TensorFlow sees none", "start the container with --gpus all"
    else:
        reason = "this TensorFlow was built without CUDA"
        remedy = "take the image that `make image-gpu` builds, or install seq2seq-job[gpu]"
    return f"device is gpu, but {reason} here: {remedy}, or set device to auto"


def reset_peak_rss() -> None:
    """Reset the process's peak memory, so that earlier jobs do not count (Linux; proc(5), `clear_refs`)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_rss_bytes() -> int:
    """Return the peak resident memory of this process since `reset_peak_rss`, in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def environment_record(task: Task, kernel: str) -> dict[str, Any]:
    """Return a job's `environment`.

    Args:
        task: the job.
        kernel: name of the recurrent kernel that training uses.
    """
    record = {**environment.describe(_device_names(), task.commit, task.dirty), "kernel": kernel}
    if isinstance(task.job.problem, PluginSpec):  # the version of the package that made the examples
        record["problem"] = owner(find(PROBLEMS, task.job.problem.name))
    if task.job.model.name is not None:
        record["model"] = owner(find(MODELS, task.job.model.name))
    return record


def _device_names() -> list[str]:
    names = []
    for device in tf.config.list_logical_devices():
        physical = tf.config.list_physical_devices(device.device_type)
        details = tf.config.experimental.get_device_details(physical[0]) if physical else {}
        names.append(details.get("device_name", device.name))
    return names
