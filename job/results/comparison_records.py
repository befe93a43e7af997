"""The records of a comparison with a baseline."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from job.results.sections import (
    JobName,
    Positive,
    Probability,
    Time,
)

Change = Literal["regression", "improvement", "unchanged"]

ComparisonVerdict = Literal["regression", "improvement", "unchanged", "not_comparable", "new", "removed"]


@dataclass(frozen=True)
class MetricComparison:
    """A metric of a job in the baseline (`before`) and in the candidate (`now`).

    Args:
        metric: name of the metric, see `job.metrics`.
        test: name of the statistical test.
        before, now: the metric over the compared examples.
        difference: `now` minus `before`, in the metric's unit.
        p_value: probability of a change at least this large in this direction if nothing has changed.
        adjusted_p_value: the p-value adjusted for all tests of the batch (Holm 1979).
        alpha: significance level for the adjusted p-value.
        min_effect: the smallest change that counts, in the metric's unit.
        examples: number of compared examples, on the smaller side.
        paired: whether both sides have the same examples.
        detail: the counts behind the test, in words.
        change: `regression` or `improvement` if significant and large enough, otherwise `unchanged`.
        advice: for a change for the worse that is large enough but not significant, what would decide it.
        total_loss_p_value: the smallest p-value that a loss can have on these examples; None if not recorded.
    """

    metric: str
    test: str
    before: float
    now: float
    difference: float
    p_value: Probability
    adjusted_p_value: Probability
    alpha: Probability
    min_effect: float
    examples: Positive
    paired: bool
    detail: str
    change: Change = "unchanged"
    advice: str | None = None
    total_loss_p_value: float | None = None


@dataclass(frozen=True)
class FlippedExample:
    """An example that only one side predicted correctly; texts as in `predictions.jsonl`.

    Args:
        id: id of the example.
        source, target: source and reference target.
        before, now: predictions of the baseline and of the candidate.
    """

    id: str
    source: str
    target: str
    before: str
    now: str


@dataclass(frozen=True)
class SpeedComparison:
    """A speed of a job in the baseline and in the candidate, on the same machine and versions.

    Args:
        metric: name of the speed.
        before, now: per second.
        ratio: `before` divided by `now`: how many times slower the candidate is.
        factor: the ratio from which a slower speed counts.
        before_range, now_range: range of the middle 80 % of the timed parts; None if there was one part.
        slower: whether it counts: slower by the factor, and the ranges do not overlap.
    """

    metric: str
    before: float
    now: float
    ratio: float
    factor: float
    before_range: tuple[float, float] | None
    now_range: tuple[float, float] | None
    slower: bool


Setting = str | int | float | bool | None
"""A value that a change has on one side; lists are their JSON text, None is null or nothing."""


@dataclass(frozen=True)
class ChangedSetting:
    """Something besides the metrics that differs between a job and its baseline.

    Args:
        key: a dotted key of the spec (`training.epochs`), `data.files.NAME` (the SHA-256 of a data file),
            `data.` and a size, `versions.PACKAGE`, `machine.` and a property, `git_commit`, or `git_dirty`
            (whether tracked files differed from the commit).
        before, after: the value in the baseline and in the candidate.
    """

    key: str
    before: Setting
    after: Setting


@dataclass(frozen=True)
class JobComparison:
    """A job compared with its baseline.

    Args:
        name: name of the job.
        verdict: verdict on its metrics, or why they cannot be compared.
        reason: the verdict as a sentence.
        metrics: the tested metrics, the most important first.
        lost, won: the first examples that only the baseline, or only the candidate, predicted correctly.
        lost_count, won_count: number of such examples.
        speed: speeds that both sides measured; empty if machine or versions differ.
        speed_note: why speeds were not compared; empty if they were.
        speed_fails: whether a slower job is a regression (`gate.speed: fail`) or a warning.
        unpaired: why the examples were not compared one by one, as a clause; empty if they were, and in
            records of earlier versions.
        changes: what else differs between the two; None if one side has no result, or for an earlier version.
    """

    name: JobName
    verdict: ComparisonVerdict
    reason: str
    metrics: tuple[MetricComparison, ...] = ()
    lost: tuple[FlippedExample, ...] = ()
    won: tuple[FlippedExample, ...] = ()
    lost_count: int = 0
    won_count: int = 0
    speed: tuple[SpeedComparison, ...] = ()
    speed_note: str = ""
    speed_fails: bool = False
    unpaired: str = ""
    changes: tuple[ChangedSetting, ...] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """A clause for each speed that counts as slower."""
        return tuple(
            f"{speed.metric} is {_speed(speed.now)}, "
            f"{speed.ratio:.2f} times slower than {_speed(speed.before)}"
            for speed in self.speed
            if speed.slower
        )


def _speed(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


@dataclass(frozen=True)
class Comparison:
    """A batch compared with a baseline.

    Args:
        baseline: path of the baseline as the user gave it.
        baseline_finished_at: when the baseline's batch ended, ISO 8601 in UTC.
        baseline_commit: commit of the baseline, if known.
        jobs: the batch's jobs in its order, then jobs that only the baseline has.
        commits: the newest commits between the two, at most 20: short hash and subject; empty if unknown.
        commit_count: the number of commits between the two; 0 if unknown.
    """

    baseline: str
    baseline_finished_at: Time
    baseline_commit: str | None
    jobs: tuple[JobComparison, ...]
    commits: tuple[str, ...] = ()
    commit_count: Positive = 0

    def to_json(self) -> str:
        """Return the comparison as JSON text that ends with a newline."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
