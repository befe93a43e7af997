"""The `model` section: the architecture of the encoder-decoder."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from job.spec.base_section import Section

Architecture = Literal["recurrent", "transformer", "plugin"]
Positions = Literal["rotary", "sinusoidal", "learned"]
Cell = Literal["lstm", "gru"]
Attention = Literal["none", "luong_dot", "luong_general", "bahdanau", "monotonic"]
Inputs = Literal["one_hot", "embedding"]
EmbeddingInitializer = Literal["uniform", "normal"]
OutputBias = Literal["zero", "frequencies"]

RECURRENT_KEYS = (
    "cell", "bidirectional", "attention", "input_feeding", "embedding_size", "embedding_initializer",
    "residual", "recurrent_dropout", "recurrent_initializer",
)  # fmt: skip
"""Keys that only recurrent layers have; a Transformer accepts their defaults alone."""

TRANSFORMER_KEYS = ("heads", "feed_forward", "positions", "max_positions")
"""Keys that only a Transformer has; recurrent layers accept their defaults alone."""

PLUGIN_KEYS = ("name", "options")
"""Keys that only a plugin has; it accepts the defaults alone of all others but `architecture`."""

_KEYS_OF_ONE = {"recurrent": RECURRENT_KEYS, "transformer": TRANSFORMER_KEYS, "plugin": PLUGIN_KEYS}
"""Architecture -> the keys that it alone has."""


class ModelSpec(Section):
    """The architecture of the encoder-decoder."""

    architecture: Architecture = Field(
        default="recurrent",
        description="`recurrent` layers, a `transformer` (Vaswani et al. 2017; normalization before each "
        "sublayer, Xiong et al. 2020), or a `plugin`: a model of the user's own, provided by an installed "
        "package (see docs/custom_models.md), which has no keys but `name` and `options`.",
    )
    cell: Cell = Field(default="lstm", description="Recurrent cell of the encoder and the decoder.")
    units: int = Field(
        default=128,
        ge=1,
        le=8192,
        description="Width of each recurrent layer's state, or of a Transformer's vectors.",
    )
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
        "2015); Bahdanau et al. 2015, whose context enters the recurrence (slower); or hard `monotonic` "
        "attention with exact likelihood (Wu and Cotterell 2019), for transduction with small data.",
    )
    input_feeding: bool = Field(
        default=False,
        description="Feed each attentional output into the next decoder step, with `luong_*` (slower).",
    )
    output_bias: OutputBias = Field(
        default="zero",
        description="Initial bias of the output: zero, or the logarithms of the `frequencies` of the target "
        "tokens in the training data, with which models of large vocabularies learn much sooner.",
    )
    pointer: bool = Field(
        default=False,
        description="Pointer-generator (See, Liu and Manning 2017): each step generates a token or copies "
        "one from the source by the attention, also one that the target vocabulary lacks. Recurrent layers "
        "need an `attention`.",
    )
    inputs: Inputs = Field(
        default="one_hot",
        description="Input representation of tokens: one-hot vectors, or a learned embedding. A Transformer "
        "always embeds tokens, as vectors of `units` numbers.",
    )
    embedding_size: int = Field(
        default=64, ge=1, le=8192, description="Width of the embedding, with `embedding`."
    )
    embedding_initializer: EmbeddingInitializer = Field(
        default="uniform",
        description="Initial embeddings of recurrent layers: `uniform` from -0.05 to 0.05, as in Keras, or "
        "`normal` with standard deviation 1, as in PyTorch: learns sooner at low learning rates and in few "
        "steps.",
    )
    tied_embeddings: bool = Field(
        default=False,
        description="Source and target share one embedding; needs one vocabulary for both sides and, for "
        "recurrent layers, `inputs: embedding`.",
    )
    residual: bool = Field(
        default=False, description="Each layer above the first adds its input to its output."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Dropout rate in training, a fraction: of layer inputs (except one-hot vectors) or, in a "
        "Transformer, of embeddings and of the outputs of sublayers.",
    )
    recurrent_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Dropout rate of recurrent states in training, a fraction; rules out the fast kernels.",
    )
    kernel_initializer: Literal["glorot_uniform", "glorot_normal", "he_normal"] = Field(
        default="glorot_uniform",
        description="Initializer of the recurrent layers' input kernels, or of a Transformer's projections.",
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
        validate_default=True,
        description="How a Transformer knows positions: `rotary` turns queries and keys (Su et al. 2021), "
        "`sinusoidal` (Vaswani et al. 2017) and `learned` add a vector to the embedding.",
    )
    max_positions: int = Field(
        default=512,
        ge=1,
        le=100_000,
        description="Number of `learned` positions of each side; later positions share the last one.",
    )

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        validate_default=True,
        description="Name of a plugin's entry point in the group seq2seq_job.models.",
    )
    options: dict[str, Any] = Field(
        default={}, description="Arguments of a plugin; its package defines which there are."
    )

    @model_serializer(mode="wrap")
    def _without_later_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out keys of later versions at their defaults: then fingerprints are as before.

        Of a plugin leave out all keys that do not apply to it.
        """
        values: dict[str, Any] = handler(self)
        if self.architecture == "plugin":
            return {key: values[key] for key in ("architecture", *PLUGIN_KEYS)}
        for key in PLUGIN_KEYS:
            del values[key]
        if not values["pointer"]:
            del values["pointer"]
        for key in ("output_bias", "embedding_initializer"):
            if values[key] == type(self).model_fields[key].default:
                del values[key]
        return values

    @field_validator(*RECURRENT_KEYS, *TRANSFORMER_KEYS, *PLUGIN_KEYS)
    @classmethod
    def _has_the_key(cls, value: Any, info: ValidationInfo) -> Any:
        key = str(info.field_name)
        only = next(a for a, keys in _KEYS_OF_ONE.items() if key in keys)
        default = cls.model_fields[key].default
        written = json.dumps(default).strip('"')
        if value != default and info.data.get("architecture", only) != only:
            raise ValueError(f"{key} applies to architecture {only} only; leave it out or write {written}")
        return value

    @field_validator(
        "units", "layers", "inputs", "tied_embeddings", "dropout", "pointer", "kernel_initializer",
        "output_bias",
    )  # fmt: skip
    @classmethod
    def _is_no_plugin(cls, value: Any, info: ValidationInfo) -> Any:
        key = str(info.field_name)
        if info.data.get("architecture") == "plugin" and value != cls.model_fields[key].default:
            raise ValueError(
                f"{key} does not apply to architecture plugin; leave it out, and give what the plugin takes "
                "as model.options"
            )
        return value

    @field_validator("name")
    @classmethod
    def _names_the_plugin(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None and info.data.get("architecture") == "plugin":
            raise ValueError("architecture plugin needs name, the entry point of the model")
        return name

    @field_validator("embedding_initializer")
    @classmethod
    def _initializes_embeddings(cls, initializer: str, info: ValidationInfo) -> str:
        if initializer == "normal" and info.data.get("inputs") == "one_hot":
            raise ValueError("embedding_initializer normal needs inputs embedding")
        return initializer

    @field_validator("input_feeding")
    @classmethod
    def _feeds_luong(cls, feeding: bool, info: ValidationInfo) -> bool:
        if feeding and info.data.get("attention") not in ("luong_dot", "luong_general", None):
            raise ValueError("input_feeding needs attention luong_dot or luong_general")
        return feeding

    @field_validator("pointer")
    @classmethod
    def _points_by_attention(cls, pointer: bool, info: ValidationInfo) -> bool:
        if pointer and info.data.get("architecture") == "recurrent" and info.data.get("attention") == "none":
            raise ValueError("pointer copies by attention: set attention, or drop pointer")
        if pointer and info.data.get("attention") == "monotonic":
            raise ValueError("pointer has no monotonic attention; choose another attention, or drop pointer")
        return pointer

    @field_validator("tied_embeddings")
    @classmethod
    def _ties_embeddings(cls, tied: bool, info: ValidationInfo) -> bool:
        if tied and info.data.get("inputs") == "one_hot" and info.data.get("architecture") == "recurrent":
            raise ValueError("tied_embeddings needs inputs embedding")
        return tied

    @field_validator("positions")
    @classmethod
    def _divides_units(cls, positions: Positions, info: ValidationInfo) -> Positions:
        units, heads = info.data.get("units"), info.data.get("heads")
        if info.data.get("architecture") != "transformer" or units is None or heads is None:
            return positions
        if units % heads:
            raise ValueError(f"units must be a multiple of heads, {heads}")
        if positions == "rotary" and units % (2 * heads):
            raise ValueError(f"units must be a multiple of {2 * heads}, twice heads, with rotary positions")
        if positions == "sinusoidal" and units % 2:
            raise ValueError("units must be even with sinusoidal positions")
        return positions

    @property
    def feed_forward_units(self) -> int:
        """Width of the position-wise layers."""
        return 4 * self.units if self.feed_forward is None else self.feed_forward

    @property
    def has_attention(self) -> bool:
        """Whether the decoder attends to the encoder's outputs; of a plugin this shows when it is built."""
        return self.architecture != "recurrent" or self.attention != "none"

    def parts(self, *, numbers: bool) -> set[str]:
        """Return the parts of a built-in architecture that `training.freeze` can name.

        Args:
            numbers: whether both sides are numbers instead of tokens.
        """
        embeds = self.architecture == "transformer" or (self.inputs == "embedding" and not numbers)
        return {"encoder", "decoder", "output", *(["embeddings"] if embeds else [])}

    @property
    def attends_in_recurrence(self) -> bool:
        """Whether a decoder step also depends on the previous step through attention."""
        return self.attention == "bahdanau" or self.input_feeding
