"""Expansion of a job's `matrix` into jobs.

`include` and `exclude` mean what they mean in GitHub Actions ("Running variations of jobs in a workflow").
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from job.errors import Complaint
from job.spec.complaints import did_you_mean
from job.spec.spec_file import OPTIONS_PREFIX, matrix_keys
from job.spec.yaml_tree import Node, join, shorten

MAX_JOBS = 10_000
"""Maximum number of jobs of a spec."""
MAX_NAME = 100
"""Maximum length of a job's name, in characters."""

_LISTS = ("include", "exclude")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|\.$")

Combination = dict[str, Node]
"""The values of one combination, by dotted key."""


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
    read, complaints = _read(matrix)
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
    jobs = [_apply(base, suffix, combination) for suffix, combination in named]
    too_long = _check_lengths(matrix, jobs)
    return ([], too_long) if too_long else (jobs, [])


def _too_many(node: Node, count: int, how: str = "") -> Complaint:
    return node.complaint(f"makes {count:,} jobs{how}; a spec has at most {MAX_JOBS:,} in all")


def without_matrix(entry: Node) -> Node:
    """Return a job as it is written, without its matrix."""
    return replace(entry, value={key: node for key, node in entry.entries.items() if key != "matrix"})


def _check_lengths(matrix: Node, jobs: list[Node]) -> list[Complaint]:
    names = [job.entries["name"].value for job in jobs if "name" in job.entries]
    longest = max((name for name in names if isinstance(name, str)), key=len, default="")
    if len(longest) <= MAX_NAME:
        return []
    found = f"{len(longest)} characters in {shorten(longest)!r}"
    return [matrix.complaint(f"makes names that are too long; at most {MAX_NAME}, found {found}")]


# --- reading -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Matrix:
    axes: dict[str, list[Node]]
    include: list[Combination]
    exclude: list[Combination]

    @property
    def size(self) -> int:
        """The maximum number of combinations, before `exclude` is applied."""
        return (math.prod(map(len, self.axes.values())) if self.axes else 0) + len(self.include)


def _read(matrix: Node) -> tuple[_Matrix | None, list[Complaint]]:
    wrong: list[tuple[Node, str]] = []
    if not matrix.entries:
        wrong.append((matrix, f"must be a mapping of dotted keys to lists of values, found {matrix.found()}"))
    axes = {key: _axis(node, wrong) for key, node in matrix.entries.items() if key not in _LISTS}
    include, exclude = (_entries(matrix.entries.get(name), wrong) for name in _LISTS)
    for key, node in matrix.entries.items():
        if key not in _LISTS:
            wrong += _unknown_key(key, node)
    for combination in include:
        for key, node in combination.items():
            wrong += _unknown_key(key, node)
    for combination in exclude:
        for key in combination.keys() - axes.keys():
            hint = did_you_mean(key, axes)
            wrong.append((combination[key], f"excludes nothing: the matrix does not list this key{hint}"))
    complaints = [node.complaint(message) for node, message in wrong if not node.broken]
    return None if wrong else _Matrix(axes, include, exclude), complaints


def _axis(node: Node, wrong: list[tuple[Node, str]]) -> list[Node]:
    if not node.items:
        wrong.append((node, f"must be a list of at least one value, found {node.found()}"))
    values = [replace(item, key=node.key) for item in node.items]
    _only_scalars(values, wrong)
    return values


def _entries(node: Node | None, wrong: list[tuple[Node, str]]) -> list[Combination]:
    if node is None:
        return []
    if not node.items:
        wrong.append((node, f"must be a list of at least one mapping, found {node.found()}"))
    for item in node.items:
        if not item.entries:
            wrong.append((item, f"must be a mapping of dotted keys to values, found {item.found()}"))
        _only_scalars(item.entries.values(), wrong)
    return [item.entries for item in node.items]


def _only_scalars(values: Iterable[Node], wrong: list[tuple[Node, str]]) -> None:
    wrong += [
        (value, f"must be text, a number, true, false or null, found {value.found()}")
        for value in values
        if not value.is_scalar
    ]


def _unknown_key(key: str, node: Node) -> list[tuple[Node, str]]:
    known = matrix_keys()
    if key in known or (key.startswith(OPTIONS_PREFIX) and not key.endswith(".")):
        return []
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        return [(node, f"is a whole section; name a key in it, such as {inside[0]}")]
    hint = did_you_mean(key, known) or "; expected the dotted key of a value, such as model.units"
    return [(node, f"is not a key that a matrix can set{hint}")]


# --- expansion ---------------------------------------------------------------------------------------------


def _named_combinations(matrix: _Matrix) -> list[tuple[str, Combination]]:
    """Return the combinations, each with the suffix of its job's name.

    The suffix of a combination of the axes has the keys of the axes only, so that adding or removing an
    `include` does not rename it. The suffix of a combination that `include` adds has all its keys except
    gates, because gates do not change the training.
    """
    original, new = _combinations(matrix)
    label = _labels({*matrix.axes, *itertools.chain.from_iterable(matrix.include)})
    named = [(_suffix(combination, matrix.axes, label), combination) for combination in original]
    for combination in new:
        keys = [key for key in combination if key in matrix.axes or not key.startswith("gate.")]
        named.append((_suffix(combination, keys or combination, label), combination))
    return named


def _combinations(matrix: _Matrix) -> tuple[list[Combination], list[Combination]]:
    product = itertools.product(*matrix.axes.values()) if matrix.axes else ()
    original = [dict(zip(matrix.axes, values, strict=True)) for values in product]
    original = [one for one in original if not any(_matches(part, one) for part in matrix.exclude)]
    new = []
    for extra in matrix.include:
        overlap = {key: node for key, node in extra.items() if key in matrix.axes}
        added = {key: node for key, node in extra.items() if key not in matrix.axes}
        fitting = [one for one in original if _matches(overlap, one)]
        for one in fitting:
            one.update(added)
        if not fitting:
            new.append(extra)
    return original, new


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
    return "-".join(f"{label[key]}-{_as_name(combination[key])}" for key in keys)


def _as_name(node: Node) -> str:
    text = node.value if isinstance(node.value, str) else json.dumps(node.value)
    return _UNSAFE.sub("_", text)


def _apply(base: Node, suffix: str, combination: Combination) -> Node:
    job = base
    for key, node in combination.items():
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
