"""The `training` section: examples, optimizer, early stopping, devices and checkpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from job.spec.base_section import Section

Schedule = Literal["cosine", "constant"]
Distribution = Literal["none", "mirrored"]


class OptimizerSpec(Section):
    """Adam (Kingma and Ba 2015) with a linear warm-up."""

    name: Literal["adam"] = Field(default="adam", description="The optimizer.")
    learning_rate: float = Field(default=0.008, gt=0, le=10, description="Peak learning rate.")
    schedule: Schedule = Field(
        default="cosine",
        description="Learning rate after the warm-up: `cosine` decay to 0 at the last step, or `constant`.",
    )
    warmup_fraction: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Fraction of all steps in which the learning rate rises linearly from 0.",
    )
    clip_norm: float | None = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="Maximum global norm of the gradient, to which it is clipped; null for no clipping.",
    )


class EarlyStoppingSpec(Section):
    """Stop when the validation loss no longer improves, and restore the best weights."""

    patience: int = Field(
        ge=1, le=10_000, description="Number of epochs without improvement after which training stops."
    )
    min_delta: float = Field(
        default=0.0, ge=0, description="Minimum decrease of the loss that counts as an improvement."
    )


class TrainingSpec(Section):
    """How the model is trained: teacher forcing, cross-entropy loss."""

    examples: Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["all"] = Field(
        default=100_000,
        description="Number of examples per epoch: new ones in each epoch for generated problems; at most "
        "this many of a file's pairs, or `all` of them.",
    )
    epochs: int = Field(default=1, ge=1, le=100_000, description="Number of passes over the examples.")
    batch_size: int = Field(default=128, ge=1, le=65_536, description="Number of examples per step.")
    optimizer: OptimizerSpec = Field(default=OptimizerSpec(), description="The optimizer and its schedule.")
    early_stopping: EarlyStoppingSpec | None = Field(
        default=None, description="Early stopping; off when absent."
    )
    distribution: Distribution = Field(
        default="none",
        description="`mirrored` trains on all GPUs of the machine, each computing its share of every batch. "
        "The result equals that of one device except for rounding and the random choices of dropout.",
    )
    checkpoint_minutes: float = Field(
        default=5.0,
        gt=0,
        le=10_080,
        description="Minutes between checkpoints, from which an interrupted training resumes; there is also "
        "one at the end of each epoch.",
    )
