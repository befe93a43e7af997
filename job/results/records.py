"""What a job and a batch leave behind: plain frozen dataclasses, to and from JSON."""

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
"""Statuses that training the same job again would give again."""


def _measured(values: Any) -> Any:
    """Return metrics or timings as read, without those that are null or not finite: they were not measured.

    What misses a metric says so: the gates, a comparison, the verdict.
    """
    if not isinstance(values, dict):
        return values
    return {k: v for k, v in values.items() if v is not None and not [*nonfinite_places(v)]}


Measured = Annotated[dict[str, float], BeforeValidator(_measured)]
"""Name -> finite value."""

_MEASURED_PLACE = re.compile(r"(jobs\[\d+\]\.)?(metrics|timings)\.")


Record = TypeVar("Record")


def _read(reader: TypeAdapter[Record], text: str | bytes) -> Record:
    """Read a JSON document that somebody else may have written; raises `DocumentError`, a `ValueError`."""
    value = parse_json(text, finite=False)
    found = value.get("schema_version", SCHEMA_VERSION) if isinstance(value, dict) else SCHEMA_VERSION
    if found != SCHEMA_VERSION:  # before what else it lacks is complained about
        raise DocumentError(f"schema_version is {str(found)[:60]}, this program reads {SCHEMA_VERSION}")
    for place in nonfinite_places(value):
        if not _MEASURED_PLACE.match(place):
            raise DocumentError(f"{place} is not a finite number")
    return validated(reader, value)


def validated(reader: TypeAdapter[Record], value: object) -> Record:
    """Return a record from JSON values; raises `DocumentError` with the key of the first that is wrong."""
    try:
        return reader.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(map(str, first["loc"]))[:100]
        message = first["msg"].removeprefix("Value error, ").splitlines()[0][:200]
        raise DocumentError(f"{key}: {message}" if key else message) from None


@dataclass(frozen=True)
class Progress:
    """Where training is, for whoever watches: `step` of `steps`, the last steps' mean loss and accuracy.

    Numbers have no accuracy.
    """

    step: int
    steps: int
    loss: float
    token_accuracy: float | None
    examples_per_second: float


UNKNOWN_CHARACTER = "\udfff"
"""Stands in `Prediction.scored` for a predicted unknown token: half of a surrogate pair, which no text
decoded from UTF-8 has. So it matches nothing."""


@dataclass(frozen=True)
class Prediction:
    """One evaluated example, as text: a line of `predictions.jsonl`.

    Args:
        id: of the example, the same in every run of the problem.
        source, target: what the model read and should have written: the data's own text, as the spec says
            that it is read. A token that the vocabulary lacks is there as the data has it.
        predicted: what the model wrote.
        correct: whether it wrote a reference target; None for numbers, which are near or far, not right or
            wrong. A prediction with an unknown token never is.
        references: every reference target where there are several, else empty and left out of the file.
        unknown: the stretches of `predicted`, first character and one past the last, where the model wrote
            the unknown token (`<unk>`); left out of the file where there are none. The data's own token of
            the same spelling is not among them.
        edits: the edit distance to the nearest reference target, in tokens, and how many tokens that has;
            only where nothing but the problem can split a target into tokens, else left out of the file.
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
        """Every reference target, at least one."""
        return self.references or (self.target,)

    @property
    def scored(self) -> str:
        """The text that metrics are computed from: `predicted` with `UNKNOWN_CHARACTER` for each unknown
        token."""
        text = self.predicted
        for first, last in reversed(self.unknown):
            text = text[:first] + UNKNOWN_CHARACTER + text[last:]
        return text

    @property
    def unknown_label(self) -> str:
        """How `predicted` writes an unknown token; empty where it has none."""
        return next((self.predicted[first:last] for first, last in self.unknown), "")

    def to_line(self) -> str:
        """Return the JSON object of one line, without the line end."""
        optional = ("references", "unknown", "edits")
        record = {k: v for k, v in vars(self).items() if v or k not in optional}
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str | bytes) -> Prediction:
        """Read one line of `predictions.jsonl`; raises `ValueError` for one that is none."""
        return validated(_prediction_reader(), parse_json(line))


@cache
def _prediction_reader() -> TypeAdapter[Prediction]:
    return TypeAdapter(Prediction)


@dataclass(frozen=True)
class Artifact:
    """A file that a job left.

    Args:
        path: relative to the job's directory.
        bytes: its size.
        sha256: its SHA-256 in hex.
    """

    path: InnerPath
    bytes: Positive
    sha256: str


QUOTED = "last lines of its log:"
"""How the first line of a message ends that quotes a log below."""


@dataclass(frozen=True)
class Failure:
    """Why a job failed.

    Args:
        type: the exception's class.
        message: its text, of any length.
        traceback_file: the file that holds the traceback, relative to the job's directory.
    """

    type: str
    message: str
    traceback_file: InnerPath | None = None

    @property
    def summary(self) -> str:
        """The class and the first line of the message, cut to 300 characters: fits into a sentence.

        Of a log that is quoted below that line it has the last line.
        """
        lines = [line.strip() for line in self.message.strip().splitlines() if line.strip()]
        first = lines[0] if lines else ""
        if len(lines) > 1 and first.endswith(QUOTED):
            first = f"{first.removesuffix(QUOTED)}last line of its log: {lines[-1]}"
        first = first if len(first) <= 300 else first[:299] + "…"
        return f"{self.type}: {first}" if first else self.type


@dataclass(frozen=True)
class GateOutcome:
    """One bar: cleared or not.

    Args:
        metric: its name, see `job.metrics`.
        bound: the bar; whether it is a least or a greatest value goes by the metric.
        value: None where the job did not get far enough to measure it.
        passed: whether the value cleared the bar.
        advice: where the value is so near the bar that chance could have it on the other side, how many
            examples or seeds would settle it.
        reason: why there is no value, as a clause, where the evaluation knew.
    """

    metric: str
    bound: float
    value: float | None
    passed: bool
    advice: str | None = None
    reason: str | None = None

    @property
    def shortfall(self) -> str:
        """How a bar that was not cleared was missed, as a clause; only for `passed=False`."""
        if self.value is None:
            why = f": {self.reason}" if self.reason else ""
            return f"{self.metric} was not measured (the bar is {self.bound:g}){why}"
        side = "below" if self.value < self.bound else "above"
        return f"{self.metric} is {_unlike(self.value, self.bound)}, {side} its bar of {self.bound:g}"


def _unlike(value: float, bound: float) -> str:
    """Write a value in as many digits as it takes to read differently from the bound it missed."""
    texts = (f"{value:.{digits}g}" for digits in range(6, 18))
    return next((text for text in texts if text != f"{bound:g}"), repr(value))


@dataclass(frozen=True)
class JobResult:
    """`result.json`: everything about one finished job.

    Args:
        name: the job's.
        status: `passed` and `gate_failed` jobs were trained and evaluated, the others were not.
        fingerprint: SHA-256 of the resolved spec, the data files and the versions that decide the result.
        seed: of everything random in the job.
        spec: the job's resolved spec.
        schema_version: of this form.
        metrics: name -> value; fractions are in 0..1.
        gates: the job's bars, in the spec's order.
        data: what it was trained and tested on, and what it took from that.
        timings: stages in seconds, speeds per second.
        peak_rss_bytes: the most memory that the job's process held.
        parameters: how many weights the model has.
        history: what `curves.svg` draws: columns of `history.csv` to six digits, as many values in each, None
            where a row has none.
        samples: the first of the test.
        analysis: where the model is right and wrong: `by_position`, `by_source_length`, `confusions`,
            `worst_mistakes`; empty for numbers.
        also: the same model at other sizes: `sizes`, `examples` and `metrics` of each.
        attention: of each sample its tokens and the weights of the source's for each that was predicted.
        artifacts: the files that the job left, by path.
        environment: versions, machine and commit.
        error: why the job failed or is unfinished; None for the others.
        attempts: how often the job was begun in one batch: more than once where a worker process was lost.
        problem_fingerprint: of what is learned and how it is tested, whatever the model: results that share
            it can be compared.
        speed_ranges: of speeds measured in parts, the range of most of the parts.
        reused: whether the job was done before this run; `result.json` does not have it.
        judged: whether gates of its own were applied to it: False for a job without gates, and for a run of
            one with `seeds` whose gates are on the mean. Such a job is `passed` once it is trained.
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
        """Whether the job was trained and evaluated. An error says that it was not, whatever the status."""
        return self.status in FINISHED and self.error is None

    def without_verdict(self) -> JobResult:
        """Return what was measured alone, without what judging adds: equal for one training, whoever judged
        it by whatever gates."""
        spec = {key: value for key, value in self.spec.items() if key not in ("gate", "seeds")}
        status: Status = "passed" if self.finished else self.status
        return replace(self, status=status, gates=(), judged=False, reused=False, spec=spec)

    @property
    def not_measured(self) -> dict[str, str]:
        """The metrics that are not defined for the job's test, and why, as clauses."""
        return self.data.not_measured

    def to_record(self) -> dict[str, Any]:
        """Return the JSON object of the result in a `report.json`."""
        return {**asdict(self), "data": self.data.to_record()}

    def to_json(self) -> str:
        """Return the text of `result.json`; ends with a line end."""
        record = self.to_record()
        del record["reused"]
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> JobResult:
        """Read `result.json`.

        Raises:
            ValueError: the text is no result, or one of another `schema_version`.
        """
        return _read(_result_reader(), text)


@cache
def _result_reader() -> TypeAdapter[JobResult]:
    """Made when it is needed, for it takes a tenth of a second."""
    return TypeAdapter(JobResult)


# --- against a baseline -------------------------------------------------------------------------------------

Change = Literal["regression", "improvement", "unchanged"]
ComparisonVerdict = Literal["regression", "improvement", "unchanged", "not_comparable", "new", "removed"]


@dataclass(frozen=True)
class MetricComparison:
    """A metric of a job, before and now.

    Args:
        metric: its name, see `job.metrics`.
        test: the statistical test's name.
        before, now: the metric over the examples that were compared.
        difference: `now` less `before`, in the metric's unit.
        p_value: how likely a change this large or larger in this direction is where nothing has changed.
        adjusted_p_value: the same, adjusted for all the tests of the batch (Holm 1979).
        alpha: a change is significant where the adjusted p-value is at most this.
        min_effect: the smallest change that counts, in the metric's unit.
        examples: how many were compared, on the smaller side.
        paired: whether they are the same on both sides.
        detail: the counts that the test is from, in words.
        change: what it comes to: significant and large enough, or `unchanged`.
        advice: of a change for the worse that is large enough but not significant, what would settle it.
        total_loss_p_value: the smallest p-value that a loss can have on these examples; None where it was not
            recorded.
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
    """An example that one side got right and the other did not; texts as in `predictions.jsonl`.

    Args:
        id: of the example.
        source, target: what was read, and what should have been written.
        before, now: what each side wrote.
    """

    id: str
    source: str
    target: str
    before: str
    now: str


@dataclass(frozen=True)
class SpeedComparison:
    """A speed of a job, before and now, on the same machine and versions.

    Args:
        metric: its name.
        before, now: per second.
        ratio: how many times slower it is: `before` over `now`.
        factor: from how many times slower on it counts.
        before_range, now_range: the range of most of the parts that were timed; None where it was one part.
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
    """A job held against its baseline.

    Args:
        name: the job's.
        verdict: of its metrics, or why there is nothing to compare.
        reason: a sentence that says the verdict.
        metrics: what was tested, the most important first.
        lost, won: examples that were right before and are wrong now, and the other way; the first of them.
        lost_count, won_count: how many there are.
        speed: what was timed on both sides; empty where machine or versions differ.
        speed_note: why speeds were not compared; empty where they were.
        speed_fails: whether a slower job is a regression (`gate.speed: fail`); else it is a warning.
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
    """A batch held against a baseline.

    Args:
        baseline: where it lies, as the user named it.
        baseline_finished_at: when its batch ended, ISO 8601 in UTC.
        baseline_commit: that it was made at, where that is known.
        jobs: in the batch's order, then those that only the baseline has.
    """

    baseline: str
    baseline_finished_at: Time
    baseline_commit: str | None
    jobs: tuple[JobComparison, ...]

    def to_json(self) -> str:
        """Return the same as JSON; ends with a line end."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


# --- several seeds ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MetricOverSeeds:
    """A metric of a job that was trained once a seed.

    Args:
        metric: its name.
        values: one a seed, in the order of `SeedsSummary.seeds`; None where there is none.
        mean, deviation: of the values that there are; the deviation is the sample's (n - 1).
        low, high: 95 % confidence interval of the mean (Student); as the deviation None below two values.
    """

    metric: str
    values: tuple[float | None, ...]
    mean: float
    deviation: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SeedsSummary:
    """What the runs of a job with `seeds` come to together.

    Args:
        name: the job's in the spec; each run is a job of the batch itself, NAME-seed-SEED.
        seeds: in the spec's order.
        jobs: the runs' names, in the same order.
        absent: names of the runs without a finished result in this report.
        gate_on: what the bars are held against: the `mean` over the seeds, or each seed (`min`).
        metrics: over the seeds that are there.
        gates: the bars on the mean; empty for `min`, and where a run is absent.
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
    """What a batch comes to.

    Args:
        exit_code: the command's.
        reasons: a sentence for each reason that it is not 0, most urgent first.
    """

    exit_code: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class SetAside:
    """What lay in the place of a job and could not be used: it was moved, whole.

    Args:
        job: the job's name.
        reason: why, as a clause.
        place: where it lies now, relative to the output directory.
    """

    job: str
    reason: str
    place: str


@dataclass(frozen=True)
class Report:
    """`report.json`: a batch.

    Args:
        started_at, finished_at: ISO 8601 in UTC.
        exit_code: the verdict's.
        totals: how many jobs there are of each status and how many are `missing`.
        jobs: the results, in the plan's order.
        verdict: what they come to.
        missing: names of planned jobs that have no result, in the plan's order.
        schema_version: of this form; one that only adds keys keeps its number.
        comparison: with the baseline; None where none was given.
        seeds: of the jobs that have `seeds`, in the plan's order.
        unstarted: why the run ended before it had a plan (a wrong spec, say), in sentences; empty for others.
            Results that are there are of earlier runs then.
        running: whether the batch was still running when the report was written: it is then no verdict.
        set_aside: what lay in the place of jobs and could not be used.
        unusable: by the name of a job in `missing`, why the result that is there cannot be used.
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
        """Return the text of `report.json`; ends with a line end."""
        record = {**asdict(replace(self, jobs=())), "jobs": [job.to_record() for job in self.jobs]}
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read `report.json`.

        Raises:
            ValueError: the text is no report, or one of another `schema_version`.
        """
        report = _read(_report_reader(), text)
        names = [*(job.name for job in report.jobs), *report.missing]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DocumentError(f"job {twice[0]} is there twice")
        return report


@cache
def _report_reader() -> TypeAdapter[Report]:
    return TypeAdapter(Report)
