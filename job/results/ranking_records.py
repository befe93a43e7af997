"""The records of a ranking: the jobs of a batch in the order of one metric."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Comparability = Literal["best", "paired", "unpaired", "not_comparable"]


@dataclass(frozen=True, kw_only=True)
class RankedJob:
    """A job that has the metric.

    Args:
        name: name of the job.
        value: its metric.
        interval: 95 % confidence interval of the metric over examples like these; None if the examples do not
            determine one.
        examples: number of examples behind the value; None for times and speeds.
        comparison: `best` for the first job; whether the job is compared with it on the same examples
            (`paired`), on other examples of the same problem (`unpaired`), or not at all.
        p_value: two-sided p-value of the difference from the best job, adjusted for all comparisons of the
            ranking (Holm 1979); None if the job is not compared.
        tied_with_best: whether the job cannot be told apart from the best one; None if it is not compared.
        detail: why the job is not compared on the same examples, as a clause; otherwise empty.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    examples: int | None
    comparison: Comparability
    p_value: float | None
    tied_with_best: bool | None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class LeftOutJob:
    """A job without the metric.

    Args:
        name: name of the job.
        reason: why it has no place in the ranking, as a clause.
    """

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The jobs of a batch, the best first.

    Args:
        metric: metric that orders the jobs, with `validation.` before it if it is that of validation.
        direction: whether higher or lower values are better.
        alpha: significance level: with an adjusted p-value above it a job is tied with the best.
        jobs: the jobs that have the metric, best first.
        left_out: the other jobs, in the order of the plan.
    """

    metric: str
    direction: Literal["higher", "lower"]
    alpha: float
    jobs: tuple[RankedJob, ...]
    left_out: tuple[LeftOutJob, ...]

    def to_json(self) -> str:
        """Return the ranking as JSON text that ends with a newline."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
