"""A batch of many small jobs on two workers, beside what the machine lets two training processes do."""

from __future__ import annotations

from typing import Any

from benchmarks.comparison import OWN
from benchmarks.contenders import at_once, program
from benchmarks.parts import Session, run_matrix
from benchmarks.shapes import changed, find_job

JOBS = 64
EXAMPLES = 12_800


def two_workers(session: Session) -> dict[str, Any]:
    """Time the batch, and the ceiling: the steps of its jobs at the rate of two processes that only train.

    The two processes run at once, one thread each, on the whole tutorial job, long enough to be steady.
    """
    tutorial = find_job(session.spec, "tutorial")
    places = [session.workload(changed(tutorial, "tutorial"), seed).directory for seed in (1, 2)]
    trained = at_once(program(OWN, "fused", 1), places, "--fit-only")
    rate = sum(done.said["examples_per_second"] for done in trained)
    number = 4 if session.quick else JOBS
    small = {"training": {"examples": EXAMPLES}, "evaluation": {"examples": 100, "validation_examples": 100}}
    seeds = {"seed": list(range(1, number + 1))}
    batch = run_matrix(session, changed(tutorial, "small", **small), seeds, "--workers", "2")
    wall = batch.cost.wall_seconds
    ceiling = number * EXAMPLES / rate
    return {
        "jobs": number,
        "examples_per_job": EXAMPLES,
        "two_processes_examples_per_second": rate,
        "ceiling_seconds": ceiling,
        "wall_seconds": wall,
        "over_ceiling": wall / ceiling,
    }
