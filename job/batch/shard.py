"""The shard that this process runs: given as `I/N`, or read from variables of a cluster or CI system.

Which jobs a shard runs is decided in `balanced_shards`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from job.errors import ShardError

MAX_SHARDS = 10_000

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Shard:
    """A part of a plan.

    Args:
        index: shard number, from 1.
        count: number of shards.
    """

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def label(self) -> str:
        """The shard in the names of its reports: `1-of-4`; '' for the whole plan."""
        return f"{self.index}-of-{self.count}" if self.count > 1 else ""


WHOLE = Shard(1, 1)


def parse_shard(text: str, environment: Environment) -> Shard:
    """Read the value of `--shard`.

    Args:
        text: `I/N`, or `auto`.
        environment: variables of this process; used only for `auto`.

    Raises:
        ShardError: the text is neither, or I is not in 1..N; see also `shard_from_environment`.
    """
    if text == "auto":
        return shard_from_environment(environment)
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if not match:
        raise ShardError(f"--shard {text!r}: expected I/N, such as 1/4 for the first of four, or auto")
    return _checked(f"--shard {text}", int(match[1]), int(match[2]))


def shard_from_environment(environment: Environment) -> Shard:
    """Return the shard that the variables of Kubernetes, Slurm, GitLab, CircleCI or Buildkite describe.

    A system that runs a single process does not split the batch, so another system that does wins: a CI job
    that submits a Slurm array passes its own variables on.

    Raises:
        ShardError: no system is found, one has set only some of its variables or invalid values, or two
            systems disagree.
    """
    found = {name: shard for name, read in _SYSTEMS.items() if (shard := read(environment))}
    splitting = {name: shard for name, shard in found.items() if shard.count > 1}
    if len(set(splitting.values())) > 1:
        said = " and ".join(f"{name} says {shard}" for name, shard in splitting.items())
        raise ShardError(f"--shard auto: {said}; choose the right one with --shard I/N")
    if not found:
        raise ShardError(
            f"--shard auto: none of the variables of {', '.join(_SYSTEMS)} is set; give --shard I/N, or "
            "leave --shard out to run every job"
        )
    return next(iter(splitting.values()), WHOLE)


def _checked(place: str, index: int, count: int) -> Shard:
    if not 1 <= count <= MAX_SHARDS:
        raise ShardError(f"{place}: expected 1 to {MAX_SHARDS} shards, found {count}")
    if not 1 <= index <= count:
        raise ShardError(f"{place}: expected a shard from 1 to {count}, found {index}")
    return Shard(index, count)


# --- the systems --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _IndexAndTotal:
    """A system that sets two variables.

    Args:
        index, total: names of the variables.
        first: index of the first process, 0 or 1.
        remedy: what to do if one of them is missing.
    """

    index: str
    total: str
    first: int
    remedy: str

    def __call__(self, environment: Environment) -> Shard | None:
        if not _present(environment, self.index, self.total):
            return None
        index, total = (_integer(environment, name, self.remedy) for name in (self.index, self.total))
        place = f"--shard auto: {self.index}={index}, {self.total}={total}"
        return _checked(place, index - self.first + 1, total)


def _gitlab(environment: Environment) -> Shard | None:
    # Outside `parallel:` GitLab sets the total to 1 and leaves the index out.
    if environment.get("CI_NODE_TOTAL") == "1" and not environment.get("CI_NODE_INDEX"):
        return WHOLE
    remedy = "GitLab sets both for a job with `parallel`"
    return _IndexAndTotal("CI_NODE_INDEX", "CI_NODE_TOTAL", 1, remedy)(environment)


def _slurm(environment: Environment) -> Shard | None:
    """Read the shard of a Slurm array task. Task ids may start anywhere and have a step, but no gaps.

    For an array of listed ids (`--array=1,3,4`) Slurm tells their number, but not which they are.
    """
    task, lowest, count = (f"SLURM_ARRAY_TASK_{end}" for end in ("ID", "MIN", "COUNT"))
    step, highest = "SLURM_ARRAY_TASK_STEP", "SLURM_ARRAY_TASK_MAX"
    if not _present(environment, task, lowest, count):
        return None
    remedy = "Slurm sets all of them for a job with `--array`"
    ids, low, number = (_integer(environment, name, remedy) for name in (task, lowest, count))
    stride = _integer(environment, step, remedy) if environment.get(step) else 1
    high = _integer(environment, highest, remedy) if environment.get(highest) else low + (number - 1) * stride
    place = f"--shard auto: {task}={ids}, {lowest}={low}, {count}={number}, step {stride}"
    if stride < 1 or (ids - low) % stride or high != low + (number - 1) * stride:
        raise ShardError(
            f"{place}, highest {high}: not an array without gaps; expected one such as --array=1-4"
        )
    if number == 1 and ids > 1:  # one task of several that is run again alone, not the whole batch
        raise ShardError(f"{place}: a single task does not tell the number of shards; give --shard I/N")
    return _checked(place, (ids - low) // stride + 1, number)


def _present(environment: Environment, *names: str) -> bool:
    return any(environment.get(name) for name in names)


def _integer(environment: Environment, name: str, remedy: str) -> int:
    text = environment.get(name, "")
    if not text:
        raise ShardError(f"--shard auto: {name} is not set; {remedy}")
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ShardError(f"--shard auto: expected a number in {name}, found {text!r}")
    return int(text)


_SYSTEMS: dict[str, Callable[[Environment], Shard | None]] = {
    "Kubernetes": _IndexAndTotal(
        "JOB_COMPLETION_INDEX",
        "JOB_COMPLETIONS",
        0,
        "Kubernetes sets the index for a Job with `completionMode: Indexed`, and the Job's manifest must set "
        "JOB_COMPLETIONS to its `completions`",
    ),
    "Slurm": _slurm,
    "GitLab": _gitlab,
    "CircleCI": _IndexAndTotal("CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0, "CircleCI sets both"),
    "Buildkite": _IndexAndTotal(
        "BUILDKITE_PARALLEL_JOB",
        "BUILDKITE_PARALLEL_JOB_COUNT",
        0,
        "Buildkite sets both for a step with `parallelism`",
    ),
}
