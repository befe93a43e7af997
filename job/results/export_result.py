"""The record of a model's export for another runtime: the `exports` of a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from job.results.sections import Count, InnerPath

ExportFormat = Literal["saved_model", "onnx"]

Speed = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """An export that its own runtime has loaded, and that predicts what the model predicts.

    Args:
        format: the key of the spec's `export`.
        directory: relative to the job directory.
        bytes: size of its files.
        examples: number of test examples that were decoded, by greedy search.
        near_ties: number of these whose ids part from the model's at a symbol whose log-probability is
            within 0.0001 of that of the model's own symbol; of all others every id is the same.
        sequences_per_second: test examples decoded per second by the runtime on the CPU, without loading.
        versions: package of the runtime -> its version.
    """

    format: ExportFormat
    directory: InnerPath
    bytes: Count
    examples: Count
    near_ties: Count
    sequences_per_second: Speed
    versions: dict[str, str] = field(default_factory=dict)
