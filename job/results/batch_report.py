"""`report.json`: the record of a batch, with its verdict and its summaries over seeds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from job.results.comparison_records import Comparison
from job.results.ensemble_records import EnsembleResult
from job.results.job_result import GateOutcome, JobResult
from job.results.reading import SCHEMA_VERSION, read_document
from job.results.sections import (
    JobName,
    Time,
)
from job.storage.documents import DocumentError


@dataclass(frozen=True)
class MetricOverSeeds:
    """A metric over the seeds of a job.

    Args:
        metric: name of the metric.
        values: one value for each seed, in the order of `SeedsSummary.seeds`; None if not measured.
        mean: mean of the measured values.
        deviation: sample standard deviation (n - 1); None for fewer than two values.
        low, high: 95 % confidence interval of the mean (Student's t), within the possible range of the
            metric; None for fewer than two values.
    """

    metric: str
    values: tuple[float | None, ...]
    mean: float
    deviation: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SeedsSummary:
    """The summary of a job with several `seeds`.

    Args:
        name: name of the job in the spec; each seed is a job of the batch, NAME-seed-SEED.
        seeds: seeds in the order of the spec.
        jobs: names of the seeds' jobs, in the same order.
        absent: names of those without a finished result in this report.
        gate_on: whether the gates apply to the `mean` over the seeds or to each seed (`min`).
        metrics: metrics over the seeds with a finished result.
        gates: outcomes of the gates on the mean; empty for `min`, and if a seed is absent.
        validation: metrics of the validation examples over the same seeds, by the names of the test's; empty
            in reports of earlier versions.
    """

    name: JobName
    seeds: tuple[int, ...]
    jobs: tuple[JobName, ...]
    absent: tuple[JobName, ...]
    gate_on: Literal["mean", "min"]
    metrics: tuple[MetricOverSeeds, ...]
    gates: tuple[GateOutcome, ...] = ()
    validation: tuple[MetricOverSeeds, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The verdict on a batch.

    Args:
        exit_code: exit code of the command.
        reasons: a sentence for each reason that it is not 0, the most urgent first.
    """

    exit_code: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class SetAside:
    """An earlier job directory that could not be used and was moved to `superseded/`.

    Args:
        job: name of the job.
        reason: why it could not be used, as a clause.
        place: its new path, relative to the output directory.
    """

    job: str
    reason: str
    place: str


@dataclass(frozen=True)
class Report:
    """`report.json`: the report of a batch.

    Args:
        started_at, finished_at: ISO 8601 in UTC.
        exit_code: exit code of the verdict.
        totals: number of jobs with each status, and of `missing` ones.
        jobs: results in the order of the plan.
        verdict: the verdict on the batch.
        missing: names of planned jobs without a result, in the order of the plan.
        schema_version: version of this format; adding keys does not change it.
        comparison: comparison with the baseline; None without a baseline.
        seeds: summaries of the jobs with several seeds, in the order of the plan.
        ensembles: ensembles of the jobs with `evaluation.ensemble`, in the order of the plan.
        unstarted: why the run ended before it had a plan (for example a wrong spec), in sentences; otherwise
            empty. Results in the output directory are then from earlier runs.
        running: whether the batch was still running when the report was written; its verdict is not final.
        set_aside: earlier job directories that could not be used.
        test_hidden: whether metrics of the test are left out, as in reports for people who still choose
            between variants; not in `report.json`.
        unusable: name of a job in `missing` -> why its recorded result cannot be used.
    """

    started_at: Time
    finished_at: Time
    exit_code: int
    totals: dict[str, int]
    jobs: tuple[JobResult, ...]
    verdict: Verdict
    missing: tuple[JobName, ...] = ()
    schema_version: int = SCHEMA_VERSION
    comparison: Comparison | None = None
    seeds: tuple[SeedsSummary, ...] = ()
    ensembles: tuple[EnsembleResult, ...] = ()
    unstarted: tuple[str, ...] = ()
    running: bool = False
    set_aside: tuple[SetAside, ...] = ()
    unusable: dict[str, str] = field(default_factory=dict)
    test_hidden: bool = False

    def to_json(self) -> str:
        """Return the text of `report.json`, which ends with a newline."""
        record = {**asdict(replace(self, jobs=())), "jobs": [job.to_record() for job in self.jobs]}
        del record["test_hidden"]
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read `report.json`.

        Raises:
            ValueError: the text is not a report of this `schema_version`.
        """
        report = read_document(_report_reader(), text)
        names = [*(job.name for job in report.jobs), *report.missing]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DocumentError(f"job {twice[0]} is there twice")
        return report


@cache
def _report_reader() -> TypeAdapter[Report]:
    return TypeAdapter(Report)
