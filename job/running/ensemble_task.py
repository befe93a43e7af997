"""The task of decoding a test set with several models together, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from job.results.predictions import Prediction
from job.spec.schema import JobSpec


@dataclass(frozen=True, kw_only=True)
class EnsembleTask:
    """An ensemble to decode.

    Args:
        name: name of the job in the spec, whose seeds are the members.
        job: resolved spec of the first member; all have the same evaluation section.
        members: name of each member -> its job directory, in the order of the seeds.
        test: file with the predictions of a member, whose examples are decoded.
        decoded_alone: names of the members that decode these examples alone too: their own test has others.
        log: file for the output of the process.
        parts: directory by whose files several processes share the decoding, see `SharedParts`; None for one
            process alone.
        threads: see `job.running.task.Task`.
    """

    name: str
    job: JobSpec
    members: dict[str, Path]
    test: Path
    decoded_alone: tuple[str, ...]
    log: Path
    parts: Path | None = None
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """A decoded and scored test set.

    Args:
        predictions: one for each example.
        metrics: metric -> value.
        signatures: metric -> the signature of the library that computed it.
        not_measured: metric -> the reason why it is not defined for these examples, as a clause.
        seconds: time of decoding once compiled, summed over the processes.
    """

    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]
    signatures: dict[str, str]
    not_measured: dict[str, str]
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DecodedEnsemble:
    """What decoding an ensemble gave.

    Args:
        together: by all members together.
        alone: name of a member of `EnsembleTask.decoded_alone` -> by this one.
    """

    together: Decoding
    alone: dict[str, Decoding]
