"""Comparisons with a baseline: of batches left on disk, and of counts."""

import numpy as np
from recording import leave

from job.batch.recorded_comparison import compare_and_judge
from job.gating.batch_verdict import comparison_findings, conclude
from job.gating.metric_tests import metric_comparison
from job.gating.significance_tests import mcnemar
from job.results.comparison_records import JobComparison
from job.spec.gate_section import GateSpec


def compared(root, before, now):
    """Leave two batches below a directory and compare them.

    Args:
        root: the directory.
        before, now: lists of (result, predictions).

    Returns:
        the compared jobs, and the exit code that they call for.
    """
    found = compare_and_judge(leave(root / "before", before), leave(root / "now", now))[0]
    return found.jobs, conclude(comparison_findings(found.jobs)).exit_code


def discordant(both, lost, won):
    """Return the test of a number of examples that were right before and now, before only, and now only."""
    before = np.repeat([True, True, False], [both, lost, won])
    return mcnemar(before, np.repeat([True, False, True], [both, lost, won]))


def total_loss(right, count):
    """Return the test of a total loss: of `count` examples, `right` were right before and none is now."""
    return mcnemar(np.arange(count) < right, np.zeros(count, bool))


def compared_job(name, found, *, gate=None, examples=10_000):
    """Return a job of which accuracy alone was tested on paired examples; it is not judged yet."""
    metric = metric_comparison("sequence_accuracy", found, gate or GateSpec(), examples, paired=True)
    return JobComparison(name, "unchanged", "", metrics=(metric,))


def verdicts(comparison):
    """Return job name -> verdict."""
    return {job.name: job.verdict for job in comparison.jobs}
