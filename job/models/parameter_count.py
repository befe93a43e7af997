"""The number of weights of a model, computed without building it and without TensorFlow."""

from __future__ import annotations

from job.spec.model_section import ModelSpec


def count_parameters(spec: ModelSpec, source_size: int, target_size: int, *, numbers: bool = False) -> int:
    """Return the number of trainable weights of `models.seq2seq.build_models`.

    Args:
        spec: The architecture.
        source_size, target_size: Number of classes of each vocabulary; for numbers, the number of values at
            each position.
        numbers: Whether both sides are numbers instead of token ids.
    """
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
    return total + _attention(spec) + units * target_size + target_size


def _attention(spec: ModelSpec) -> int:
    """Return the number of weights of the attention layers."""
    if spec.attention == "none":
        return 0
    square = spec.units * spec.units
    score = {"luong_dot": 0, "luong_general": square, "bahdanau": 2 * square + spec.units}[spec.attention]
    memory = 2 * square if spec.bidirectional else 0
    return score + memory + 2 * square


def _recurrent(spec: ModelSpec, width: int) -> int:
    """Return the number of weights of one recurrent layer in one direction, with inputs of that width."""
    gates, biases = {"lstm": (4, 1), "gru": (3, 2)}[spec.cell]
    return gates * spec.units * (width + spec.units + biases)
