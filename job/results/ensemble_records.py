"""The records of an ensemble: `ensemble.json`, which names its models, and `result.json`, beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, TypeAdapter

from job.results.reading import SCHEMA_VERSION, read_document
from job.results.sections import JobName, Positive, Probability


def _relative(path: str) -> str:
    if PurePosixPath(path).is_absolute():
        raise ValueError("a path that is not relative")
    return path


RelativePath = Annotated[str, AfterValidator(_relative)]


@dataclass(frozen=True, kw_only=True)
class EnsembleMember:
    """A model of an ensemble.

    Args:
        name: name of its job.
        fingerprint: the job's evaluation fingerprint.
        directory: the job directory, relative to the ensemble's.
        files: path in the job directory -> SHA-256 in hex, for the files of the model and the predictions.
    """

    name: JobName
    fingerprint: str
    directory: RelativePath
    files: dict[RelativePath, str]


@dataclass(frozen=True, kw_only=True)
class EnsembleModels:
    """`ensemble.json`: the models that decode together.

    Args:
        members: the models, in the order of the job's seeds.
        schema_version: version of this format.
    """

    members: tuple[EnsembleMember, ...]
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> EnsembleModels:
        """Read the file; raises `ValueError` if the text is not an ensemble of this `schema_version`."""
        models = read_document(_models_reader(), text)
        if not models.members:
            raise ValueError("an ensemble without members")
        return models


@dataclass(frozen=True, kw_only=True)
class EnsembleMetric:
    """A metric of an ensemble and of its single models, on the same test examples.

    Args:
        metric: name of the metric, see `job.metrics`.
        value: of the ensemble.
        singles: of each single model, in the order of the members.
        mean: mean of the single models.
        best: of the best single model by this metric.
        best_job: name of its job.
        gain_over_mean, gain_over_best: difference between the ensemble and the mean, or the best, of the
            single models, in the metric's unit; positive if the ensemble is better, whichever direction the
            metric has.
        p_value_over_mean, p_value_over_best: two-sided probability of a difference at least this large
            if there were none (paired bootstrap of the examples); None for a metric without a test.
    """

    metric: str
    value: float
    singles: tuple[float, ...]
    mean: float
    best: float
    best_job: JobName
    gain_over_mean: float
    gain_over_best: float
    p_value_over_mean: Probability | None = None
    p_value_over_best: Probability | None = None


EnsembleStatus = Literal["computed", "failed", "waiting"]


@dataclass(frozen=True, kw_only=True)
class EnsembleResult:
    """The ensemble of a job with `seeds` and `evaluation.ensemble`; `ensembles/NAME/result.json`.

    Args:
        name: name of the job in the spec.
        members: names of the jobs of its seeds, in the spec's order.
        status: `computed`; `failed`, if a member has no finished result or decoding failed; `waiting`, if
            members are not finished and a later run, another shard or the command `report` computes it.
        reason: why it is not computed, as a clause; empty if it is.
        fingerprint: SHA-256 of the members' evaluation fingerprints and files: what determines the result.
        examples: number of test examples.
        test_of: name of the member whose test examples are used; the same for all unless they are generated.
        metrics: the ensemble's metrics beside those of the single models.
        signatures: metric -> the signature of the library that computed it.
        not_measured: metric -> why it has no value, as a clause.
        decode_seconds: time of decoding the test with all models together, compilation excluded; if several
            processes have shared it, the sum of their times.
        files: name of a file in the ensemble's directory -> SHA-256 in hex.
        schema_version: version of this format.
        reused: whether the result is from an earlier run; not in `result.json`.
    """

    name: JobName
    members: tuple[JobName, ...]
    status: EnsembleStatus
    reason: str = ""
    fingerprint: str = ""
    examples: Positive = 0
    test_of: str = ""
    metrics: tuple[EnsembleMetric, ...] = ()
    signatures: dict[str, str] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    decode_seconds: float = 0.0
    files: dict[RelativePath, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    reused: bool = False

    def to_json(self) -> str:
        """Return the text of `result.json`, which ends with a newline."""
        record = asdict(self)
        del record["reused"]
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> EnsembleResult:
        """Read `result.json`; raises `ValueError` if it is not a result of this `schema_version`."""
        return read_document(_result_reader(), text)


@cache
def _models_reader() -> TypeAdapter[EnsembleModels]:
    return TypeAdapter(EnsembleModels)


@cache
def _result_reader() -> TypeAdapter[EnsembleResult]:
    return TypeAdapter(EnsembleResult)
