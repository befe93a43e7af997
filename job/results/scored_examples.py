"""The test examples that a job is measured on: their number and the fingerprint of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from job.results.data_facts import DataFacts
from job.results.predictions import Prediction

ExampleTexts = tuple[str, Sequence[str]]
"""The source of an example and its reference targets, as in `predictions.jsonl`."""


def fingerprint_examples(examples: Iterable[ExampleTexts], separator: str | None) -> str:
    """Return the SHA-256, in hex, of test examples in their order.

    Predictions for examples with the same fingerprint can be compared, whatever the model was trained on.

    Args:
        examples: the test examples.
        separator: what joins the tokens of a target, on which scores of tokens depend; None if the separator
            alone does not determine them, and for numbers.
    """
    digest = hashlib.sha256(json.dumps({"separator": separator}).encode())
    for source, targets in examples:
        digest.update(json.dumps([source, *targets]).encode() + b"\n")
    return digest.hexdigest()


def fingerprint_predictions(predictions: Iterable[Prediction], data: DataFacts) -> str:
    """Return the fingerprint of the examples that predictions are for.

    Args:
        predictions: of the job, in the order of its test.
        data: facts of the job's data.
    """
    separator = data.separators.target if data.separators else None
    return fingerprint_examples(((each.source, each.targets) for each in predictions), separator)


@dataclass(frozen=True, kw_only=True)
class ScoredExamples:
    """The test examples of a job.

    Args:
        count: how many there are.
        fingerprint: of all of them, see `fingerprint_examples`; empty if it is not known.
        fingerprint_first: returns the fingerprint of the first `n` of them; empty if it cannot be known.
    """

    count: int
    fingerprint: str
    fingerprint_first: Callable[[int], str]

    def same_as(self, other: ScoredExamples) -> bool:
        """Return whether both have the same examples, or the longer one begins with those of the other."""
        if not self.fingerprint or not other.fingerprint:
            return False
        if self.count == other.count:
            return self.fingerprint == other.fingerprint
        fewest = min(self.count, other.count)
        ours, theirs = (each._first(fewest) for each in (self, other))
        return ours == theirs != ""

    def _first(self, count: int) -> str:
        return self.fingerprint if count == self.count else self.fingerprint_first(count)
