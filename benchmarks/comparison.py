"""Runs -> medians -> ratios against the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measuring import Cost


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of one contender; `sequence_accuracy` is in 0..1."""

    contender: str
    seed: int
    cost: Cost
    sequence_accuracy: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The medians of a contender's runs."""

    contender: str
    runs: int
    wall_seconds: float
    peak_tree_rss_bytes: float
    peak_process_rss_bytes: float
    sequence_accuracy: float


@dataclass(frozen=True, kw_only=True)
class Target:
    """A bar: this job's figure over a peer's, at most `limit`.

    Attributes:
        figure: a field of `Summary`, the same for both.
    """

    peer: str
    figure: str
    limit: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A target held against the medians of one session."""

    target: Target
    ratio: float

    @property
    def met(self) -> bool:
        return self.ratio <= self.target.limit


def summarise(contender: str, runs: Sequence[Run]) -> Summary:
    """Return the medians of the runs that are this contender's."""
    own = [run for run in runs if run.contender == contender]
    return Summary(
        contender=contender,
        runs=len(own),
        wall_seconds=median(run.cost.wall_seconds for run in own),
        peak_tree_rss_bytes=median(run.cost.peak_tree_rss_bytes for run in own),
        peak_process_rss_bytes=median(run.cost.peak_process_rss_bytes for run in own),
        sequence_accuracy=median(run.sequence_accuracy for run in own),
    )


def hold(target: Target, own: Summary, peers: Sequence[Summary]) -> Outcome:
    """Hold this job's summary against the target's peer."""
    (other,) = (summary for summary in peers if summary.contender == target.peer)
    return Outcome(target=target, ratio=getattr(own, target.figure) / getattr(other, target.figure))
