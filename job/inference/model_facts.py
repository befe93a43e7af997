"""The content of a token model's `vocabulary.json`: vocabularies, lengths and search options."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from job.errors import no_implementation
from job.inference.copying import copying_between
from job.models.pointer import Copying
from job.problems.vocabulary import Vocabulary
from job.results.reading import validated
from job.spec.evaluation_section import Decoder, EvaluationSpec

MAX_LENGTH = 100_000
"""Maximum target length that a model file may declare: decoding allocates arrays of that length."""


@dataclass(frozen=True)
class Search:
    """Search options; the fields are the keys of `EvaluationSpec` with the same names."""

    decoder: Decoder = "greedy"
    beam_width: int = 4
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    sample_seed: int = 0
    max_length: int | None = None
    max_length_factor: float | None = None

    @property
    def width(self) -> int:
        """Number of hypotheses for each source."""
        match self.decoder:
            case "greedy" | "sample":
                return 1
            case "beam":
                return self.beam_width
            case unknown:
                no_implementation("evaluation.decoder", unknown)

    @classmethod
    def from_spec(cls, spec: EvaluationSpec) -> Search:
        """Return the search options of a spec."""
        return cls(**{f.name: getattr(spec, f.name) for f in fields(cls)})


@dataclass(frozen=True)
class ModelFacts:
    """The content of `vocabulary.json`: everything that using a model needs besides its weights.

    Args:
        source, target: The vocabularies.
        fixed_length: Whether every source has `source_length` tokens and every target `max_target_length`.
        source_length: Number of tokens of a source if lengths are fixed, else None.
        max_target_length: Maximum length of the training targets, the end id included, also of the model that
            training started from. Decoding stops there unless `search` sets another maximum.
        search: Search options of the evaluation, which `predict` uses too.
    """

    source: Vocabulary
    target: Vocabulary
    fixed_length: bool
    source_length: int | None
    max_target_length: int
    search: Search = Search()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        sides = {"source": self.source.to_json(), "target": self.target.to_json()}
        others = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**others, **sides, "search": vars(self.search)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> ModelFacts:
        """Return the facts from the result of `to_json`.

        Raises:
            Exception: `record` is not such a result.
        """
        sides = {side: Vocabulary.from_json(record[side]) for side in ("source", "target")}
        search = Search.from_spec(validated(TypeAdapter(EvaluationSpec), record["search"]))
        facts = cls(**{**record, **sides, "search": search})
        facts.check()
        return facts

    def check(self) -> None:
        """Raise `ValueError` if a length is invalid."""
        lengths = [self.max_target_length, *([] if self.source_length is None else [self.source_length])]
        if not all(type(length) is int and 1 <= length <= MAX_LENGTH for length in lengths):
            raise ValueError(f"lengths must be whole numbers from 1 to {MAX_LENGTH:,}, found {lengths}")
        if type(self.fixed_length) is not bool or (self.fixed_length and self.source_length is None):
            raise ValueError("fixed_length must be true or false, and true only beside a source_length")

    @cached_property
    def copying(self) -> Copying:
        """What a model with a pointer can copy: tokens correspond by their spelling."""
        return copying_between(self.source, self.target)

    @property
    def columns(self) -> int:
        """Maximum number of symbols of a decoded row."""
        return (
            self.max_target_length if self.fixed_length else self.search.max_length or self.max_target_length
        )

    def longest_target(self, source_length: int) -> int:
        """Return the number of symbols at which decoding a source of that many tokens stops."""
        factor = self.search.max_length_factor
        if factor is None or self.fixed_length:
            return self.columns
        return min(self.columns, math.ceil(np.float32(source_length) * np.float32(factor)))
