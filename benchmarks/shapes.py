"""What the contenders learn: each is given the same sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One problem at one size, named after the job of `jobs.yaml` that has it.

    Attributes:
        source_length: elements in a source.
        target_length: elements in a target: the first of the source, reversed.
        cardinality: different ids, the reserved 0 included.
        units: LSTM units of the encoder, and of the decoder.
        examples: training examples, seen once.
    """

    name: str
    source_length: int
    target_length: int
    cardinality: int
    units: int
    examples: int


def from_spec(spec: dict[str, Any], name: str) -> Shape:
    """Return the sizes of one job of a spec's YAML."""
    job = find_job(spec, name)
    defaults = spec.get("defaults", {})
    problem = job["problem"]
    return Shape(
        name=name,
        source_length=problem["source_length"],
        target_length=problem["target_length"],
        cardinality=problem["cardinality"],
        units={**defaults.get("model", {}), **job.get("model", {})}["units"],
        examples={**defaults.get("training", {}), **job.get("training", {})}["examples"],
    )


def find_job(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one job of a spec's YAML as it stands there."""
    found: list[dict[str, Any]] = [job for job in spec["jobs"] if job["name"] == name]
    if len(found) != 1:
        raise ValueError(f"the spec has {len(found)} jobs named {name!r}, expected 1")
    return found[0]
