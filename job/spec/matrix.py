"""Expansion of a job's `matrix` into jobs.

`include` and `exclude` mean what they mean in GitHub Actions ("Running variations of jobs in a workflow"). A
variant is one value of the axis `variants`, which sets all values of its bundle.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from job.errors import Complaint
from job.spec.matrix_section import Combination, Matrix, read_matrix
from job.spec.spec_file import VARIANTS
from job.spec.yaml_tree import Node, join

MAX_JOBS = 10_000
"""Maximum number of jobs of a spec."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|\.$")

MAX_TRIALS = 20_000_000
"""Maximum number of comparisons of a combination with an entry of `include` or `exclude`."""


def expand(entry: Node, room: int = MAX_JOBS, each: int = 1) -> tuple[list[Node], list[Complaint]]:
    """Expand the matrix of a job.

    Args:
        entry: the job after defaults were applied, with or without the key `matrix`.
        room: maximum number of jobs that it may expand into.
        each: number of runs of each combination, one for each seed.

    Returns:
        The jobs without `matrix`, and the complaints about it; no jobs if there are any. There is a job for
        every combination, in the order in which the file names keys and values (the last key changes
        fastest), then for every `include` that makes a combination of its own.
    """
    matrix = entry.entries.get("matrix")
    base = without_matrix(entry)
    if matrix is None:
        too_many = [] if each <= room else [_too_many(entry.entries["seeds"], each)]
        return ([], too_many) if too_many else ([base], [])
    read, complaints = read_matrix(matrix)
    if read is None:
        return [], complaints
    if read.size * each > room:
        how = f" ({read.size:,} combinations, each with {each:,} seeds)" if each > 1 else ""
        return [], [_too_many(matrix, read.size * each, how)]
    if read.size * (len(read.include) + len(read.exclude)) > MAX_TRIALS:
        return [], [matrix.complaint("has too many entries of include and exclude for its combinations")]
    named = _named_combinations(read)
    if not named:
        return [], [matrix.complaint("has no combinations left: exclude removes all of them")]
    combinations = [(suffix, {**read.bundle(one), **one}) for suffix, one in named]
    values = {key: node for _, combination in combinations for key, node in combination.items()}
    inside = [node.complaint(_IN_LIST.format(key)) for key, node in values.items() if _in_list(base, key)]
    return ([], inside) if inside else ([_apply(base, *each) for each in combinations], [])


_IN_LIST = "{} is inside a list, of which a matrix cannot set a part; let the matrix set the whole list"


def _in_list(base: Node, key: str) -> bool:
    """Return whether a key lies below a list of the job as it is written."""
    tree: Node | None = base
    for part in key.split(".")[:-1]:
        tree = tree.entries.get(part) if tree is not None else None
        if tree is not None and isinstance(tree.value, list):
            return True
    return False


def _too_many(node: Node, count: int, how: str = "") -> Complaint:
    return node.complaint(f"makes {count:,} jobs{how}; a spec has at most {MAX_JOBS:,} in all")


def without_matrix(entry: Node) -> Node:
    """Return a job as it is written, without its matrix."""
    return replace(entry, value={key: node for key, node in entry.entries.items() if key != "matrix"})


def _named_combinations(matrix: Matrix) -> list[tuple[str, Combination]]:
    """Return the combinations, each with the suffix of its job's name.

    The suffix of a combination of the axes has the keys of the axes only, so that adding or removing an
    `include` does not rename it. The suffix of a combination that `include` adds has all its keys except
    gates, because gates do not change the training.
    """
    original, new = _combinations(matrix)
    own = _labels({*matrix.axes})
    named = [(_suffix(combination, matrix.axes, own), combination) for combination in original]
    label = _labels({*matrix.axes, *itertools.chain.from_iterable(matrix.include)})
    for combination in new:
        keys = [key for key in combination if key in matrix.axes or not key.startswith("gate.")]
        named.append((_suffix(combination, keys or combination, label), combination))
    return named


def _combinations(matrix: Matrix) -> tuple[list[Combination], list[Combination]]:
    product = itertools.product(*matrix.axes.values()) if matrix.axes else ()
    original = [dict(zip(matrix.axes, values, strict=True)) for values in product]
    original = [one for one in original if not any(_matches(part, one) for part in matrix.exclude)]
    new = []
    for extra in matrix.include:
        fitting = [one for one in original if _fits(extra, one, matrix)]
        for one in fitting:
            one.update({key: node for key, node in extra.items() if key not in matrix.axes})
        if not fitting:
            new.append(extra)
    return original, new


def _fits(extra: Combination, one: Combination, matrix: Matrix) -> bool:
    """Return whether an `include` changes no value that the axes or the variant of a combination set."""
    bundle = matrix.bundle(one)
    original = {key: node for key, node in extra.items() if key in matrix.axes or key in bundle}
    return _matches(original, {**bundle, **one})


def _matches(part: Combination, whole: Combination) -> bool:
    return all(_equal(node, whole[key]) for key, node in part.items())


def _equal(one: Node, other: Node) -> bool:
    # True == 1 in Python, but not in YAML
    return one.value == other.value and isinstance(one.value, bool) == isinstance(other.value, bool)


def _labels(keys: set[str]) -> dict[str, str]:
    last = {key: key.rpartition(".")[2] for key in keys}
    shared = Counter(last.values())
    return {key: key if shared[label] > 1 else label for key, label in last.items()}


def _suffix(combination: Combination, keys: Iterable[str], label: dict[str, str]) -> str:
    parts = (
        _as_name(combination[key]) if key == VARIANTS else f"{label[key]}-{_as_name(combination[key])}"
        for key in keys
    )
    return "-".join(parts)


def _as_name(node: Node) -> str:
    text = node.value if isinstance(node.value, str) else json.dumps(node.value)
    return _UNSAFE.sub("_", text)


def _apply(base: Node, suffix: str, combination: Combination) -> Node:
    job = base
    for key, node in combination.items():
        if key != VARIANTS:
            job = _with_value(job, key.split("."), node)
    name = job.entries.get("name")
    if name is not None and isinstance(name.value, str):
        job = _with_value(job, ["name"], replace(name, value=f"{name.value}-{suffix}"))
    return job


def _with_value(tree: Node, path: list[str], value: Node) -> Node:
    head, *rest = path
    if rest:
        inside = tree.entries.get(head) or Node({}, value.file, value.line, join(tree.key, head))
        value = _with_value(inside, rest, value)
    return replace(tree, value={**tree.entries, head: value})
