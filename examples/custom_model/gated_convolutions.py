"""A convolutional encoder-decoder: a model for seq2seq-job from a package of its own.

`seq2seq-job validate` and `plan` load this module, so it does not import Keras; `build` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from job.errors import DataError
from job.models.architecture_plugin import Network, Sizes


@dataclass(frozen=True)
class Options:
    """What a spec may give as `model.options`.

    Args:
        units: width of all vectors.
        layers: number of convolutions of the encoder, and of the decoder.
        kernel: number of neighbouring positions that a convolution reads; odd.
        positions: number of positions that have a vector of their own; later ones share the last.
        dropout: share of the inputs of each convolution that is dropped in training.
    """

    units: int = 64
    layers: int = 2
    kernel: int = 3
    positions: int = 128
    dropout: float = 0.0

    def check(self) -> None:
        """Refuse wrong values; a sentence that begins with an option's name is shown where it stands."""
        for name in ("units", "layers", "kernel", "positions"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 10_000:
                raise ValueError(f"{name} must be a whole number from 1 to 10000, found {value!r}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, found {self.kernel}")
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be a number from 0 up to 1, found {self.dropout!r}")


class GatedConvolutions:
    """The model with its options.

    Args:
        options: see `Options`.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        known = [field.name for field in fields(Options)]
        for name in options:
            if name not in known:
                raise ValueError(f"{name} is not an option of this model; known here: {', '.join(known)}")
        self.options = Options(**options)
        self.options.check()

    def build(self, sizes: Sizes) -> Network:
        """Make the layers."""
        _check_tokens(sizes)
        from gated_convolution_layers import ConvolutionalNetwork

        return ConvolutionalNetwork(self.options, sizes)

    def count_parameters(self, sizes: Sizes) -> int:
        """Return the number of weights, for `plan`."""
        _check_tokens(sizes)
        options, units = self.options, self.options.units
        embeddings = (sizes.source + sizes.target + 2 * options.positions) * units
        convolution = options.kernel * units * 2 * units + 2 * units
        query = units * units + units
        return embeddings + options.layers * (2 * convolution + query) + units * sizes.target + sizes.target


def _check_tokens(sizes: Sizes) -> None:
    if sizes.numbers:
        raise DataError("this model is for tokens, but the problem forecasts numbers", key="name")
