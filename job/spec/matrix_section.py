"""The `matrix` of a job as it is written: lists of values, named variants, `include` and `exclude`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from job.errors import Complaint
from job.spec.complaints import did_you_mean
from job.spec.spec_file import OPTIONS_PREFIXES, VARIANT_NAME, VARIANTS, matrix_keys
from job.spec.yaml_tree import Node

Combination = dict[str, Node]
"""The values of one combination, by dotted key; the value of `variants` is the name of one."""

_LISTS = ("include", "exclude")
_VARIANT = re.compile(VARIANT_NAME.strip("^$"))

_Mistakes = list[tuple[Node, str]]


@dataclass(frozen=True)
class Matrix:
    """A matrix without mistakes.

    Args:
        axes: the listed values by dotted key, in the order of the file; those of `variants` are the names.
        include: the entries of `include`.
        exclude: the entries of `exclude`.
        variants: the values that each variant sets, by its name.
    """

    axes: dict[str, list[Node]]
    include: list[Combination]
    exclude: list[Combination]
    variants: dict[str, Combination] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The maximum number of combinations, before `exclude` is applied."""
        return (math.prod(map(len, self.axes.values())) if self.axes else 0) + len(self.include)

    def bundle(self, combination: Combination) -> Combination:
        """Return the values that the variant of a combination sets; none if it names no variant."""
        name = combination.get(VARIANTS)
        return self.variants[str(name.value)] if name else {}


def read_matrix(matrix: Node) -> tuple[Matrix | None, list[Complaint]]:
    """Read the matrix of a job.

    Returns:
        The matrix and no complaints, or None and the complaints about all mistakes.
    """
    wrong: _Mistakes = []
    if not matrix.entries:
        wrong.append((matrix, f"must be a mapping of dotted keys to lists of values, found {matrix.found()}"))
    variants = _variants(matrix.entries.get(VARIANTS), wrong)
    axes = {key: _axis(key, node, wrong) for key, node in matrix.entries.items() if key not in _LISTS}
    include, exclude = (_entries(matrix.entries.get(name), wrong) for name in _LISTS)
    read = Matrix(axes, include, exclude, variants)
    _check_keys(matrix, read, wrong)
    complaints = [node.complaint(message) for node, message in wrong if not node.broken]
    return None if wrong else read, complaints


def _check_keys(matrix: Node, read: Matrix, wrong: _Mistakes) -> None:
    for key, node in matrix.entries.items():
        if key not in (*_LISTS, VARIANTS):
            wrong += _unknown_key(key, node)
    for values in read.variants.values():
        for key, node in values.items():
            wrong += _unknown_key(key, node)
            if key in read.axes:
                wrong.append((node, "is listed by the matrix too; set it in one of the two"))
    for combination in read.include:
        for key, node in combination.items():
            wrong += _unknown_key(key, node) if key != VARIANTS else _unknown_variant(node, read)
    for combination in read.exclude:
        for key in combination.keys() - read.axes.keys():
            hint = did_you_mean(key, read.axes)
            wrong.append((combination[key], f"excludes nothing: the matrix does not list this key{hint}"))
        if VARIANTS in combination and VARIANTS in read.axes:
            wrong += _unknown_variant(combination[VARIANTS], read)


def _axis(key: str, node: Node, wrong: _Mistakes) -> list[Node]:
    if key == VARIANTS:
        return [replace(values, value=name, text=name) for name, values in node.entries.items()]
    if not node.items:
        wrong.append((node, f"must be a list of at least one value, found {node.found()}"))
    values = [replace(item, key=node.key) for item in node.items]
    _only_scalars(values, wrong)
    return values


def _variants(node: Node | None, wrong: _Mistakes) -> dict[str, Combination]:
    if node is None:
        return {}
    if not node.entries:
        wrong.append((node, f"must be a mapping of at least one name to its values, found {node.found()}"))
    for name, values in node.entries.items():
        if not _VARIANT.fullmatch(name):
            allowed = "letters, digits, dots, dashes and underscores that do not end in a dot"
            wrong.append((values, f"the name of a variant must be {allowed}"))
        if not isinstance(values.value, dict):
            wrong.append((values, f"must be a mapping of dotted keys to values, found {values.found()}"))
        _only_scalars(values.entries.values(), wrong)
    return {name: values.entries for name, values in node.entries.items()}


def _entries(node: Node | None, wrong: _Mistakes) -> list[Combination]:
    if node is None:
        return []
    if not node.items:
        wrong.append((node, f"must be a list of at least one mapping, found {node.found()}"))
    for item in node.items:
        if not item.entries:
            wrong.append((item, f"must be a mapping of dotted keys to values, found {item.found()}"))
        _only_scalars(item.entries.values(), wrong)
    return [item.entries for item in node.items]


def _only_scalars(values: Iterable[Node], wrong: _Mistakes) -> None:
    wrong += [
        (value, f"must be text, a number, true, false or null, found {value.found()}")
        for value in values
        if not value.is_scalar
    ]


def _unknown_key(key: str, node: Node) -> _Mistakes:
    known = matrix_keys()
    if key in known or (key.startswith(OPTIONS_PREFIXES) and not key.endswith(".")):
        return []
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        return [(node, f"is a whole section; name a key in it, such as {inside[0]}")]
    hint = (
        did_you_mean(key, [*known, VARIANTS]) or "; expected the dotted key of a value, such as model.units"
    )
    return [(node, f"is not a key that a matrix can set{hint}")]


def _unknown_variant(node: Node, read: Matrix) -> _Mistakes:
    if not node.is_scalar or node.value in read.variants:
        return []
    known = f"known here: {', '.join(read.variants)}" if read.variants else "the matrix has no variants"
    return [(node, f"is not the name of a variant{did_you_mean(str(node.value), read.variants)}; {known}")]
