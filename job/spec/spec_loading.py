"""Read a spec file: a `Spec` of resolved jobs, or complaints about all errors with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from job.errors import Complaint, SpecError
from job.spec.complaints import check, explain
from job.spec.matrix import MAX_JOBS, expand, without_matrix
from job.spec.other_sizes import check_also
from job.spec.schema import JobSpec, Spec
from job.spec.seed_expansion import count_runs, expand_seeds, with_short_name
from job.spec.spec_file import EXTENSION_PREFIX, SHARED_KEYS, VARIANTS, SpecFile
from job.spec.start_models import check_starts
from job.spec.yaml_tree import Node, read_tree


@dataclass(frozen=True)
class LocatedSpec:
    """A spec with the location of each value in the file.

    Args:
        spec: the valid jobs.
        trees: the located values of each job by its name, after defaults, matrix and seeds were applied.
        complaints: the errors of the file; empty if it is valid.
    """

    spec: Spec
    trees: Mapping[str, Node]
    complaints: tuple[Complaint, ...]

    def complaint(self, job: str, key: str, message: str) -> Complaint:
        """Return a complaint about a key of a job, located where its value was written.

        Args:
            job: the job's name.
            key: path inside the job, such as `problem.data.file[1]`. If the file lacks it, the complaint is
                located at the nearest key above it.
            message: one sentence.
        """
        node, rest = self.trees[job], key
        while rest and (step := _step(node, rest)):
            node, rest = step
        return node.complaint(message, rest.removeprefix("."))


_PART = re.compile(r"\.?([^.\[]+)|\[(\d+)\]")


def _step(node: Node, key: str) -> tuple[Node, str] | None:
    """Return the node at the first part of a key, and the rest of the key; None if there is no such node."""
    part = _PART.match(key)
    if part is None:
        return None
    name, index = part.groups()
    inside = node.items[int(index) :][:1] if index else [node.entries[name]] if name in node.entries else []
    return (inside[0], key[part.end() :]) if inside else None


def load_spec(path: Path) -> Spec:
    """Read a spec file and return its resolved jobs.

    Args:
        path: the file, as the user named it.

    Raises:
        SpecError: the file cannot be read or has errors; it has all complaints, in the order of their lines.
    """
    located = load_located(path)
    if located.complaints:
        raise SpecError(located.complaints)
    return located.spec


def load_located(path: Path) -> LocatedSpec:
    """Read a spec file and return its jobs, the locations of their values, and all complaints.

    Raises:
        SpecError: the file cannot be read or is not YAML.
    """
    root, complaints = read_tree(path)
    root = _without_extensions(root)
    complaints += check(root, SpecFile, partial=True)
    families, trees, wrong = _expand_all(root)
    complaints += wrong
    complaints += _check_names(families) or _check_names(trees)
    jobs, wrong = _validate_all(trees)
    complaints += wrong
    named: dict[str, Node] = {}
    for tree in trees:
        named.setdefault(str(tree.entries["name"].value) if "name" in tree.entries else "", tree)
    if not complaints:  # else a job that another starts from may be missing
        complaints += check_starts(jobs, named, path.parent)
    return LocatedSpec(Spec(path=path, jobs=tuple(jobs.values())), named, tuple(complaints))


def _without_extensions(root: Node) -> Node:
    kept = {key: node for key, node in root.entries.items() if not key.startswith(EXTENSION_PREFIX)}
    return replace(root, value=kept)


def _expand_all(root: Node) -> tuple[list[Node], list[Node], list[Complaint]]:
    """Apply defaults, matrices and seeds; if a matrix has errors, check the rest of its job without it.

    Returns:
        The jobs before the expansion of their seeds, those after it, and the complaints.
    """
    families: list[Node] = []
    trees: list[Node] = []
    complaints: list[Complaint] = []
    jobs = root.entries.get("jobs", root)
    for written in jobs.items:
        if not isinstance(written.value, dict):
            continue  # the validation with `SpecFile` has a complaint about it
        if len(trees) >= MAX_JOBS:
            complaints.append(jobs.complaint(f"has more than {MAX_JOBS:,} jobs"))
            break
        entry = _with_defaults(written, root)
        expanded, wrong = expand(entry, MAX_JOBS - len(trees), count_runs(entry))
        short = [*map(with_short_name, expanded)]
        families += short
        trees += [run for job in short for run in expand_seeds(job)]
        complaints += wrong
        if (seeds := entry.entries.get("seeds")) is not None and seeds.items:
            complaints += _second_seeds(written, entry)
        if not expanded:
            complaints += check(with_short_name(without_matrix(entry)), JobSpec, partial=True)
    return families, trees, complaints


def _second_seeds(written: Node, entry: Node) -> list[Complaint]:
    """Return complaints about each `seed` beside the `seeds` of a job, of which one would be ignored."""
    places = [written]
    if (matrix := entry.entries.get("matrix")) is not None:
        places.append(matrix)
        if VARIANTS in matrix.entries:
            places += matrix.entries[VARIANTS].entries.values()
        if "include" in matrix.entries:
            places += matrix.entries["include"].items
    found = (place.entries.get("seed") for place in places)
    return [seed.complaint("the job has seeds already; drop one of the two") for seed in found if seed]


def _with_defaults(written: Node, root: Node) -> Node:
    """Return a job's known keys, completed by the spec's seed and defaults; `SpecFile` refuses others.

    The problem of `defaults` completes only problems of its kind: the keys of different kinds differ.
    """
    given = root.entries.get("defaults", root).entries
    shared = {key: given[key] for key in SHARED_KEYS if key in given}
    kinds = {_kind(shared.get("problem")), _kind(written.entries.get("problem"))} - {None}
    if len(kinds) > 1:
        del shared["problem"]
    if "seed" in written.entries and "seeds" not in written.entries:
        shared.pop("seeds", None)  # the job's own key wins
    if "seed" in root.entries:
        shared["seed"] = root.entries["seed"]
    known = {
        key: node for key, node in written.entries.items() if key in JobSpec.model_fields or key == "matrix"
    }
    return _merge(replace(written, value=shared), replace(written, value=known))


def _kind(problem: Node | None) -> str | None:
    kind = problem.entries.get("kind") if problem else None
    return kind.value if kind and isinstance(kind.value, str) else None


def _merge(under: Node, over: Node) -> Node:
    """Return `over`, completed by the keys of `under` that it lacks, also in nested mappings."""
    if not isinstance(under.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(under.value)
    for key, node in over.value.items():
        merged[key] = _merge(merged[key], node) if key in merged else node
    return replace(over, value=merged)


def _check_names(trees: list[Node]) -> list[Complaint]:
    """Return complaints about names that are equal, or equal on file systems that ignore case."""
    taken: dict[str, Node] = {}
    complaints = []
    for tree in trees:
        name = tree.entries.get("name")
        if name is None or not isinstance(name.value, str):
            continue
        first = taken.setdefault(name.value.casefold(), name)
        if first is name:
            continue
        if first.key == name.key:
            complaints.append(
                name.complaint(f"two combinations of the matrix would both be named {name.value!r}")
            )
        else:
            what = "is taken" if first.value == name.value else f"differs from {first.value!r} only by case"
            message = f"a job's name must be unique: {name.value!r} {what} ({first.key}, line {first.line})"
            complaints.append(name.complaint(message))
    return complaints


def _validate_all(trees: list[Node]) -> tuple[dict[str, JobSpec], list[Complaint]]:
    jobs: dict[str, JobSpec] = {}
    complaints: list[Complaint] = []
    for tree in trees:
        try:
            job = JobSpec.model_validate(tree.plain())
            wrong = [*check_also(job, tree)]
            complaints += wrong
            if not wrong:
                jobs.setdefault(job.name, job)
        except ValidationError as error:
            complaints += explain(error, tree, JobSpec)
    return jobs, complaints
