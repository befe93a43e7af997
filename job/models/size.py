"""How many weights a model has, without building it (and without TensorFlow)."""

from __future__ import annotations

from job.spec.schema import ModelSpec


def count_parameters(spec: ModelSpec, source_size: int, target_size: int) -> int:
    """Return the number of trainable weights of `models.seq2seq.build_models`.

    Args:
        spec: the architecture.
        source_size, target_size: classes of each vocabulary.
    """
    one_hot, units = spec.inputs == "one_hot", spec.units
    directions = 2 if spec.bidirectional else 1
    total = 0 if one_hot else (source_size + target_size) * spec.embedding_size
    for height in range(spec.layers):
        source_width = (
            (source_size if one_hot else spec.embedding_size) if height == 0 else directions * units
        )
        target_width = (target_size if one_hot else spec.embedding_size) if height == 0 else units
        total += directions * _recurrent(spec, source_width) + _recurrent(spec, target_width)
    if spec.bidirectional:
        states = 2 if spec.cell == "lstm" else 1
        total += spec.layers * states * (2 * units * units + units)
    if spec.attention != "none":
        total += 2 * units * units
        total += 2 * units * units if spec.bidirectional else 0
        total += units * units if spec.attention == "luong_general" else 0
    return total + units * target_size + target_size


def _recurrent(spec: ModelSpec, width: int) -> int:
    gates, biases = (4, 1) if spec.cell == "lstm" else (3, 2)
    return gates * spec.units * (width + spec.units + biases)
