"""The encoder-decoder: builds Keras models that share weights from a `ModelSpec` and the sizes of both sides.

A Transformer is built by `transformer.py`, a model of another package by `plugin_builder.py`, recurrent
layers here. The last states of a recurrent encoder are the initial states of the decoder (Sutskever, Vinyals
and Le 2014). With several layers, each decoder layer starts from the encoder layer at the same height. A
bidirectional encoder's states are concatenated and projected to the width of the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from job.errors import no_implementation
from job.models.architecture_plugin import Sizes, load_architecture
from job.models.attention import AttentionDecoder
from job.models.inputs import named, sequence_input, source_mask
from job.models.monotonic import MonotonicOutput, first_alignment
from job.models.plugin_builder import PluginBuilder
from job.models.pointer import GenerationGate
from job.models.recurrent import CellOptions, FusedGRU, FusedLSTM, Kernel
from job.models.reversal import backward_order, run_backward
from job.models.transformer import TransformerBuilder
from job.spec.model_section import ModelSpec


@dataclass(frozen=True)
class Models:
    """Three Keras models that share their layers; each can be saved and loaded separately.

    Shapes: B rows, S source positions, T target positions, V target classes, H units. If both sides are
    numbers, vectors replace the ids: source (B, S, F) float32, targets (B, T, V) float32, and the outputs are
    values instead of logits.

    Args:
        train: source (B, S) int32, decoder input (B, T) int32 -> logits (B, T, V) float32. The decoder input
            is the target shifted right by one position, with the start id first.
            With a pointer also the gate `generation` (B, T, 1), see `pointer.py`, and the attention weights
            (B, T, S), output `attention_weights`.
        inference_encoder: source (B, S) -> the initial states of the decoder, each (B, H): h (and c) of layer
            1, then of layer 2, and so on. With attention the last output is the encoder outputs (B, S, H);
            before it, with monotonic attention, the first alignment (B, S).
        inference_decoder: previous symbol (B, 1) int32 and the states (with attention also the encoder
            outputs and, where lengths vary, the source) -> logits (B, 1, V), the next states, and with
            attention the attention weights (B, 1, S), output `attention_weights`. With input feeding the
            last state is the previous attentional vector, `fed`; it is not an output of the encoder and is
            initially zero. With monotonic attention so is the last state, the previous `output`, and the
            state before it is the `alignment`; see `MonotonicOutput`. With a pointer the last output is the
            gate `generation` (B, 1, 1).

    The inference models of a Transformer have other inputs and outputs, see `TransformerBuilder`; so have
    those of a plugin, see `PluginBuilder`.
    """

    train: keras.Model
    inference_encoder: keras.Model
    inference_decoder: keras.Model


def build_models(
    spec: ModelSpec, source_size: int, target_size: int, *, masked: bool, numbers: bool = False
) -> Models:
    """Build the three models from Keras's own layers.

    Args:
        spec: The architecture.
        source_size, target_size: Number of classes of each vocabulary; for numbers, the number of values at
            each position.
        masked: Whether source lengths vary, with id 0 as padding on the right.
        numbers: Whether both sides are numbers instead of token ids.
    """
    builder = _builder(spec, (source_size, target_size), masked, numbers, "keras")
    return Models(builder.train(), builder.inference_encoder(), builder.inference_decoder())


def build_training_model(
    spec: ModelSpec,
    source_size: int,
    target_size: int,
    *,
    masked: bool,
    kernel: Kernel,
    numbers: bool = False,
) -> keras.Model:
    """Build the training model alone, with the given kernel.

    Its weights have the same order and shapes as those of `Models.train`. Arguments: see `build_models`.
    """
    return _builder(spec, (source_size, target_size), masked, numbers, kernel).train()


def _builder(
    spec: ModelSpec, sizes: tuple[int, int], masked: bool, numbers: bool, kernel: Kernel
) -> _Builder | TransformerBuilder | PluginBuilder:
    """Return the builder of an architecture."""
    match spec.architecture:
        case "recurrent":
            return _Builder(spec, sizes, masked, numbers, kernel)
        case "transformer":
            return TransformerBuilder(spec, sizes, masked, numbers)
        case "plugin":
            plugin_sizes = Sizes(source=sizes[0], target=sizes[1], numbers=numbers)
            return PluginBuilder(load_architecture(spec), plugin_sizes, masked=masked, name=spec.name)
        case unknown:
            no_implementation("model.architecture", unknown)


class _Builder:
    """Builder of the three models: creates each layer once and connects them."""

    def __init__(
        self, spec: ModelSpec, sizes: tuple[int, int], masked: bool, numbers: bool, kernel: Kernel
    ) -> None:
        self.spec, self.masked, self.numbers, self.kernel = spec, masked, numbers, kernel
        self.source_size, self.target_size = sizes
        self.reads_ids = {"one_hot": True, "embedding": False}[spec.inputs] and not numbers
        self.state_names = {"lstm": ("h", "c"), "gru": ("h",)}[spec.cell]
        self.attends, self.monotonic = spec.attention != "none", spec.attention == "monotonic"
        dense, heights = keras.layers.Dense, range(spec.layers)
        self.source_embedding, self.target_embedding = self._embeddings()
        self.encoder = [self._recurrent("encoder", i, self.source_size) for i in heights]
        self.encoder_backward: list[Any] = []
        self.bridge: list[list[Any]] = []
        if spec.bidirectional:
            self.encoder_backward = [
                self._recurrent("encoder_backward", i, self.source_size) for i in heights
            ]
            self.bridge = [
                [dense(spec.units, activation="tanh", name=f"bridge_{n}{i + 1}") for n in self.state_names]
                for i in heights
            ]
        self.memory = (
            dense(spec.units, use_bias=False, name="memory")
            if self.monotonic or (self.attends and spec.bidirectional)
            else None
        )
        self.decoder = self._decoder()
        self.query, self.attend, self.combine = self._attention()
        self.gate = GenerationGate(self.target_size if self.reads_ids else None) if spec.pointer else None
        if self.monotonic:
            self.output = MonotonicOutput(units=spec.units, size=self.target_size, name="monotonic_output")
        else:
            self.output = dense(self.target_size, name="values" if numbers else "logits")

    def _embeddings(self) -> tuple[Any, Any]:
        """Return the embedding layers of both sides; None where inputs are one-hot vectors or numbers."""
        if self.reads_ids or self.numbers:
            return None, None
        if self.spec.tied_embeddings:
            shared = self._embedding(self.source_size, "embedding")
            return shared, shared
        return (
            self._embedding(self.source_size, "source_embedding"),
            self._embedding(self.target_size, "target_embedding"),
        )

    def _embedding(self, size: int, name: str) -> Any:
        """Return an embedding of `size` classes."""
        match self.spec.embedding_initializer:
            case "uniform":
                initializer: Any = "uniform"
            case "normal":
                initializer = keras.initializers.RandomNormal(stddev=1.0)
            case unknown:
                no_implementation("model.embedding_initializer", unknown)
        return keras.layers.Embedding(size, self.spec.embedding_size, initializer, name=name)

    def _attention(self) -> tuple[Any, Any, Any]:
        """Return the layers of attention outside the recurrence: query, attention, output; None if unused."""
        attention, dense = self.spec.attention, keras.layers.Dense
        if not self.attends or self.monotonic or self.spec.attends_in_recurrence:
            return None, None, None
        projects = {"luong_dot": False, "luong_general": True}[attention]
        return (
            dense(self.spec.units, use_bias=False, name="query") if projects else None,
            keras.layers.Attention(name="attention"),
            dense(self.spec.units, activation="tanh", use_bias=False, name="attentional"),
        )

    @property
    def _cell_options(self) -> CellOptions:
        """The arguments that every recurrent layer and cell of the model has in common."""
        return {
            "kernel_initializer": self.spec.kernel_initializer,
            "recurrent_initializer": self.spec.recurrent_initializer,
            "recurrent_dropout": self.spec.recurrent_dropout,
        }

    def _recurrent(self, side: str, height: int, size: int) -> Any:
        """Return one recurrent layer; with the fused kernel the lowest layer takes token ids as inputs."""
        name, spec = f"{side}_{height + 1}", self.spec
        layer: Any
        if self.kernel == "fused":
            ids = size if self.reads_ids and height == 0 else None
            fused = {"lstm": FusedLSTM, "gru": FusedGRU}[spec.cell]
            layer = fused(spec.units, input_size=ids, name=name, **self._cell_options)
        else:
            plain = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[spec.cell]
            options = {**self._cell_options, "use_cudnn": True if self.kernel == "cudnn" else "auto"}
            layer = plain(spec.units, return_sequences=True, return_state=True, name=name, **options)
        layer.cell.name = f"{name}_cell"  # the inference decoder calls cells; names must be unique
        return layer

    def _decoder(self) -> Any:
        """Return the recurrent layers of the decoder, or one `AttentionDecoder`."""
        spec = self.spec
        if not spec.attends_in_recurrence:
            return [self._recurrent("decoder", i, self.target_size) for i in range(spec.layers)]
        return AttentionDecoder(
            cell=spec.cell,
            units=spec.units,
            layers=spec.layers,
            score=spec.attention,
            residual=spec.residual,
            dropout=spec.dropout,
            cell_options=self._cell_options,
            return_outputs=spec.pointer,
            name="decoder",
        )

    # --- models ---------------------------------------------------------------------------------------

    def train(self) -> keras.Model:
        """Build `Models.train`."""
        source = self._input((None,), self.source_size, "source")
        decoder_input = self._input((None,), self.target_size, "decoder_input")
        states, memory = self._encode(source)
        x = given = self._enter(decoder_input, self.target_size, self.target_embedding)
        weights = h = None
        if self.spec.attends_in_recurrence:
            x = self._dropped(x, "decoder_1") if not self.reads_ids else x
            found = self.decoder(x, [*states, *self._zeros_fed(states)], memory, mask=self._mask(source))
            x, weights, h = found[:3]
        else:
            x = h = self._decode_all(x, states)
            if self.attends and not self.monotonic:
                x, weights = self._attend(x, memory, source)
        x = self._dropped(x, "output")
        if self.monotonic:
            output = self.output(x, decoder_input, memory, mask=self._mask(source))
        else:
            output = self.output(x)
        if self.gate is not None:
            gate = self.gate(ops.matmul(weights, memory), h, decoder_input if self.reads_ids else given)
            output = [output, gate, named("attention_weights", weights)]
        return keras.Model([source, decoder_input], output, name="train")

    def inference_encoder(self) -> keras.Model:
        """Build `Models.inference_encoder`."""
        source = self._input((None,), self.source_size, "source")
        states, memory = self._encode(source)
        aligned = [first_alignment(source)] if self.monotonic else []
        outputs = [*states, *aligned, memory] if self.attends else states
        return keras.Model(source, outputs, name="inference_encoder")

    def inference_decoder(self) -> keras.Model:
        """Build `Models.inference_decoder`."""
        units, heights = self.spec.units, range(self.spec.layers)
        previous = self._input((1,), self.target_size, "previous_symbol")
        names = [f"{n}{i + 1}" for i in heights for n in self.state_names]
        names += ["fed"] if self.spec.input_feeding else []
        states = [keras.Input((units,), name=f"state_{name}") for name in names]
        x = given = self._enter(previous, self.target_size, self.target_embedding)
        if not self.attends:
            x, next_states = self._decode_step(x, states)
            return keras.Model([previous, *states], [self.output(x), *next_states], name="inference_decoder")
        memory = keras.Input((None, units), name="encoder_outputs")
        source = self._input((None,), self.source_size, "source")
        if self.monotonic:
            return self._monotonic_decoder(previous, x, states, memory, source)
        if self.spec.attends_in_recurrence:
            found = self.decoder.step(ops.squeeze(x, axis=1), states, memory, mask=self._mask(source))
            x, weights, h = (ops.expand_dims(vectors, 1) for vectors in found[:3])
            next_states = found[3]
        else:
            x, next_states = self._decode_step(x, states)
            h = x
            x, weights = self._attend(x, memory, source)
        attended = [memory, source] if self.masked else [memory]  # Keras 3.12 raises for an unused input
        outputs = [self.output(x), *next_states, named("attention_weights", weights)]
        if self.gate is not None:
            outputs.append(self.gate(ops.matmul(weights, memory), h, previous if self.reads_ids else given))
        return keras.Model([previous, *states, *attended], outputs, name="inference_decoder")

    def _monotonic_decoder(
        self, previous: Any, x: Any, states: list[Any], memory: Any, source: Any
    ) -> keras.Model:
        """Build `Models.inference_decoder` with monotonic attention."""
        alignment = keras.Input((None,), name="state_alignment")
        before = keras.Input((self.spec.units,), name="state_output")
        x, next_states = self._decode_step(x, states)
        output, symbol = ops.squeeze(x, axis=1), ops.squeeze(previous, axis=1)
        logits, after = self.output.step(output, before, symbol, alignment, memory, mask=self._mask(source))
        weights = keras.layers.Identity(name="attention_weights")(ops.expand_dims(ops.exp(after), 1))
        attended = [memory, source] if self.masked else [memory]
        inputs = [previous, *states, alignment, before, *attended]
        outputs = [ops.expand_dims(logits, 1), *next_states, after, output, weights]
        return keras.Model(inputs, outputs, name="inference_decoder")

    # --- connections between layers -----------------------------------------------------------------------

    def _input(self, shape: tuple[int | None, ...], size: int, name: str) -> Any:
        """Return an input of token ids, or of numbers with `size` values at each position."""
        return sequence_input(shape, size, name, numbers=self.numbers)

    def _enter(self, ids: Any, size: int, embedding: Any) -> Any:
        """Convert ids (B, T) to inputs of the first recurrent layer: embeddings, one-hot vectors or ids."""
        if self.numbers:
            return ids
        if embedding is not None:
            return embedding(ids)
        fed_to_cells = self.spec.attends_in_recurrence and ids.name != "source"
        return ids if self.kernel == "fused" and not fed_to_cells else ops.one_hot(ids, size)

    def _dropped(self, inputs: Any, name: str) -> Any:
        """Apply dropout to the inputs of a layer (Zaremba et al. 2014)."""
        rate = self.spec.dropout
        return keras.layers.Dropout(rate, name=f"{name}_dropout")(inputs) if rate else inputs

    def _mask(self, source: Any) -> Any:
        """Return the mask of the source, (B, S) bool, False for padding; None where lengths are fixed."""
        return source_mask(source, self.masked)

    def _zeros_fed(self, states: list[Any]) -> list[Any]:
        """Return the initial attentional vector, (B, H), if the model has input feeding."""
        return [ops.zeros_like(states[0])] if self.spec.input_feeding else []

    def _encode(self, source: Any) -> tuple[list[Any], Any]:
        """Return the initial states of the decoder, layer by layer, and the encoder outputs (B, S, H)."""
        mask = self._mask(source)
        order = backward_order(source, mask) if self.spec.bidirectional and self.masked else None
        x = self._enter(source, self.source_size, self.source_embedding)
        states: list[Any] = []
        for height, forward in enumerate(self.encoder):
            if height or not self.reads_ids:
                x = self._dropped(x, f"encoder_{height + 1}")
            outputs, *last = forward(x, mask=mask)
            if self.spec.bidirectional:
                back, *first = run_backward(self.encoder_backward[height], x, mask, order)
                outputs = ops.concatenate([outputs, back], axis=-1)
                joined = [ops.concatenate(pair, axis=-1) for pair in zip(last, first, strict=True)]
                last = [dense(state) for dense, state in zip(self.bridge[height], joined, strict=True)]
            states += last
            x = x + outputs if self.spec.residual and height else outputs
        return states, self.memory(x) if self.memory is not None else x

    def _states_of(self, height: int, states: list[Any]) -> list[Any]:
        """Select the states of one layer."""
        count = len(self.state_names)
        return states[height * count : (height + 1) * count]

    def _decode_all(self, x: Any, states: list[Any]) -> Any:
        """Run the decoder layers over all target positions: (B, T, F) -> (B, T, H)."""
        for height, layer in enumerate(self.decoder):
            if height or not self.reads_ids:
                x = self._dropped(x, f"decoder_{height + 1}")
            outputs = layer(x, initial_state=self._states_of(height, states))[0]
            x = x + outputs if self.spec.residual and height else outputs
        return x

    def _decode_step(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Run the decoder cells for one position: (B, 1, F) -> (B, 1, H) and the next states."""
        x = ops.squeeze(x, axis=1)
        after: list[Any] = []
        for height, layer in enumerate(self.decoder):
            output, new = layer.cell(x, self._states_of(height, states))
            after += new if isinstance(new, list | tuple) else [new]
            x = x + output if self.spec.residual and height else output
        return ops.expand_dims(x, axis=1), after

    def _attend(self, outputs: Any, memory: Any, source: Any) -> tuple[Any, Any]:
        """Return the attentional vectors (B, T, H) and the attention weights (B, T, S).

        Luong et al. 2015, equations 5, 7 and 8; `outputs` are the decoder outputs h_t, (B, T, H).
        """
        query = self.query(outputs) if self.query is not None else outputs
        mask = [None, self._mask(source)] if self.masked else None
        context, weights = self.attend([query, memory], mask=mask, return_attention_scores=True)
        return self.combine(ops.concatenate([context, outputs], axis=-1)), weights
