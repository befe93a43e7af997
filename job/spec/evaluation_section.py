"""The `evaluation` section: test examples and how targets are decoded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from job.spec.base_section import Section

Decoder = Literal["greedy", "beam"]


class EvaluationSpec(Section):
    """The test examples of the trained model, and how targets are decoded."""

    examples: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="Number of test examples; at most as many as the test file has.",
    )
    validation_examples: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Number of validation examples, evaluated after each epoch.",
    )
    decoder: Decoder = Field(default="greedy", description="Search algorithm for targets.")
    beam_width: int = Field(
        default=4, ge=1, le=100, description="Number of hypotheses kept in each step, with `beam`."
    )
    length_penalty: float = Field(
        default=0.6,
        ge=0,
        le=10,
        description="Alpha of the length penalty (Wu et al. 2016, equation 14), with `beam`; 0 for none.",
    )
    max_length: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Maximum number of tokens to decode, including the end; null for that of the longest "
        "training target.",
    )
    max_length_factor: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="Maximum number of tokens to decode per token of the source, rounded up; null for no "
        "such limit.",
    )
    also: list[Annotated[dict[str, int], Field(min_length=1)]] = Field(
        default=[],
        max_length=100,
        description="Other sizes of the problem, not trained on, at which the model is also evaluated: "
        "`[{source_length: 12}, {source_length: 20}]`.",
    )
