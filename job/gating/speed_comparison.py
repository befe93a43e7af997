"""Compare the training and decoding speed of a job with its baseline, on the same machine and versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from job.results.comparison_records import SpeedComparison
from job.results.job_result import JobResult

SPEEDS = ("train_examples_per_second", "decoded_sequences_per_second")
"""Timings that are compared."""

MACHINE = ("processor", "cores", "devices", "platform", "kernel")
"""Keys of a result's `environment` that identify the machine."""


def environment_difference(before: JobResult, now: JobResult) -> str:
    """Return the first difference between the machines and package versions of two results, as a clause.

    Returns:
        an empty string if there is none: the speeds can be compared.
    """
    for of_before, of_now in zip(_machines(before), _machines(now), strict=True):
        for key in MACHINE:
            was, found = of_before.get(key), of_now.get(key)
            if was != found:
                return f"{key} was {was} and is {found}"
    was, found = (result.environment.get("versions", {}) for result in (before, now))
    for key in {**was, **found}:
        if was.get(key) != found.get(key):
            return f"the version of {key} was {was.get(key)} and is {found.get(key)}"
    return ""


def _machines(result: JobResult) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the environments of training and of evaluation, which differ if a model was evaluated again."""
    evaluation = result.environment.get("evaluation")
    return result.environment, evaluation if isinstance(evaluation, Mapping) else result.environment


def compare_speeds(before: JobResult, now: JobResult, factor: float) -> Iterator[SpeedComparison]:
    """Yield a comparison of each speed that both results have.

    Args:
        before, now: results of the baseline and of the candidate, from the same machine and versions.
        factor: see `apply_factor`.
    """
    for metric in SPEEDS:
        was, found = before.timings.get(metric), now.timings.get(metric)
        if was and found:
            ranges = before.speed_ranges.get(metric), now.speed_ranges.get(metric)
            speed = SpeedComparison(metric, was, found, was / found, factor, *ranges, slower=False)
            yield apply_factor(speed, factor)


def apply_factor(speed: SpeedComparison, factor: float) -> SpeedComparison:
    """Return a speed comparison judged by a factor.

    The candidate is slower if it is at least `factor` times as slow as the baseline and the ranges of the two
    speeds, over the parts that were timed, do not overlap.
    """
    before, now = speed.before_range, speed.now_range
    separate = before is not None and now is not None and now[1] < before[0]
    return replace(speed, factor=factor, slower=speed.ratio >= factor and separate)
