"""A job's result -> its section of `report.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from job.metrics import METRICS
from job.reports.escaping import code, fenced, prose
from job.reports.findings import findings, picture
from job.reports.formatting import (
    bar,
    measured,
    metric_names,
    origin,
    outcome_words,
    percent,
    plain,
    quantity,
)
from job.reports.markup import table
from job.results.data_facts import DataFacts, TokenCounts
from job.results.records import Failure, GateOutcome, JobResult, Prediction


def section(result: JobResult) -> str:
    """Return all that is said of a job."""
    problem, training = result.spec.get("problem", {}), result.spec.get("training", {})
    blocks = [
        *_head(result),
        _facts({"problem": problem, "model": result.spec.get("model", {}), "training": training}),
        *_data(result),
        *_metrics(result),
        *_timings(result),
        *_curves(result),
        *_samples(result.samples),
        *findings(result),
    ]
    return "\n\n".join(filter(None, blocks))


def brief_section(result: JobResult) -> str:
    """Return the least that is said of a job: how it ended, and its metrics."""
    return "\n\n".join([*_head(result), *_metrics(result)])


def _head(result: JobResult) -> Iterator[str]:
    yield f"## {code(result.name)}: {outcome_words(result)}"
    yield f"Fingerprint {code(result.fingerprint)}, seed {result.seed}, {origin(result)}."
    if result.error:
        yield _error(result, result.error)


def _error(result: JobResult, error: Failure) -> str:
    if result.status == "interrupted":
        return f"Not finished: {prose(error.message)}."
    file = error.traceback_file
    where = f"\n\nTraceback: {code(f'jobs/{result.name}/{file}')}" if file else ""
    tried = f", in the last of {result.attempts} attempts" if result.attempts > 1 else ""
    return f"Failed with {code(error.type)}{tried}:\n\n{fenced(error.message)}{where}"


def _facts(sections: Mapping[str, Mapping[str, Any]]) -> str:
    return "\n".join(f"- {title}: {_settings(keys)}" for title, keys in sections.items() if keys)


def _settings(keys: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{prose(key)} {code(setting(value))}" for key, value in keys.items() if value is not None
    )


def setting(value: Any) -> str:
    """Return a value of a spec as text: strings as they are, others as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _data(result: JobResult) -> Iterator[str]:
    yield from course(result)
    yield from map(prose, not_measured(result))
    if others := other_data(result):
        yield f"Data: {_settings(others)}."


def course(result: JobResult) -> Iterator[str]:
    """Yield a sentence on each part of what was done, without markup."""
    data = result.data
    if None not in (data.train_examples, data.epochs, data.steps, data.stopped_early):
        yield _training(data)
    if data.test_examples is not None and data.seen_in_training is not None:
        yield _overlap(data.test_examples, data.seen_in_training, data.source_space)
    elif data.test_examples is not None and "rmse" in result.metrics:
        yield (
            f"Evaluated on {data.test_examples:,} windows, walking forward: each value is forecast from "
            "what truly came before."
        )
    if data.test_tokens is not None and data.unknown_tokens is not None:
        yield _unknown(data.test_tokens, data.unknown_tokens)


def not_measured(result: JobResult) -> Iterator[str]:
    """Yield a sentence for each metric that is not defined for the job's test, without markup."""
    for name, reason in result.not_measured.items():
        yield f"No {plain(name)}: {reason}."


def other_data(result: JobResult) -> dict[str, Any]:
    """Return the entries of the problem's description that its spec does not have."""
    problem = result.spec.get("problem", {})
    return {k: v for k, v in result.data.problem.items() if problem.get(k) != v}


def _training(data: DataFacts) -> str:
    early = ", stopped early" if data.stopped_early else ""
    best = f"; the weights are those of epoch {data.best_epoch}" if data.best_epoch else ""
    epochs = "1 epoch" if data.epochs == 1 else f"{data.epochs:,} epochs"
    went_on = data.resumed_from_step
    return f"Trained on {data.train_examples:,} examples in {epochs}, {data.steps:,} steps{early}{best}." + (
        f" It was cut off, and went on from step {went_on:,}." if went_on else ""
    )


def _overlap(tested: int, seen: int, space: int | None) -> str:
    """Say how much of the test a model could have learned by heart."""
    share = seen / tested if tested else 0.0
    text = (
        f"Evaluated on {tested:,} test sources; {seen:,} of them ({percent(share)}) also stood in training."
    )
    if space is None:
        return text
    if share < 0.01:
        return f"{text} There are {space:,} different sources."
    return (
        f"{text} There are only {space:,} different sources, so right answers may be remembered ones: "
        "unseen sequence accuracy counts the others alone."
    )


def _unknown(tokens: TokenCounts, unknown: TokenCounts) -> str:
    """Say how many tokens of each side the vocabularies lack."""
    sides = {"source": "source", "target": "reference target", "predicted": "predicted"}
    counts = (
        f"{getattr(unknown, side):,} of {getattr(tokens, side):,} {name} tokens"
        for side, name in sides.items()
    )
    return f"Unknown to the vocabulary: {', '.join(counts)}."


def metrics_and_gates(
    result: JobResult,
) -> Iterator[tuple[str, float | None, GateOutcome | None]]:
    """Yield a job's metrics, then other gates: name, value and gate; a value is None where it was not
    measured, a gate where there is none."""
    bars = {outcome.metric: outcome for outcome in result.gates}
    for name in dict.fromkeys([*metric_names([result]), *bars]):
        outcome = bars.get(name)
        yield name, result.metrics.get(name, outcome.value if outcome else None), outcome


def _metrics(result: JobResult) -> Iterator[str]:
    rows = []
    for name, value, outcome in metrics_and_gates(result):
        rows.append(
            [
                prose(plain(name)),
                shown(result, name, value, absent="not measured"),
                bar(outcome) if outcome else "",
                "" if outcome is None else "cleared" if outcome.passed else "**missed**",
                _meaning(name, result.data.signatures),
            ]
        )
    if rows:
        yield table(["metric", "value", "gate", "", "meaning"], rows, "lrlll")


def _meaning(name: str, signatures: Mapping[str, str]) -> str:
    description = METRICS[name].description if name in METRICS else ""
    return f"{description} Signature: {code(signatures[name])}" if name in signatures else description


def _curves(result: JobResult) -> Iterator[str]:
    subject = "Loss" if "rmse" in result.metrics else "Loss and accuracy"
    yield from picture(result, "curves.svg", f"{subject} of {result.name} over training")


def _samples(samples: Sequence[Prediction]) -> Iterator[str]:
    rows = [
        [
            code(sample.source),
            " or ".join(map(code, sample.targets)),
            code(sample.predicted),
            "" if sample.correct is None else "right" if sample.correct else "**wrong**",
        ]
        for sample in samples
    ]
    if rows:
        yield "### Samples"
        yield table(["source", "target", "predicted", ""], rows, "llll")


def _timings(result: JobResult) -> Iterator[str]:
    rows = [[prose(plain(name)), quantity(name, value)] for name, value in result.timings.items()]
    if result.peak_rss_bytes:
        rows.append(["peak memory", f"{result.peak_rss_bytes / 2**20:,.0f} MiB"])
    if rows:
        yield table(["timing", "value"], rows, "lr")


def shown(result: JobResult, name: str, value: float | None, *, absent: str) -> str:
    """Return a metric of a job as Markdown, `absent` where there is none."""
    return absent if value is None else prose(measured(result, name, value))
