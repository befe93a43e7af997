"""The encoder-decoder: a `ModelSpec` and two vocabulary sizes -> Keras models that share weights.

Sutskever, Vinyals and Le 2014: the encoder's last states are the decoder's first. With several layers each
layer's states go to the decoder's layer of the same height; with two directions both states are joined and
projected to the decoder's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from job.models.recurrent import FusedGRU, FusedLSTM, Kernel
from job.spec.schema import ModelSpec

PAD = 0
"""The id that pads rows on the right; where lengths vary, the encoder stops before it."""


@dataclass(frozen=True)
class Models:
    """Three Keras models over the same layers; each can be saved and loaded alone.

    Shapes: B rows, S source positions, T target positions, V target classes, H units.

    Args:
        train: source (B, S) int32, decoder input (B, T) int32 -> logits (B, T, V) float32. The decoder input
            is the target shifted right by one, the start id first.
        inference_encoder: source (B, S) -> the decoder's first states, each (B, H): h (and c) of layer 1,
            then of layer 2, ... . With attention also the encoder outputs (B, S, H), last.
        inference_decoder: previous symbol (B, 1) int32 and the states (with attention also the encoder
            outputs and the source) -> logits (B, 1, V), the next states, and with attention the attention
            weights (B, 1, S), output `attention_weights`.
    """

    train: keras.Model
    inference_encoder: keras.Model
    inference_decoder: keras.Model


@dataclass(frozen=True)
class _Layers:
    """Every layer with weights, made once and shared by the models."""

    encoder: tuple[Any, ...]
    encoder_backward: tuple[Any, ...]
    bridge: tuple[tuple[Any, ...], ...]
    decoder: tuple[Any, ...]
    source_embedding: Any
    target_embedding: Any
    memory: Any
    query: Any
    attend: Any
    combine: Any
    output: Any


def build_models(spec: ModelSpec, source_size: int, target_size: int, *, masked: bool) -> Models:
    """Build the three models from Keras's own layers.

    Args:
        spec: the architecture.
        source_size, target_size: classes of each vocabulary.
        masked: source lengths vary; id 0 is padding on the right.
    """
    layers = _make_layers(spec, source_size, target_size, "keras")
    sizes = (source_size, target_size)
    return Models(
        train=_train_model(spec, layers, sizes, masked, "keras"),
        inference_encoder=_inference_encoder(spec, layers, source_size, masked),
        inference_decoder=_inference_decoder(spec, layers, target_size, masked),
    )


def build_training_model(
    spec: ModelSpec, source_size: int, target_size: int, *, masked: bool, kernel: Kernel
) -> keras.Model:
    """Build only `train`, over the given kernel. Its weights, in order, are those of `Models.train`."""
    layers = _make_layers(spec, source_size, target_size, kernel)
    return _train_model(spec, layers, (source_size, target_size), masked, kernel)


def _recurrent(spec: ModelSpec, kernel: Kernel, name: str, ids: int | None) -> Any:
    """Return one recurrent layer; one that reads token ids has their number of classes as `ids`."""
    layer: Any
    if kernel == "fused":
        layer = {"lstm": FusedLSTM, "gru": FusedGRU}[spec.cell](spec.units, input_size=ids, name=name)
    else:
        plain = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[spec.cell]
        layer = plain(spec.units, return_sequences=True, return_state=True, name=name)
    layer.cell.name = f"{name}_cell"  # the inference decoder calls cells, and Keras wants their names unique
    return layer


def _make_layers(spec: ModelSpec, source_size: int, target_size: int, kernel: Kernel) -> _Layers:
    dense = keras.layers.Dense
    one_hot, heights = spec.inputs == "one_hot", range(spec.layers)

    def stack(side: str, size: int) -> tuple[Any, ...]:
        ids = [size if one_hot and height == 0 else None for height in heights]
        return tuple(_recurrent(spec, kernel, f"{side}_{i + 1}", ids[i]) for i in heights)

    def bridge(height: int) -> tuple[Any, ...]:
        names = ("h", "c") if spec.cell == "lstm" else ("h",)
        return tuple(dense(spec.units, activation="tanh", name=f"bridge_{n}{height + 1}") for n in names)

    def embedding(side: str, size: int) -> Any:
        return (
            None if one_hot else keras.layers.Embedding(size, spec.embedding_size, name=f"{side}_embedding")
        )

    attends, both = spec.attention != "none", spec.bidirectional
    return _Layers(
        encoder=stack("encoder", source_size),
        encoder_backward=stack("encoder_backward", source_size) if both else (),
        bridge=tuple(bridge(i) for i in heights) if both else (),
        decoder=stack("decoder", target_size),
        source_embedding=embedding("source", source_size),
        target_embedding=embedding("target", target_size),
        memory=dense(spec.units, use_bias=False, name="memory") if attends and both else None,
        query=dense(spec.units, use_bias=False, name="query") if spec.attention == "luong_general" else None,
        attend=keras.layers.Attention(name="attention") if attends else None,
        combine=dense(spec.units, activation="tanh", use_bias=False, name="attentional") if attends else None,
        output=dense(target_size, name="logits"),
    )


def _enter(ids: Any, size: int, embedding: Any, kernel: Kernel) -> Any:
    """Turn ids (B, T) into what the first recurrent layer reads."""
    if embedding is not None:
        return embedding(ids)
    return ids if kernel == "fused" else ops.one_hot(ids, size)


def _dropped(spec: ModelSpec, inputs: Any, name: str) -> Any:
    """Drop inputs that are vectors (Zaremba et al. 2014); one-hot inputs and token ids are left whole."""
    return keras.layers.Dropout(spec.dropout, name=f"{name}_dropout")(inputs) if spec.dropout else inputs


def _encode(
    spec: ModelSpec, layers: _Layers, source: Any, size: int, masked: bool, kernel: Kernel
) -> tuple[list[Any], Any]:
    """Return the decoder's first states, layer by layer, and the top layer's outputs (B, S, H or 2H)."""
    mask = ops.not_equal(source, PAD) if masked else None
    x = _enter(source, size, layers.source_embedding, kernel)
    states: list[Any] = []
    for height, forward in enumerate(layers.encoder):
        if height or layers.source_embedding is not None:
            x = _dropped(spec, x, f"encoder_{height + 1}")
        outputs, *last = forward(x, mask=mask)
        if spec.bidirectional:
            back, *first = _backward(layers.encoder_backward[height], x, mask)
            outputs = ops.concatenate([outputs, back], axis=-1)
            joined = [ops.concatenate(pair, axis=-1) for pair in zip(last, first, strict=True)]
            last = [dense(state) for dense, state in zip(layers.bridge[height], joined, strict=True)]
        states += last
        x = outputs
    return states, x


def _backward(layer: Any, x: Any, mask: Any) -> list[Any]:
    """Run a layer from each row's last valid position to its first; outputs are in the source's order."""
    reverse = Reverse(name=f"{layer.name}_reversed")
    outputs, *states = layer(reverse(x, mask=mask), mask=mask)
    restore = Reverse(name=f"{layer.name}_restored")
    return [restore(outputs, mask=mask), *states]


@keras.saving.register_keras_serializable(package="seq2seq_job")
class Reverse(keras.layers.Layer):  # type: ignore[misc]
    """Reverse each row's valid steps and leave its padding on the right: (B, T, ...) -> (B, T, ...)."""

    def __init__(self, **kwargs: Any) -> None:  # so called, or Keras does not save the layer's name
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        """Return `x` with step t of row b moved to length_b - 1 - t."""
        length = ops.shape(x)[1]
        steps = ops.arange(length)[None, :]
        valid = ops.full_like(steps, length) if mask is None else ops.sum(ops.cast(mask, "int32"), 1)[:, None]
        index = ops.where(steps < valid, valid - 1 - steps, steps)
        index = ops.broadcast_to(index, ops.shape(x)[:2])
        if len(x.shape) == 2:
            return ops.take_along_axis(x, index, axis=1)
        return ops.take_along_axis(x, index[:, :, None], axis=1)


def _attend(spec: ModelSpec, layers: _Layers, outputs: Any, memory: Any, source: Any, masked: bool) -> Any:
    """Return attentional outputs (B, T, H) and weights (B, T, S): Luong et al. 2015, equations 5, 7 and 8.

    Args:
        outputs: decoder outputs h_t, (B, T, H).
        memory: encoder outputs, (B, S, H).
    """
    query = layers.query(outputs) if layers.query is not None else outputs
    mask = [None, ops.not_equal(source, PAD)] if masked else None
    context, weights = layers.attend([query, memory], mask=mask, return_attention_scores=True)
    return layers.combine(ops.concatenate([context, outputs], axis=-1)), weights


def _train_model(
    spec: ModelSpec, layers: _Layers, sizes: tuple[int, int], masked: bool, kernel: Kernel
) -> keras.Model:
    source = keras.Input((None,), dtype="int32", name="source")
    decoder_input = keras.Input((None,), dtype="int32", name="decoder_input")
    states, memory = _encode(spec, layers, source, sizes[0], masked, kernel)
    x = _enter(decoder_input, sizes[1], layers.target_embedding, kernel)
    per_layer = len(states) // spec.layers
    for height, layer in enumerate(layers.decoder):
        if height or layers.target_embedding is not None:
            x = _dropped(spec, x, f"decoder_{height + 1}")
        x = layer(x, initial_state=states[height * per_layer : (height + 1) * per_layer])[0]
    if layers.attend is not None:
        memory = layers.memory(memory) if layers.memory is not None else memory
        x, _ = _attend(spec, layers, x, memory, source, masked)
    logits = layers.output(_dropped(spec, x, "output"))
    return keras.Model([source, decoder_input], logits, name="train")


def _inference_encoder(spec: ModelSpec, layers: _Layers, source_size: int, masked: bool) -> keras.Model:
    source = keras.Input((None,), dtype="int32", name="source")
    states, memory = _encode(spec, layers, source, source_size, masked, "keras")
    if layers.attend is None:
        return keras.Model(source, states, name="inference_encoder")
    memory = layers.memory(memory) if layers.memory is not None else memory
    return keras.Model(source, [*states, memory], name="inference_encoder")


def _inference_decoder(spec: ModelSpec, layers: _Layers, target_size: int, masked: bool) -> keras.Model:
    previous = keras.Input((1,), dtype="int32", name="previous_symbol")
    names = [
        f"{n}{i + 1}" for i in range(spec.layers) for n in (("h", "c") if spec.cell == "lstm" else ("h",))
    ]
    states = [keras.Input((spec.units,), name=f"state_{name}") for name in names]
    x = _enter(previous, target_size, layers.target_embedding, "keras")
    x = ops.squeeze(x, axis=1)
    next_states: list[Any] = []
    per_layer = len(states) // spec.layers
    for height, layer in enumerate(layers.decoder):
        x, after = layer.cell(x, states[height * per_layer : (height + 1) * per_layer])
        next_states += after if isinstance(after, list | tuple) else [after]
    x = ops.expand_dims(x, axis=1)
    if layers.attend is None:
        return keras.Model([previous, *states], [layers.output(x), *next_states], name="inference_decoder")
    memory = keras.Input((None, spec.units), name="encoder_outputs")
    source = keras.Input((None,), dtype="int32", name="source")
    x, weights = _attend(spec, layers, x, memory, source, masked)
    weights = keras.layers.Identity(name="attention_weights")(weights)
    outputs = [layers.output(x), *next_states, weights]
    return keras.Model([previous, *states, memory, source], outputs, name="inference_decoder")
