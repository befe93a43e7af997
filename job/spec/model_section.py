"""The `model` section: the architecture of the encoder-decoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from job.spec.base_section import Section

Architecture = Literal["recurrent", "transformer"]
Positions = Literal["rotary", "sinusoidal", "learned"]
Cell = Literal["lstm", "gru"]
Attention = Literal["none", "luong_dot", "luong_general", "bahdanau"]
Inputs = Literal["one_hot", "embedding"]


class ModelSpec(Section):
    """The architecture of the encoder-decoder."""

    architecture: Architecture = Field(
        default="recurrent",
        description="`recurrent` layers, or a `transformer` (Vaswani et al. 2017; normalization before each "
        "sublayer, Xiong et al. 2020).",
    )
    cell: Cell = Field(default="lstm", description="Recurrent cell of the encoder and the decoder.")
    units: int = Field(default=128, ge=1, le=8192, description="Width of each recurrent layer's state, or of a Transformer's vectors.")
    layers: int = Field(
        default=1, ge=1, le=16, description="Number of stacked layers in the encoder and in the decoder."
    )
    bidirectional: bool = Field(
        default=False,
        description="The encoder also reads from right to left; the states of both directions are combined.",
    )
    attention: Attention = Field(
        default="none",
        description="Attention of the decoder over the encoder's outputs: dot or general score (Luong et al. "
        "2015), or Bahdanau et al. 2015, whose context enters the recurrence (slower).",
    )
    input_feeding: bool = Field(
        default=False,
        description="Feed each attentional output into the next decoder step, with `luong_*` (slower).",
    )
    inputs: Inputs = Field(
        default="one_hot",
        description="Input representation of tokens: one-hot vectors, or a learned embedding.",
    )
    embedding_size: int = Field(
        default=64, ge=1, le=8192, description="Width of the embedding, with `embedding`."
    )
    tied_embeddings: bool = Field(
        default=False,
        description="Source and target share one embedding; needs one vocabulary for both sides.",
    )
    residual: bool = Field(
        default=False, description="Each layer above the first adds its input to its output."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Dropout rate of layer inputs (except one-hot vectors) in training, a fraction.",
    )
    recurrent_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Dropout rate of recurrent states in training, a fraction; rules out the fast kernels.",
    )
    kernel_initializer: Literal["glorot_uniform", "glorot_normal", "he_normal"] = Field(
        default="glorot_uniform", description="Initializer of the recurrent layers' input kernels."
    )
    recurrent_initializer: Literal["orthogonal", "glorot_uniform"] = Field(
        default="orthogonal", description="Initializer of the recurrent kernels."
    )

    heads: int = Field(
        default=4,
        ge=1,
        le=256,
        description="Number of attention heads of a Transformer; `units` must be a multiple of it.",
    )
    feed_forward: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Width of a Transformer's position-wise layers; null for 4 times `units`.",
    )
    positions: Positions = Field(
        default="rotary",
        description="How a Transformer knows positions: `rotary` turns queries and keys (Su et al. 2021), "
        "`sinusoidal` (Vaswani et al. 2017) and `learned` add a vector to the embedding.",
    )
    max_positions: int = Field(
        default=512,
        ge=1,
        le=100_000,
        description="Number of `learned` positions of each side; later positions share the last one.",
    )

    @field_validator("input_feeding")
    @classmethod
    def _feeds_luong(cls, feeding: bool, info: ValidationInfo) -> bool:
        if feeding and info.data.get("attention") not in ("luong_dot", "luong_general", None):
            raise ValueError("input_feeding needs attention luong_dot or luong_general")
        return feeding

    @field_validator("tied_embeddings")
    @classmethod
    def _ties_embeddings(cls, tied: bool, info: ValidationInfo) -> bool:
        if tied and info.data.get("inputs") == "one_hot":
            raise ValueError("tied_embeddings needs inputs embedding")
        return tied

    @property
    def feed_forward_units(self) -> int:
        """Width of the position-wise layers."""
        return 4 * self.units if self.feed_forward is None else self.feed_forward

    @property
    def attends_in_recurrence(self) -> bool:
        """Whether a decoder step also depends on the previous step through attention."""
        return self.attention == "bahdanau" or self.input_feeding
