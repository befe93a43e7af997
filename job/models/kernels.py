"""The choice of the implementation of the recurrent layers, by architecture and device."""

from __future__ import annotations

from job.models.recurrent import Kernel
from job.spec.model_section import ModelSpec


def choose_kernel(spec: ModelSpec, *, gpu: bool) -> Kernel:
    """Return the fastest kernel that computes the model correctly.

    A Transformer has Keras's own layers, a plugin those of its package. With recurrent dropout it is Keras's
    own loop, otherwise the fused kernel on a CPU and cuDNN on a GPU.
    cuDNN requires default activations, a GRU's reset gate after the product, no recurrent dropout, and masks
    padded on the right without empty rows. The layers and batches of this package meet all these conditions
    except for recurrent dropout.

    Args:
        spec: The architecture.
        gpu: Whether the model runs on a GPU.
    """
    if spec.architecture != "recurrent" or spec.recurrent_dropout:
        return "keras"
    return "cudnn" if gpu else "fused"
