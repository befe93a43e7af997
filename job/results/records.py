"""The records that a job and a batch leave: frozen dataclasses, written as JSON and read back."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from job.results.data_facts import DataFacts, DataSection
from job.results.finite_numbers import nonfinite_places
from job.results.sections import (
    AnalysisSection,
    AttentionSection,
    ElsewhereSection,
    EnvironmentSection,
    History,
    InnerPath,
    JobName,
    Positive,
    Probability,
    SpecSection,
    Time,
)
from job.storage.documents import DocumentError, parse_json

SCHEMA_VERSION = 1

Status = Literal["passed", "gate_failed", "failed", "interrupted"]
STATUSES: tuple[Status, ...] = ("passed", "gate_failed", "failed", "interrupted")
FINISHED: tuple[Status, ...] = ("passed", "gate_failed")
"""Statuses of jobs that were trained and evaluated; training them again would give the same result."""


def _measured(values: Any) -> Any:
    """Return metrics or timings without values that are null or not finite, which count as not measured.

    Gates, comparisons and the verdict report a metric that is missing.
    """
    if not isinstance(values, dict):
        return values
    return {k: v for k, v in values.items() if v is not None and not [*nonfinite_places(v)]}


Measured = Annotated[dict[str, float], BeforeValidator(_measured)]
"""Name -> finite value."""

_MEASURED_PLACE = re.compile(r"(jobs\[\d+\]\.)?(metrics|timings)\.")


Record = TypeVar("Record")


def _read(reader: TypeAdapter[Record], text: str | bytes) -> Record:
    """Parse and validate a JSON document of any origin; raises `DocumentError`, a `ValueError`."""
    value = parse_json(text, finite=False)
    found = value.get("schema_version", SCHEMA_VERSION) if isinstance(value, dict) else SCHEMA_VERSION
    if found != SCHEMA_VERSION:  # before what else it lacks is complained about
        raise DocumentError(f"schema_version is {str(found)[:60]}, this program reads {SCHEMA_VERSION}")
    for place in nonfinite_places(value):
        if not _MEASURED_PLACE.match(place):
            raise DocumentError(f"{place} is not a finite number")
    return validated(reader, value)


def validated(reader: TypeAdapter[Record], value: object) -> Record:
    """Return the record of JSON values; raises `DocumentError` with the key of the first wrong value."""
    try:
        return reader.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(map(str, first["loc"]))[:100]
        message = first["msg"].removeprefix("Value error, ").splitlines()[0][:200]
        raise DocumentError(f"{key}: {message}" if key else message) from None


@dataclass(frozen=True)
class Progress:
    """Progress of training: `step` of `steps`, with mean loss and token accuracy of the last steps.

    Time series have no accuracy.
    """

    step: int
    steps: int
    loss: float
    token_accuracy: float | None
    examples_per_second: float


UNKNOWN_CHARACTER = "\udfff"
"""The character for a predicted unknown token in `Prediction.scored`: half of a surrogate pair. No text that
was decoded from UTF-8 has one, so it never matches."""


@dataclass(frozen=True)
class Prediction:
    """One evaluated example, as text: a line of `predictions.jsonl`.

    Args:
        id: of the example, the same in every run of the problem.
        source, target: the source and the first reference target: the data's own text after the normalization
            of the spec, with the tokens that the vocabulary does not have.
        predicted: the predicted target.
        correct: whether the prediction equals a reference target; None for time series. A prediction with an
            unknown token is never correct.
        references: all reference targets if there are several; otherwise empty and not in the file.
        unknown: spans of `predicted` (first character, one past the last) that are a predicted unknown token,
            written `<unk>`; not in the file if there are none. A data token of that spelling has no span.
        edits: edit distance to the nearest reference target and that target's length, both in tokens; only if
            nothing but the problem can split a target into tokens, otherwise not in the file.
    """

    id: str
    source: str
    target: str
    predicted: str
    correct: bool | None
    references: tuple[str, ...] = ()
    unknown: tuple[tuple[int, int], ...] = ()
    edits: tuple[int, int] | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """All reference targets, at least one."""
        return self.references or (self.target,)

    @property
    def scored(self) -> str:
        """The text to score: `predicted` with `UNKNOWN_CHARACTER` in place of unknown tokens."""
        text = self.predicted
        for first, last in reversed(self.unknown):
            text = text[:first] + UNKNOWN_CHARACTER + text[last:]
        return text

    @property
    def unknown_label(self) -> str:
        """The text of an unknown token in `predicted`; empty if there is none."""
        return next((self.predicted[first:last] for first, last in self.unknown), "")

    def to_line(self) -> str:
        """Return the JSON object of one line, without the newline."""
        optional = ("references", "unknown", "edits")
        record = {k: v for k, v in vars(self).items() if v or k not in optional}
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str | bytes) -> Prediction:
        """Return the prediction of a line of `predictions.jsonl`; raises `ValueError` if it is invalid."""
        return validated(_prediction_reader(), parse_json(line))


@cache
def _prediction_reader() -> TypeAdapter[Prediction]:
    return TypeAdapter(Prediction)


@dataclass(frozen=True)
class Artifact:
    """A file in a job directory.

    Args:
        path: relative to the job directory.
        bytes: size.
        sha256: SHA-256 in hex.
    """

    path: InnerPath
    bytes: Positive
    sha256: str


QUOTED = "last lines of its log:"
"""End of the first line of a message that quotes a log below it."""


@dataclass(frozen=True)
class Failure:
    """The reason why a job failed or was interrupted.

    Args:
        type: class of the exception.
        message: text of the exception, of any length.
        traceback_file: file that contains the traceback, relative to the job directory.
    """

    type: str
    message: str
    traceback_file: InnerPath | None = None

    @property
    def summary(self) -> str:
        """The class and the first line of the message, at most 300 characters, for use in a sentence.

        If a log is quoted below that line, the summary has the last line of the log.
        """
        lines = [line.strip() for line in self.message.strip().splitlines() if line.strip()]
        first = lines[0] if lines else ""
        if len(lines) > 1 and first.endswith(QUOTED):
            first = f"{first.removesuffix(QUOTED)}last line of its log: {lines[-1]}"
        first = first if len(first) <= 300 else first[:299] + "…"
        return f"{self.type}: {first}" if first else self.type


@dataclass(frozen=True)
class GateOutcome:
    """The outcome of one gate.

    Args:
        metric: name of the metric, see `job.metrics`.
        bound: threshold; a minimum or a maximum, depending on the metric.
        value: the measured value; None if the metric was not measured.
        passed: whether the value satisfies the threshold.
        advice: if the value is within sampling error of the threshold, how many test examples or seeds would
            decide it.
        reason: why the metric was not measured, as a clause, if known.
    """

    metric: str
    bound: float
    value: float | None
    passed: bool
    advice: str | None = None
    reason: str | None = None

    @property
    def shortfall(self) -> str:
        """A clause that says how the threshold was missed; only for `passed=False`."""
        if self.value is None:
            why = f": {self.reason}" if self.reason else ""
            return f"{self.metric} was not measured (its threshold is {self.bound:g}){why}"
        side = "below" if self.value < self.bound else "above"
        return f"{self.metric} is {_unlike(self.value, self.bound)}, {side} its threshold of {self.bound:g}"


def _unlike(value: float, bound: float) -> str:
    """Format a value with enough digits to read differently from the threshold it missed."""
    texts = (f"{value:.{digits}g}" for digits in range(6, 18))
    return next((text for text in texts if text != f"{bound:g}"), repr(value))


@dataclass(frozen=True)
class JobResult:
    """`result.json`: the result of one job.

    Args:
        name: name of the job.
        status: `passed` and `gate_failed` jobs were trained and evaluated, the others were not.
        fingerprint: SHA-256 of the resolved spec, the data files and the versions that determine the result.
        seed: seed of everything random in the job.
        spec: resolved spec of the job.
        schema_version: version of this format.
        metrics: metric name -> value; fractions are in 0..1.
        gates: outcomes of the job's gates, in the order of the spec.
        data: facts of the data, the training and the test.
        timings: durations of the stages in seconds, speeds per second.
        peak_rss_bytes: peak resident memory of the job's process.
        parameters: number of weights of the model.
        history: columns of `history.csv` with six digits; None if a row has no value.
        samples: predictions of the first test examples.
        analysis: `by_position`, `by_source_length`, `confusions` and `worst_mistakes`; empty for time series.
        also: the same model at other sizes: `sizes`, `examples` and `metrics` of each.
        attention: tokens and attention weights of each sample.
        artifacts: files of the job directory, ordered by path.
        environment: versions, machine and commit.
        error: why the job failed or is unfinished; None for finished jobs.
        attempts: number of times the job was started in one batch; more than 1 if a worker process was lost.
        problem_fingerprint: SHA-256 of the problem and its test, without the model; results with the same one
            can be compared.
        speed_ranges: for speeds measured in parts, the range of the middle 80 % of the parts.
        reused: whether the result is from an earlier run; not in `result.json`.
        judged: whether gates of its own were applied: False for a job without gates, and for a seed of a job
            with gates on the mean. Such a job is `passed` once it is trained.
    """

    name: JobName
    status: Status
    fingerprint: str
    seed: int
    spec: SpecSection
    schema_version: int = SCHEMA_VERSION
    metrics: Measured = field(default_factory=dict)
    gates: tuple[GateOutcome, ...] = ()
    data: DataSection = field(default_factory=DataFacts)
    timings: Measured = field(default_factory=dict)
    peak_rss_bytes: int = 0
    parameters: int = 0
    history: History = field(default_factory=dict)
    samples: tuple[Prediction, ...] = ()
    analysis: AnalysisSection = field(default_factory=dict)
    also: tuple[ElsewhereSection, ...] = ()
    attention: tuple[AttentionSection, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    environment: EnvironmentSection = field(default_factory=dict)
    error: Failure | None = None
    attempts: int = 1
    problem_fingerprint: str = ""
    speed_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    reused: bool = False
    judged: bool = False

    @property
    def finished(self) -> bool:
        """Whether the job was trained and evaluated; never true with an error, whatever the status."""
        return self.status in FINISHED and self.error is None

    def without_verdict(self) -> JobResult:
        """Return the result without its verdict: equal for the same training, whatever gates judged it."""
        spec = {key: value for key, value in self.spec.items() if key not in ("gate", "seeds")}
        status: Status = "passed" if self.finished else self.status
        return replace(self, status=status, gates=(), judged=False, reused=False, spec=spec)

    @property
    def not_measured(self) -> dict[str, str]:
        """Metrics that are not defined for the job's test -> the reason, as a clause."""
        return self.data.not_measured

    def to_record(self) -> dict[str, Any]:
        """Return the JSON object of the result in a `report.json`."""
        return {**asdict(self), "data": self.data.to_record()}

    def to_json(self) -> str:
        """Return the text of `result.json`, which ends with a newline."""
        record = self.to_record()
        del record["reused"]
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> JobResult:
        """Read `result.json`.

        Raises:
            ValueError: the text is not a result of this `schema_version`.
        """
        return _read(_result_reader(), text)


@cache
def _result_reader() -> TypeAdapter[JobResult]:
    """Return the validator, built on first use: building it takes 0.1 s."""
    return TypeAdapter(JobResult)


# --- against a baseline -------------------------------------------------------------------------------------

Change = Literal["regression", "improvement", "unchanged"]
ComparisonVerdict = Literal["regression", "improvement", "unchanged", "not_comparable", "new", "removed"]


@dataclass(frozen=True)
class MetricComparison:
    """A metric of a job in the baseline (`before`) and in the candidate (`now`).

    Args:
        metric: name of the metric, see `job.metrics`.
        test: name of the statistical test.
        before, now: the metric over the compared examples.
        difference: `now` minus `before`, in the metric's unit.
        p_value: probability of a change at least this large in this direction if nothing has changed.
        adjusted_p_value: the p-value adjusted for all tests of the batch (Holm 1979).
        alpha: significance level for the adjusted p-value.
        min_effect: the smallest change that counts, in the metric's unit.
        examples: number of compared examples, on the smaller side.
        paired: whether both sides have the same examples.
        detail: the counts behind the test, in words.
        change: `regression` or `improvement` if significant and large enough, otherwise `unchanged`.
        advice: for a change for the worse that is large enough but not significant, what would decide it.
        total_loss_p_value: the smallest p-value that a loss can have on these examples; None if not recorded.
    """

    metric: str
    test: str
    before: float
    now: float
    difference: float
    p_value: Probability
    adjusted_p_value: Probability
    alpha: Probability
    min_effect: float
    examples: Positive
    paired: bool
    detail: str
    change: Change = "unchanged"
    advice: str | None = None
    total_loss_p_value: float | None = None


@dataclass(frozen=True)
class FlippedExample:
    """An example that only one side predicted correctly; texts as in `predictions.jsonl`.

    Args:
        id: id of the example.
        source, target: source and reference target.
        before, now: predictions of the baseline and of the candidate.
    """

    id: str
    source: str
    target: str
    before: str
    now: str


@dataclass(frozen=True)
class SpeedComparison:
    """A speed of a job in the baseline and in the candidate, on the same machine and versions.

    Args:
        metric: name of the speed.
        before, now: per second.
        ratio: `before` divided by `now`: how many times slower the candidate is.
        factor: the ratio from which a slower speed counts.
        before_range, now_range: range of the middle 80 % of the timed parts; None if there was one part.
        slower: whether it counts: slower by the factor, and the ranges do not overlap.
    """

    metric: str
    before: float
    now: float
    ratio: float
    factor: float
    before_range: tuple[float, float] | None
    now_range: tuple[float, float] | None
    slower: bool


@dataclass(frozen=True)
class JobComparison:
    """A job compared with its baseline.

    Args:
        name: name of the job.
        verdict: verdict on its metrics, or why they cannot be compared.
        reason: the verdict as a sentence.
        metrics: the tested metrics, the most important first.
        lost, won: the first examples that only the baseline, or only the candidate, predicted correctly.
        lost_count, won_count: number of such examples.
        speed: speeds that both sides measured; empty if machine or versions differ.
        speed_note: why speeds were not compared; empty if they were.
        speed_fails: whether a slower job is a regression (`gate.speed: fail`) or a warning.
    """

    name: JobName
    verdict: ComparisonVerdict
    reason: str
    metrics: tuple[MetricComparison, ...] = ()
    lost: tuple[FlippedExample, ...] = ()
    won: tuple[FlippedExample, ...] = ()
    lost_count: int = 0
    won_count: int = 0
    speed: tuple[SpeedComparison, ...] = ()
    speed_note: str = ""
    speed_fails: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """A clause for each speed that counts as slower."""
        return tuple(
            f"{speed.metric} is {speed.now:,.0f}, {speed.ratio:.2f} times slower than {speed.before:,.0f}"
            for speed in self.speed
            if speed.slower
        )


@dataclass(frozen=True)
class Comparison:
    """A batch compared with a baseline.

    Args:
        baseline: path of the baseline as the user gave it.
        baseline_finished_at: when the baseline's batch ended, ISO 8601 in UTC.
        baseline_commit: commit of the baseline, if known.
        jobs: the batch's jobs in its order, then jobs that only the baseline has.
    """

    baseline: str
    baseline_finished_at: Time
    baseline_commit: str | None
    jobs: tuple[JobComparison, ...]

    def to_json(self) -> str:
        """Return the comparison as JSON text that ends with a newline."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


# --- several seeds ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MetricOverSeeds:
    """A metric over the seeds of a job.

    Args:
        metric: name of the metric.
        values: one value for each seed, in the order of `SeedsSummary.seeds`; None if not measured.
        mean: mean of the measured values.
        deviation: sample standard deviation (n - 1); None for fewer than two values.
        low, high: 95 % confidence interval of the mean (Student's t); None for fewer than two values.
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
    """

    name: JobName
    seeds: tuple[int, ...]
    jobs: tuple[JobName, ...]
    absent: tuple[JobName, ...]
    gate_on: Literal["mean", "min"]
    metrics: tuple[MetricOverSeeds, ...]
    gates: tuple[GateOutcome, ...] = ()


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
        unstarted: why the run ended before it had a plan (for example a wrong spec), in sentences; otherwise
            empty. Results in the output directory are then from earlier runs.
        running: whether the batch was still running when the report was written; its verdict is not final.
        set_aside: earlier job directories that could not be used.
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
    unstarted: tuple[str, ...] = ()
    running: bool = False
    set_aside: tuple[SetAside, ...] = ()
    unusable: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of `report.json`, which ends with a newline."""
        record = {**asdict(replace(self, jobs=())), "jobs": [job.to_record() for job in self.jobs]}
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read `report.json`.

        Raises:
            ValueError: the text is not a report of this `schema_version`.
        """
        report = _read(_report_reader(), text)
        names = [*(job.name for job in report.jobs), *report.missing]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DocumentError(f"job {twice[0]} is there twice")
        return report


@cache
def _report_reader() -> TypeAdapter[Report]:
    return TypeAdapter(Report)
