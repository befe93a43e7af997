"""Whether a job gets the device that it asks for: a pure function of the spec and of what there is."""

from __future__ import annotations

from job.errors import DeviceError
from job.spec.schema import Device


def check_device(asked: Device, *, gpu: bool, cuda: bool) -> None:
    """Check that there is a GPU where one is asked for.

    Args:
        asked: the spec's `device`.
        gpu: whether TensorFlow sees one.
        cuda: whether TensorFlow was built to use any.

    Raises:
        DeviceError: a GPU is asked for, and there is none.
    """
    if asked != "gpu" or gpu:
        return
    if cuda:
        reason, remedy = "TensorFlow sees none", "start the container with --gpus all"
    else:
        reason = "this TensorFlow was built without CUDA"
        remedy = "take the image that `make image-gpu` builds, or install seq2seq-job[gpu]"
    raise DeviceError(f"device is gpu, but {reason} here: {remedy}, or set device to auto")
