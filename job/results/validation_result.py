"""The record of the decoded validation examples: the `validation` section of a result."""

from __future__ import annotations

from dataclasses import dataclass, field

from job.results.reading import Measured
from job.results.sections import Count


@dataclass(frozen=True, kw_only=True)
class ValidationResult:
    """The validation examples, decoded and scored as the test is, with the weights of the saved model.

    Variants are chosen by them, so that the test stays unseen until the choice is made. The examples are in
    `validation_predictions.jsonl`, in the form of `predictions.jsonl`.

    Args:
        examples: number of validation examples.
        metrics: metric -> value, by the names of the test's metrics.
        seen_in_training: number of validation sources that occur in the training data; null for numbers.
        signatures: metric -> the signature of the library that computed it.
        not_measured: metric -> the reason why it is not defined for these examples, as a clause.
        reason: why there are no validation examples, as a clause; empty if there are.
        fingerprint: SHA-256 of the examples' sources and reference targets, so that results with the same one
            can be compared; empty without examples, or for an earlier version.
    """

    examples: Count = 0
    metrics: Measured = field(default_factory=dict)
    seen_in_training: Count | None = None
    signatures: dict[str, str] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    fingerprint: str = ""
