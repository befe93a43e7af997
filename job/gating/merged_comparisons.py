"""Merge the comparisons of a batch's shards into one, judged as if all jobs had been compared at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from job.errors import BaselineError
from job.gating.comparison_verdicts import judge_together
from job.gating.metric_tests import min_effect
from job.gating.speed_comparison import apply_factor
from job.metrics import METRICS
from job.results.comparison_records import Comparison, JobComparison
from job.spec.gate_section import GateSpec


def merge_comparisons(
    comparisons: Mapping[str, Comparison | None], gates: Mapping[str, GateSpec] | None = None
) -> Comparison | None:
    """Merge the comparisons of the runs that the jobs of a batch were part of, and judge all jobs together.

    Args:
        comparisons: job name -> comparison of its run, None if it had no baseline; in the batch's order.
        gates: job name -> its current gate; by default the settings recorded in the comparisons apply.

    Returns:
        None if no run was compared.

    Raises:
        BaselineError: the runs were compared with different baselines.
    """
    present = [comparison for comparison in comparisons.values() if comparison is not None]
    if not present:
        return None
    names = {(each.baseline_finished_at, each.baseline_commit): each.baseline for each in present}
    if len(names) > 1:
        raise BaselineError(
            f"the results were compared with different baselines ({', '.join(names.values())}); name the "
            "one to use with --baseline"
        )
    found = {name: _job_comparison(name, comparison) for name, comparison in comparisons.items()}
    jobs = [_with_gate(job, (gates or {}).get(name)) for name, job in found.items()]
    removed = {job.name: job for each in present for job in each.jobs if job.verdict == "removed"}
    return replace(present[0], jobs=(*judge_together(jobs), *removed.values()))


def _job_comparison(name: str, comparison: Comparison | None) -> JobComparison:
    """Return a job's part of a comparison; not comparable if it is missing or from a later version."""
    found = next((job for job in comparison.jobs if job.name == name), None) if comparison else None
    if found is None:
        reason = "the run that it was part of was given no baseline; give it to the report with --baseline"
        return JobComparison(name, "not_comparable", reason)
    if unknown := [metric.metric for metric in found.metrics if metric.metric not in METRICS]:
        reason = f"the run's report compares a metric that this version does not know: {unknown[0][:60]}"
        return JobComparison(name, "not_comparable", reason)
    return found


def _with_gate(job: JobComparison, gate: GateSpec | None) -> JobComparison:
    """Return a job's measurements with the settings of a gate, ready to be judged again.

    Args:
        job: as recorded, judged by any gate.
        gate: its settings replace those recorded; None keeps them.
    """
    if gate is None:
        return job
    # With too few examples for the recorded alpha, there may be enough for another.
    too_few = job.verdict == "not_comparable" and bool(job.metrics)
    return replace(
        job,
        verdict="unchanged" if too_few else job.verdict,
        metrics=tuple(
            replace(m, alpha=gate.alpha, min_effect=min_effect(m.metric, m.before, gate.min_drop))
            for m in job.metrics
        ),
        speed=tuple(apply_factor(speed, gate.speed_factor) for speed in job.speed),
        speed_fails=gate.slower_fails,
    )
