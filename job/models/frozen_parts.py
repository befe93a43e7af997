"""The parts of a model that `training.freeze` names: which layer belongs to which part."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import get_args

import keras

from job.errors import no_implementation
from job.spec.training_section import ModelPart

_PARTS: tuple[tuple[str, ModelPart], ...] = (
    (r".*embedding|(source|target)_(positions|values)", "embeddings"),
    (r"logits|values", "output"),
    (r"(encoder|bridge)(_.*)?|memory", "encoder"),
)
"""Pattern of the name of a layer -> its part; every other layer is of the decoder."""


def part_of(layer: str) -> ModelPart:
    """Return the part of a model that a layer belongs to, by the layer's name."""
    return next((part for pattern, part in _PARTS if re.fullmatch(pattern, layer)), "decoder")


def freeze(model: keras.Model, parts: Collection[ModelPart]) -> None:
    """Exclude parts of a model from training; call it before the training loop is compiled."""
    for part in parts:
        if part not in get_args(ModelPart):
            no_implementation("training.freeze", part)
    for layer in model.layers:
        if part_of(layer.name) in parts:
            layer.trainable = False
