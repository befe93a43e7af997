"""The `problem` section: one class for each kind of problem, and `ProblemSpec`, the union of all kinds.

Text pairs and time series have modules of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from job.spec.base_section import ProblemSection, Separator
from job.spec.text_pairs_section import TextPairsSpec
from job.spec.time_series_section import TimeSeriesSpec


class _IntegerProblem(ProblemSection):
    source_length: int = Field(ge=1, le=1000, description="Length of every source, in tokens.")
    cardinality: int = Field(
        ge=2,
        le=1_000_000,
        description="Number of classes: values are drawn from 1..cardinality-1; 0 is both padding and the "
        "start symbol.",
    )

    @property
    def sizes(self) -> tuple[str, ...]:
        """The length."""
        return ("source_length",)

    @property
    def target_separator(self) -> Separator:
        """A space."""
        return " "


class ReversedPrefixSpec(_IntegerProblem):
    """The tutorial's problem: the target is the first `target_length` source tokens in reverse order."""

    kind: Literal["reversed_prefix"]
    target_length: int = Field(ge=1, le=1000, description="Length of every target, in tokens.")

    @property
    def sizes(self) -> tuple[str, ...]:
        """Both lengths."""
        return ("source_length", "target_length")

    @field_validator("target_length")
    @classmethod
    def _target_fits(cls, target_length: int, info: ValidationInfo) -> int:
        source_length = info.data.get("source_length", target_length)  # absent if it is invalid itself
        if target_length > source_length:
            raise ValueError(
                f"target_length {target_length} is longer than source_length {source_length}; "
                "the target is a prefix of the source, so it can be at most as long"
            )
        return target_length


class ReverseSpec(_IntegerProblem):
    """The target is the whole source in reverse order."""

    kind: Literal["reverse"]


class CopySpec(_IntegerProblem):
    """The target is the source itself."""

    kind: Literal["copy"]


class SortSpec(_IntegerProblem):
    """The target is the source in ascending order."""

    kind: Literal["sort"]


class AdditionSpec(ProblemSection):
    """Sums as characters: `12+345` -> `357`. All operand lengths from 1 to `digits` are equally likely."""

    kind: Literal["addition"]
    digits: int = Field(ge=1, le=8, description="Maximum number of digits of an operand.")

    @property
    def sizes(self) -> tuple[str, ...]:
        """The number of digits."""
        return ("digits",)

    @property
    def target_separator(self) -> Separator:
        """Nothing: a target's tokens are its characters."""
        return ""


class PluginSpec(ProblemSection):
    """A problem of the user's own, provided by an installed package (see docs/custom_problems.md)."""

    kind: Literal["plugin"]
    name: str = Field(
        min_length=1,
        max_length=200,
        description="Name of the entry point in the group seq2seq_job.problems.",
    )
    options: dict[str, Any] = Field(
        default={}, description="Arguments of the problem; its package defines which there are."
    )

    @property
    def sizes(self) -> tuple[str, ...]:
        """The options whose values are whole numbers."""
        return tuple(key for key, value in self.options.items() if type(value) is int)


ProblemSpec = Annotated[
    ReversedPrefixSpec
    | ReverseSpec
    | CopySpec
    | SortSpec
    | AdditionSpec
    | TextPairsSpec
    | TimeSeriesSpec
    | PluginSpec,
    Field(discriminator="kind"),
]


def recorded_separator(problem: Mapping[str, Any]) -> Separator | None:
    """Return the separator of a target's tokens for a result that does not record it.

    Args:
        problem: the problem section of the spec in a result of an earlier version; it is not validated,
            because the keys of that version may differ.
    """
    for spec in get_args(get_args(ProblemSpec)[0]):
        if problem.get("kind") in get_args(spec.model_fields["kind"].annotation):
            with suppress(KeyError, TypeError):
                separator: Separator | None = spec.model_construct(**problem).target_separator
                return separator
    return None
