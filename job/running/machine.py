"""Facts about the machine and the process in which a job runs: devices, memory, versions."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import tensorflow as tf

from job.errors import DeviceError, no_implementation
from job.process import environment
from job.running.task import Task
from job.spec import entry_points as plugins
from job.spec.problem_sections import PluginSpec
from job.spec.schema import Device


def has_gpu() -> bool:
    """Return whether TensorFlow can use a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


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
    record = {**environment.describe(_device_names(), task.commit), "kernel": kernel}
    if isinstance(task.job.problem, PluginSpec):  # the version of the package that made the examples
        record["problem"] = plugins.owner(plugins.find(task.job.problem.name))
    return record


def _device_names() -> list[str]:
    names = []
    for device in tf.config.list_logical_devices():
        physical = tf.config.list_physical_devices(device.device_type)
        details = tf.config.experimental.get_device_details(physical[0]) if physical else {}
        names.append(details.get("device_name", device.name))
    return names
