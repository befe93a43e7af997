"""The record of a model's export for another runtime: the `exports` of a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from job.results.reading import Measured
from job.results.sections import Count, InnerPath

ExportFormat = Literal["saved_model", "onnx", "onnx_int8"]

Speed = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class Approximation:
    """How the predictions of an export with less exact weights compare with those of its model.

    Args:
        differing: number of test examples for which the two predict something else.
        metrics: of the export's predictions of the test examples.
        model_metrics: of the model's own predictions, by greedy search too.
    """

    differing: Count
    metrics: Measured
    model_metrics: Measured


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """An export that its own runtime has loaded, and that predicts what the model predicts.

    With `approximation` it may predict something else, and was scored by itself.

    Args:
        format: the key of the spec's `export`.
        directory: relative to the job directory.
        bytes: size of its files.
        examples: number of test examples that were decoded, by greedy search.
        near_ties: number of these whose ids part from the model's at a symbol whose log-probability is
            within 0.0001 of that of the model's own symbol; of all others every id is the same.
        sequences_per_second: test examples decoded per second by the runtime on the CPU, without loading.
        versions: package of the runtime -> its version.
        approximation: of an export whose weights are less exact than the model's, which has no near ties;
            None for all others.
    """

    format: ExportFormat
    directory: InnerPath
    bytes: Count
    examples: Count
    near_ties: Count
    sequences_per_second: Speed
    versions: dict[str, str] = field(default_factory=dict)
    approximation: Approximation | None = None
