"""The `gate` section: thresholds of metrics, and which changes against a baseline are regressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model

from job.metrics import DATA_UNIT, METRICS, gate_key
from job.spec.base_section import Section

SpeedRule = Literal["warn", "fail"]
SeedsRule = Literal["min", "mean"]
BaselineRule = Literal["same_test", "same_data"]

_LARGEST_VALUES = {"fraction": 1.0, "point": 100.0}
"""The largest value of a metric, by its unit; a higher threshold could never be passed."""


_SLOWER_FAILS: dict[SpeedRule, bool] = {"warn": False, "fail": True}
_ON_MEAN: dict[SeedsRule, bool] = {"min": False, "mean": True}
_OTHER_DATA: dict[BaselineRule, bool] = {"same_test": True, "same_data": False}

_SPELLED_UNITS = {
    "fraction": "as a fraction",
    "point": "in points",
    DATA_UNIT: "in the unit of the data",
}


def _threshold_fields() -> dict[str, Any]:
    """Return the fields `min_METRIC` and `max_METRIC`, one for each metric."""
    fields: dict[str, Any] = {}
    for name, metric in METRICS.items():
        which = "Minimum" if metric.direction == "higher" else "Maximum"
        unit = _SPELLED_UNITS.get(metric.unit, f"in {metric.unit}")
        description = f"{which} {name} that passes, {unit}. {metric.description}"
        largest = _LARGEST_VALUES.get(metric.unit) if metric.direction == "higher" else None
        field = Field(default=None, ge=0, le=largest, description=description)
        fields[gate_key(name)] = (float | None, field)
    return fields


class _Gate(Section):
    """Thresholds that a job must pass (else it is `gate_failed`), and rules for comparing with a baseline."""

    alpha: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="Significance level: a change against the baseline is significant if its p-value, "
        "adjusted for all tests of the batch, is at most this. Of the batches in which nothing changed, at "
        "most this share reports a regression.",
    )
    min_drop: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="Smallest change against the baseline that counts: absolute for fractions, a hundredth "
        "of the points for BLEU and chrF, relative to the baseline's value for errors in the data's unit.",
    )
    speed: SpeedRule = Field(
        default="warn",
        description="Effect of a job that is slower than its baseline on the same machine and versions: a "
        "warning, or a regression.",
    )
    baseline: BaselineRule = Field(
        default="same_test",
        description="What a job must share with its baseline to be compared with it: `same_test` the test "
        "examples, whatever the training data and the decoder; `same_data` the whole problem, its data files "
        "and how examples are decoded.",
    )
    seeds: SeedsRule = Field(
        default="min",
        description="For a job with `seeds`: `min` applies the thresholds to every seed, so that the worst "
        "one decides; `mean` applies them to the mean.",
    )
    speed_factor: float = Field(
        default=1.3, gt=1, le=1000, description="Ratio of times from which a job counts as slower."
    )

    @property
    def slower_fails(self) -> bool:
        """Whether a job that is slower than its baseline is a regression."""
        return _SLOWER_FAILS[self.speed]

    @property
    def allows_other_data(self) -> bool:
        """Whether a baseline with the same test examples may be of other training data."""
        return _OTHER_DATA[self.baseline]

    @property
    def on_mean(self) -> bool:
        """Whether the thresholds of a job with `seeds` apply to the mean of its runs."""
        return _ON_MEAN[self.seeds]

    def thresholds(self) -> dict[str, float]:
        """Return the thresholds that are set, by name of metric."""
        thresholds = {name: getattr(self, gate_key(name)) for name in METRICS}
        return {name: threshold for name, threshold in thresholds.items() if threshold is not None}


if TYPE_CHECKING:
    GateSpec = _Gate  # a type checker cannot see the generated fields; they are read through `thresholds`
else:
    GateSpec = create_model("GateSpec", __base__=_Gate, __doc__=_Gate.__doc__, **_threshold_fields())
