"""The Transformer (Vaswani et al. 2017), an encoder-decoder of attention and position-wise layers.

Each sublayer reads its layer-normalized input and adds its output to the input ("pre-norm"; Xiong et al.
2020), and the outputs of the encoder and of the decoder are normalized once more. The inference decoder keeps
the keys and values of the symbols before, so that a step costs O(length).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from job.models.inputs import named, sequence_input, source_mask
from job.models.pointer import GenerationGate
from job.models.positions import Positions, Rotation, after, counted
from job.models.transformer_layers import CrossAttention, FeedForward, Layers, SelfAttention
from job.spec.model_section import ModelSpec

HIDDEN = -3e4
"""Added to the score of a position that must not be seen; its weight is 0, and float16 can represent it."""


class TransformerBuilder:
    """Builder of the three models: creates each layer once and connects them.

    The inference models have outputs and inputs with these names, for each decoder layer i:

    - encoder: source (B, S) -> `context` (B, U), the mean of its output; `memory_keys_i`, `memory_values_i`,
      the keys and values of the cross-attention, (B, heads, S, D).
    - decoder: `previous_symbol` (B, 1); `state_keys_i`, `state_values_i`, the keys and values of the symbols
      before, (B, heads, T, D), empty at first; the encoder's `memory_keys_i`, `memory_values_i`; and, where
      lengths vary, `source` -> logits (B, 1, V), the next keys and values, (B, heads, T + 1, D), and
      `attention_weights` (B, 1, S), the mean over the heads of the last layer; with a pointer also the gate
      `generation` (B, 1, 1), see `pointer.py`.

    With a pointer these attention weights are those by which tokens are copied: the mean of the heads needs
    no weights of its own, and pictures and the coverage penalty show what is copied. The gate sees the
    contexts of all heads of the last layer.

    Args:
        spec: The architecture.
        sizes: Number of classes of source and target; for numbers, of values at each position.
        masked: Whether source lengths vary, with id 0 as padding on the right.
        numbers: Whether both sides are numbers instead of token ids.
    """

    def __init__(self, spec: ModelSpec, sizes: tuple[int, int], masked: bool, numbers: bool) -> None:
        self.spec, self.masked, self.numbers = spec, masked, numbers
        self.source_size, self.target_size = sizes
        layers = Layers(spec)
        self.embed_source, self.embed_target = self._embeddings(layers)
        self.source_positions, self.target_positions = (Positions(spec, s) for s in ("source", "target"))
        self.source_dropout, self.target_dropout = map(layers.dropout, ("source", "target"))
        heights = range(1, spec.layers + 1)
        self.encoder = [
            (SelfAttention(layers, f"encoder_{i}"), FeedForward(layers, f"encoder_{i}")) for i in heights
        ]
        self.decoder = [
            (
                SelfAttention(layers, f"decoder_{i}"),
                CrossAttention(layers, f"decoder_{i}"),
                FeedForward(layers, f"decoder_{i}"),
            )
            for i in heights
        ]
        self.encoder_norm, self.decoder_norm = layers.norm("encoder"), layers.norm("decoder")
        self.gate = GenerationGate() if spec.pointer else None
        self.output = layers.dense("values" if numbers else "logits", self.target_size, bias=True)

    def _embeddings(self, layers: Layers) -> tuple[Any, Any]:
        """Return the layers that convert the inputs of both sides to vectors of the model's width."""
        if self.numbers:
            width = self.spec.units
            return tuple(layers.dense(f"{s}_values", width, bias=True) for s in ("source", "target"))
        if self.spec.tied_embeddings:
            shared = layers.embedding("embedding", self.source_size)
            return shared, shared
        return (
            layers.embedding("source_embedding", self.source_size),
            layers.embedding("target_embedding", self.target_size),
        )

    # --- models ---------------------------------------------------------------------------------------

    def train(self) -> keras.Model:
        """Build `Models.train`."""
        source = sequence_input((None,), self.source_size, "source", numbers=self.numbers)
        target = sequence_input((None,), self.target_size, "decoder_input", numbers=self.numbers)
        memory, bias = self._encode(source)
        x, rotation = self._enter(target, self.embed_target, self.target_positions, self.target_dropout)
        given, causal = x, _causal(counted(x))
        weights = context = None
        for self_attention, cross_attention, feed_forward in self.decoder:
            x = self_attention.all_steps(x, rotation, causal)
            keys, values = cross_attention.remember(memory)
            x, weights, context = cross_attention(x, keys, values, bias)
            x = feed_forward(x)
        x = self.decoder_norm(x)
        output = self.output(x)
        if self.gate is not None:
            output = [output, self.gate(context, x, given), _mean_of_heads(weights)]
        return keras.Model([source, target], output, name="train")

    def inference_encoder(self) -> keras.Model:
        """Build `Models.inference_encoder`."""
        source = sequence_input((None,), self.source_size, "source", numbers=self.numbers)
        memory, _ = self._encode(source)
        outputs = [named("context", self._context(memory, source))]
        for i, (_, cross_attention, _) in enumerate(self.decoder, 1):
            keys, values = cross_attention.remember(memory)
            outputs += [named(f"memory_keys_{i}", keys), named(f"memory_values_{i}", values)]
        return keras.Model(source, outputs, name="inference_encoder")

    def inference_decoder(self) -> keras.Model:
        """Build `Models.inference_decoder`."""
        previous = sequence_input((1,), self.target_size, "previous_symbol", numbers=self.numbers)
        states, memory = self._caches("state"), self._caches("memory")
        source = sequence_input((None,), self.source_size, "source", numbers=self.numbers)
        bias = self._bias(source)
        x, rotation = self._enter(
            previous, self.embed_target, self.target_positions, None, at=after(states[0])
        )
        next_states: list[Any] = []
        given, weights, context = x, None, None
        for i, (self_attention, cross_attention, feed_forward) in enumerate(self.decoder):
            pair = slice(2 * i, 2 * i + 2)
            x, new = self_attention.one_step(x, rotation, states[pair])
            keys, values = memory[pair]
            x, weights, context = cross_attention(x, keys, values, bias)
            x, next_states = feed_forward(x), next_states + new
        x = self.decoder_norm(x)
        inputs = [previous, *states, *memory, *([source] if self.masked else [])]
        outputs = [self.output(x), *next_states, _mean_of_heads(weights)]
        if self.gate is not None:
            outputs.append(self.gate(context, x, given))
        return keras.Model(inputs, outputs, name="inference_decoder")

    # --- connections between layers -----------------------------------------------------------------------

    def _caches(self, kind: str) -> list[Any]:
        """Return the inputs for keys and values of each decoder layer, each (B, heads, T, D)."""
        shape = (self.spec.heads, None, self.spec.units // self.spec.heads)
        heights = range(1, self.spec.layers + 1)
        return [keras.Input(shape, name=f"{kind}_{x}_{i}") for i in heights for x in ("keys", "values")]

    def _enter(
        self, given: Any, embed: Any, positions: Positions, dropout: Any, at: Any = None
    ) -> tuple[Any, Rotation | None]:
        """Convert ids or numbers, (B, T, ...), to the input of the first layer, (B, T, U), and a rotation."""
        x = embed(given)
        if not self.numbers:
            x = x * math.sqrt(self.spec.units)  # Vaswani et al. 2017, section 3.4
        x, rotation = positions.enter(x, counted(x) if at is None else at)
        return (x if dropout is None else dropout(x)), rotation

    def _encode(self, source: Any) -> tuple[Any, Any]:
        """Return the encoder's output (B, S, U), and what is added to the scores of source positions."""
        bias = self._bias(source)
        x, rotation = self._enter(source, self.embed_source, self.source_positions, self.source_dropout)
        for self_attention, feed_forward in self.encoder:
            x = feed_forward(self_attention.all_steps(x, rotation, bias))
        return self.encoder_norm(x), bias

    def _bias(self, source: Any) -> Any:
        """Return what is added to the scores of source positions, (B, 1, 1, S); None without padding."""
        mask = source_mask(source, self.masked)
        return None if mask is None else ops.expand_dims(ops.where(mask, 0.0, HIDDEN), (1, 2))

    def _context(self, memory: Any, source: Any) -> Any:
        """Return the mean of the encoder's output over the source without padding, (B, U)."""
        mask = source_mask(source, self.masked)
        if mask is None:
            return ops.mean(memory, axis=1)
        counts = ops.expand_dims(ops.cast(mask, memory.dtype), -1)
        return ops.sum(memory * counts, axis=1) / ops.sum(counts, axis=1)


def _causal(at: Any) -> Any:
    """Return what is added to the scores of target positions, (1, 1, T, T): positions after are hidden."""
    visible = ops.greater_equal(at, ops.transpose(at, (0, 2, 1)))
    return ops.expand_dims(ops.where(visible, 0.0, HIDDEN), 1)


def _mean_of_heads(weights: Any) -> Any:
    """Return attention weights (B, heads, T, S) as the output `attention_weights`, (B, T, S)."""
    return named("attention_weights", ops.mean(weights, axis=1))
