"""Which implementation runs a model's recurrent layers: a pure function of architecture and device."""

from __future__ import annotations

from job.models.recurrent import Kernel
from job.spec.model_section import ModelSpec


def choose_kernel(spec: ModelSpec, *, gpu: bool) -> Kernel:
    """Return the fastest kernel that computes the model right.

    On a CPU that is the fused one, and Keras's loop where states are dropped in training. On a GPU it is
    cuDNN's, which takes default activations, GRUs that reset after the product, no dropped states, and masks
    that are right-padded with no empty row: all of which this package's layers and batches have, but for
    `recurrent_dropout`. (Keras would choose cuDNN by itself then; what it can't run, it runs in its loop.)
    """
    if spec.recurrent_dropout:
        return "keras"
    return "cudnn" if gpu else "fused"
