"""The layers of the convolutional encoder-decoder (after Gehring et al. 2017, "Convolutional Sequence to
Sequence Learning"): gated convolutions, and attention in every layer of the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
from gated_convolutions import Options
from keras import ops

from job.models.architecture_plugin import Encoded, Sizes, Step

HALF = math.sqrt(0.5)
"""Scale of the sum of two vectors, so that it varies as much as each of them."""


@keras.saving.register_keras_serializable(package="gated-convolutions")
class GatedConvolution(keras.layers.Layer):
    """A convolution with a gated linear unit (equation 1): (B, T, units) -> (B, T - kernel + 1, units).

    Args:
        units: width of input and output.
        kernel: number of neighbouring positions that it reads.
    """

    def __init__(self, units: int, kernel: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.kernel = units, kernel
        self.convolution = keras.layers.Conv1D(2 * units, kernel, name="convolution")

    def build(self, shape: Any) -> None:
        """Create the weights."""
        self.convolution.build(shape)

    def call(self, x: Any) -> Any:
        """Convolve: half of the outputs gate the other half."""
        values, gates = ops.split(self.convolution(x), 2, axis=-1)
        return values * ops.sigmoid(gates)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with which a saved model makes the layer again."""
        return {**super().get_config(), "units": self.units, "kernel": self.kernel}


class ConvolutionalNetwork:
    """The layers and how they are connected; B rows, S and T positions, U units.

    Args:
        options: of the model.
        sizes: of the vocabularies.
    """

    def __init__(self, options: Options, sizes: Sizes) -> None:
        self.kernel, self.last = options.kernel, options.positions - 1
        units, heights = options.units, range(1, options.layers + 1)
        embedding, dense, dropout = keras.layers.Embedding, keras.layers.Dense, keras.layers.Dropout
        self.source = embedding(sizes.source, units, name="source_embedding")
        self.target = embedding(sizes.target, units, name="target_embedding")
        self.source_positions = embedding(options.positions, units, name="source_positions")
        self.target_positions = embedding(options.positions, units, name="target_positions")
        self.encoder = [GatedConvolution(units, self.kernel, name=f"encoder_{i}") for i in heights]
        self.decoder = [GatedConvolution(units, self.kernel, name=f"decoder_{i}") for i in heights]
        self.queries = [dense(units, name=f"query_{i}") for i in heights]
        self.encoder_dropout = [dropout(options.dropout, name=f"encoder_dropout_{i}") for i in heights]
        self.decoder_dropout = [dropout(options.dropout, name=f"decoder_dropout_{i}") for i in heights]
        self.logits = dense(sizes.target, name="logits")

    def encode(self, source: Any, mask: Any) -> Encoded:
        """Encode sources (B, S); padding is zero before every convolution, as is what is beyond the ends."""
        positions = ops.cumsum(ops.ones_like(source), axis=1) - 1
        embedded = self.source(source) + self.source_positions(ops.minimum(positions, self.last))
        real = ops.ones_like(embedded[:, :, :1])
        if mask is not None:
            real = ops.expand_dims(ops.cast(mask, embedded.dtype), -1)
        x, margin = embedded, self.kernel // 2
        for dropout, convolution in zip(self.encoder_dropout, self.encoder, strict=True):
            padded = ops.pad(dropout(x * real), [[0, 0], [margin, margin], [0, 0]])
            x = (convolution(padded) + x) * HALF
        context = ops.sum(x * real, axis=1) / ops.sum(real, axis=1)
        zeros = ops.sum(ops.zeros_like(embedded), axis=1, keepdims=True)
        window = ops.repeat(zeros, self.kernel - 1, axis=1)
        return Encoded(
            context=context,
            # what each convolution of the decoder has read before, and the number of the position
            states={
                **{f"window_{i}": window for i in range(1, len(self.decoder) + 1)},
                "position": ops.sum(ops.zeros_like(source), axis=1, keepdims=True),
            },
            memory={"keys": x, "values": (x + embedded) * HALF, "hidden": (real - 1.0) * 1e4},
        )

    def decode(self, inputs: Any, encoded: Encoded) -> Any:
        """Return the logits (B, T, V) of all positions; a convolution reads a position and those before."""
        positions = ops.cumsum(ops.ones_like(inputs), axis=1) - 1
        x = embedded = self._enter(inputs, positions)
        for i in range(len(self.decoder)):
            given = ops.pad(self.decoder_dropout[i](x), [[0, 0], [self.kernel - 1, 0], [0, 0]])
            x, _ = self._decoder_layer(i, given, x, embedded, encoded.memory)
        return self.logits(x)

    def step(self, inputs: Any, states: Mapping[str, Any], memory: Mapping[str, Any]) -> Step:
        """Return the logits of one position (B, 1, V); a window holds the inputs of the positions before."""
        x = embedded = self._enter(inputs, states["position"])
        after, weights = {"position": states["position"] + 1}, []
        for i in range(len(self.decoder)):
            given = ops.concatenate([states[f"window_{i + 1}"], x], axis=1)
            after[f"window_{i + 1}"] = given[:, 1:]
            x, attention = self._decoder_layer(i, given, x, embedded, memory)
            weights.append(attention)
        return Step(output=self.logits(x), states=after, attention=weights[-1])

    def _enter(self, inputs: Any, positions: Any) -> Any:
        return self.target(inputs) + self.target_positions(ops.minimum(positions, self.last))

    def _decoder_layer(
        self, i: int, given: Any, x: Any, embedded: Any, memory: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        """Return the output (B, T, U) of one layer, and its attention (B, T, S) (equations 1 and 2).

        Args:
            i: index of the layer.
            given: what the convolution reads, with the positions before, (B, kernel - 1 + T, U).
            x, embedded: the input of the layer and of the first layer, (B, T, U).
            memory: see `encode`.
        """
        convolved = self.decoder[i](given)
        query = (self.queries[i](convolved) + embedded) * HALF
        scores = ops.matmul(query, ops.transpose(memory["keys"], (0, 2, 1)))
        weights = ops.softmax(scores + ops.transpose(memory["hidden"], (0, 2, 1)), axis=-1)
        read = ops.matmul(weights, memory["values"])
        return ((convolved + read) * HALF + x) * HALF, weights
