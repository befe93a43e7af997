"""The parts of a model that `training.freeze` names: which layer belongs to which part."""

from __future__ import annotations

import re
from collections.abc import Collection

import keras

from job.spec.training_section import ModelPart

_PATTERNS: dict[ModelPart, str] = {
    "embeddings": r".*embedding|(source|target)_(positions|values)",
    "output": r"logits|values|monotonic_output",
    "encoder": r"(encoder|bridge)(_.*)?|memory",
    "decoder": r".*",
}
"""Part -> pattern of the names of its layers; the first that matches decides."""


def part_of(layer: str) -> ModelPart:
    """Return the part of a model that a layer belongs to, by the layer's name."""
    return next(part for part, pattern in _PATTERNS.items() if re.fullmatch(pattern, layer))


def freeze(model: keras.Model, parts: Collection[ModelPart]) -> None:
    """Exclude parts of a model from training; call it before the training loop is compiled."""
    frozen = {_PATTERNS[part] for part in parts}
    for layer in model.layers:
        if _PATTERNS[part_of(layer.name)] in frozen:
            layer.trainable = False
