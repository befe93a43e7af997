"""What readers rely on in the open parts of a result, checked where a result is read.

`spec`, `analysis`, `also`, `attention` and `environment` are mappings without a class of their own:
problems and versions add keys to them. The keys that reports, gates and comparisons use have a form, which a
file from elsewhere may not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, Strict, TypeAdapter, ValidationError

from job.storage.file_names import check_inner_path, check_job_name

Count = Annotated[int, Strict(), Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Keys = dict[str, Any]


@dataclass
class _Spec:
    problem: Keys = field(default_factory=dict)
    model: Keys = field(default_factory=dict)
    training: Keys = field(default_factory=dict)
    evaluation: Keys = field(default_factory=dict)
    gate: Keys = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)


@dataclass
class _ByPosition:
    position: Count
    count: Annotated[Count, Field(ge=1)]
    accuracy: Share


@dataclass
class _ByLength:
    length: Count
    count: Annotated[Count, Field(ge=1)]
    accuracy: Share


@dataclass
class _Confusion:
    target: str
    predicted: str
    count: Count


@dataclass
class _Mistake:
    id: str
    source: str
    target: str
    predicted: str
    edit_distance: Count
    unknown: list[tuple[Count, Count]] = field(default_factory=list)


@dataclass
class _Analysis:
    by_position: list[_ByPosition] = field(default_factory=list)
    by_source_length: list[_ByLength] = field(default_factory=list)
    confusions: list[_Confusion] = field(default_factory=list)
    worst_mistakes: list[_Mistake] = field(default_factory=list)


@dataclass
class _Elsewhere:
    sizes: dict[str, int]
    examples: Count
    metrics: dict[str, float]


@dataclass
class _Attention:
    source: list[str]
    predicted: list[str]
    weights: list[list[float]]


@dataclass
class _Environment:
    versions: dict[str, str | None] = field(default_factory=dict)
    git_commit: str | None = None
    git_dirty: bool | None = None


@cache
def _reader(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


def _of(form: Any) -> AfterValidator:
    """Return a check that a section has a form; the section itself stays as it is."""

    def check(section: Any) -> Any:
        try:
            _reader(form).validate_python(section)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        return section

    return AfterValidator(check)


JobName = Annotated[str, AfterValidator(check_job_name)]
InnerPath = Annotated[str, AfterValidator(check_inner_path)]
SpecSection = Annotated[dict[str, Any], _of(_Spec)]
AnalysisSection = Annotated[dict[str, Any], _of(_Analysis)]
ElsewhereSection = Annotated[dict[str, Any], _of(_Elsewhere)]
AttentionSection = Annotated[dict[str, Any], _of(_Attention)]
EnvironmentSection = Annotated[dict[str, Any], _of(_Environment)]


def _check_time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


Time = Annotated[str, AfterValidator(_check_time)]


def _check_columns(history: Mapping[str, list[int | float | None]]) -> Mapping[str, Any]:
    if len({len(column) for column in history.values()}) > 1:
        raise ValueError("columns of different lengths")
    return history


def _in_unit(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("a probability that is not from 0 to 1")
    return value


def _not_negative(value: int) -> int:
    if value < 0:
        raise ValueError("a count below 0")
    return value


History = Annotated[dict[str, list[int | float | None]], AfterValidator(_check_columns)]
Probability = Annotated[float, AfterValidator(_in_unit)]
Positive = Annotated[int, AfterValidator(_not_negative)]
