"""The `evaluation` section: test examples and how targets are decoded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from job.spec.base_section import Section

Decoder = Literal["greedy", "beam", "sample"]


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
    decoder: Decoder = Field(
        default="greedy",
        description="How targets are decoded: `greedy` or `beam` search, or a random `sample`, which depends "
        "on the source and on `sample_seed` alone.",
    )
    beam_width: int = Field(
        default=4, ge=1, le=100, description="Number of hypotheses kept in each step, with `beam`."
    )
    length_penalty: float = Field(
        default=0.6,
        ge=0,
        le=10,
        description="Alpha of the length penalty (Wu et al. 2016, equation 14), with `beam`; 0 for none.",
    )
    coverage_penalty: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="Beta of the coverage penalty (Wu et al. 2016, equation 14), with `beam`; needs a model "
        "with attention; 0 for none.",
    )
    temperature: float = Field(
        default=1.0,
        ge=0.01,
        le=100,
        description="Divisor of the logits, with `sample`: below 1 likely tokens become likelier.",
    )
    top_k: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Number of most probable tokens to draw from, with `sample`; null for all.",
    )
    top_p: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Draw from the smallest set of most probable tokens that have together this probability, "
        "with `sample` (Holtzman et al. 2020); null for all.",
    )
    sample_seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of `sample`.")
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
    ensemble: bool = Field(
        default=False,
        description="Also decode the test with the models of all `seeds` of the job together, by the mean of "
        "their probabilities, and report the gain; needs `seeds`.",
    )
    also: list[Annotated[dict[str, int], Field(min_length=1)]] = Field(
        default=[],
        max_length=100,
        description="Other sizes of the problem, not trained on, at which the model is also evaluated: "
        "`[{source_length: 12}, {source_length: 20}]`.",
    )
