"""The number of weights of a model, computed without building it and without TensorFlow."""

from __future__ import annotations

from job.errors import no_implementation
from job.models.architecture_plugin import Sizes, count_plugin_parameters
from job.spec.model_section import ModelSpec


def count_parameters(
    spec: ModelSpec, source_size: int, target_size: int, *, numbers: bool = False
) -> int | None:
    """Return the number of weights of `models.seq2seq.build_models`; None if a plugin does not count them.

    Args:
        spec: The architecture.
        source_size, target_size: Number of classes of each vocabulary; for numbers, the number of values at
            each position.
        numbers: Whether both sides are numbers instead of token ids.

    Raises:
        DataErrors: A plugin cannot be loaded, or cannot count.
    """
    match spec.architecture:
        case "recurrent":
            return _recurrent_model(spec, source_size, target_size, numbers)
        case "transformer":
            return _transformer(spec, source_size, target_size, numbers)
        case "plugin":
            return count_plugin_parameters(
                spec, Sizes(source=source_size, target=target_size, numbers=numbers)
            )
        case unknown:
            no_implementation("model.architecture", unknown)


def _transformer(spec: ModelSpec, source_size: int, target_size: int, numbers: bool) -> int:
    """Return the number of weights of a Transformer."""
    units, hidden = spec.units, spec.feed_forward_units
    entering = source_size if spec.tied_embeddings and not numbers else source_size + target_size
    total = entering * units + (2 * units if numbers else 0)
    total += {"rotary": 0, "sinusoidal": 0, "learned": 2 * spec.max_positions * units}[spec.positions]
    norm, attention = 2 * units, 4 * units * units
    feed_forward = norm + 2 * units * hidden + hidden + units
    encoder_layer = norm + attention + feed_forward
    decoder_layer = encoder_layer + norm + attention
    total += spec.layers * (encoder_layer + decoder_layer) + 2 * norm
    gate = 3 * units + 1 if spec.pointer else 0
    return total + gate + units * target_size + target_size


def _recurrent_model(spec: ModelSpec, source_size: int, target_size: int, numbers: bool) -> int:
    """Return the number of weights of an encoder-decoder of recurrent layers."""
    one_hot, units = numbers or {"one_hot": True, "embedding": False}[spec.inputs], spec.units
    directions = 2 if spec.bidirectional else 1
    embedded = source_size if spec.tied_embeddings else source_size + target_size
    total = 0 if one_hot else embedded * spec.embedding_size
    for height in range(spec.layers):
        source_width = (
            (source_size if one_hot else spec.embedding_size) if height == 0 else directions * units
        )
        target_width = (target_size if one_hot else spec.embedding_size) if height == 0 else units
        if height == 0 and spec.attends_in_recurrence:
            target_width += units  # the context, or with input feeding the attentional vector
        total += directions * _recurrent(spec, source_width) + _recurrent(spec, target_width)
    if spec.bidirectional:
        states = {"lstm": 2, "gru": 1}[spec.cell]
        total += spec.layers * states * (2 * units * units + units)
    if spec.pointer:
        total += 2 * units + (target_size if one_hot else spec.embedding_size) + 1
    return total + _attention(spec) + units * target_size + target_size


def _attention(spec: ModelSpec) -> int:
    """Return the number of weights of the attention layers."""
    if spec.attention == "none":
        return 0
    square = spec.units * spec.units
    if spec.attention == "monotonic":
        encoded = 2 if spec.bidirectional else 1
        return encoded * square + square + square + spec.units  # memory, query, features with their bias
    score = {"luong_dot": 0, "luong_general": square, "bahdanau": 2 * square + spec.units}[spec.attention]
    memory = 2 * square if spec.bidirectional else 0
    return score + memory + 2 * square


def _recurrent(spec: ModelSpec, width: int) -> int:
    """Return the number of weights of one recurrent layer in one direction, with inputs of that width."""
    gates, biases = {"lstm": (4, 1), "gru": (3, 2)}[spec.cell]
    return gates * spec.units * (width + spec.units + biases)
