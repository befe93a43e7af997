"""Which jobs of a spec have the same training, or start from one another: what must run in one place."""

from __future__ import annotations

import json
from collections.abc import Sequence

from job.spec.change_effects import select
from job.spec.schema import JobSpec
from job.spec.start_models import parent_name


def first_alike(jobs: Sequence[JobSpec]) -> dict[str, str]:
    """Return by job name the first job with the same training: that is the job itself, unless it repeats one.

    Names, gates and evaluations do not decide a training. Two jobs that start from different jobs of one
    training start from the same model.

    Args:
        jobs: the resolved jobs, in the spec's order.
    """
    names = {job.name: job for job in jobs}
    keys: dict[str, str] = {}

    def key(job: JobSpec) -> str:
        if job.name not in keys:
            spec = select(job.model_dump(mode="json"), "training")
            parent = parent_name(job, names)
            if parent is not None:
                spec["training"]["start_from"] = key(names[parent])
            keys[job.name] = json.dumps([parent is not None, spec], sort_keys=True)
        return keys[job.name]

    firsts: dict[str, str] = {}
    return {job.name: firsts.setdefault(key(job), job.name) for job in jobs}


def root_names(jobs: Sequence[JobSpec]) -> dict[str, str]:
    """Return by job name the job that is trained first of those that take models from one another.

    A job takes the model of the first one with the same training, and one with `start_from` starts from it.

    Args:
        jobs: the resolved jobs, in the spec's order.
    """
    names, firsts = {job.name: job for job in jobs}, first_alike(jobs)
    roots = {}
    for job in jobs:
        root = firsts[job.name]
        while (parent := parent_name(names[root], names)) is not None:
            root = firsts[parent]
        roots[job.name] = root
    return roots
