"""A report -> `report.md`, GitHub-flavoured Markdown: the verdict, a table of jobs, a section a job.

What comes from outside (sequences, error messages, file names) is escaped, so that it reads as it is and can
neither break a table nor bring markup or HTML along.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from job.reports.wording import (
    bar,
    counts,
    gates,
    headline,
    measured,
    metric_names,
    origin,
    percent,
    plain,
    quantity,
    seconds,
    shortened,
    visible,
)
from job.results import Failure, JobResult, Prediction, Report
from job.spec.metrics import METRICS

_MARKUP = re.compile(r"[^\w\s+,.;/%=-]|_")
# keys of a result's `data` that are put into sentences
_TRAINED = {"train_examples", "epochs", "steps", "stopped_early", "best_epoch"}
_RESUMED = {"resumed_from_step"}
_TESTED = {"test_examples", "seen_in_training", "source_space"}


def markdown(report: Report) -> str:
    """Return the file's text."""
    sections = [_verdict(report), *([_jobs(report)] if report.jobs or report.missing else [])]
    sections += [_job(result) for result in report.jobs]
    return "\n\n".join(sections) + "\n"


def _verdict(report: Report) -> str:
    lines = [f"# {headline(report)}", ""]
    lines += [f"- {prose(reason)}" for reason in report.verdict.reasons]
    lines += [""] if report.verdict.reasons else []
    lines.append(f"{counts(report)}. Started {report.started_at}, finished {report.finished_at}.")
    return "\n".join(lines)


def _jobs(report: Report) -> str:
    metrics = metric_names(report.jobs)
    columns = ["job", "status", *map(plain, metrics), "gates", "parameters", "training", "done"]
    rows = [_job_row(result, metrics) for result in report.jobs]
    blank = [""] * (len(columns) - 2)
    rows += [[code(name), "**missing**", *blank] for name in report.missing]
    return _table(columns, rows, "ll" + "r" * len(metrics) + "lrrl")


def _job_row(result: JobResult, metrics: Sequence[str]) -> list[str]:
    status = plain(result.status) if result.status == "passed" else f"**{plain(result.status)}**"
    trained = result.timings.get("train_seconds")
    return [
        code(result.name),
        status,
        *(_measured(result, name, result.metrics.get(name), absent="") for name in metrics),
        gates(result),
        f"{result.parameters:,}" if result.parameters else "",
        "" if trained is None else seconds(trained),
        origin(result),
    ]


# --- a job's section ----------------------------------------------------------------------------------------


def _job(result: JobResult) -> str:
    problem, training = result.spec.get("problem", {}), result.spec.get("training", {})
    blocks = [
        f"## {code(result.name)}: {plain(result.status)}",
        f"Fingerprint {code(result.fingerprint)}, seed {result.seed}, {origin(result)}.",
        *([_error(result, result.error)] if result.error else []),
        _facts({"problem": problem, "model": result.spec.get("model", {}), "training": training}),
        *_data(result),
        *_metrics(result),
        *_curves(result),
        *_samples(result.samples),
        *_timings(result),
    ]
    return "\n\n".join(filter(None, blocks))


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
        f"{prose(key)} {code(_value(value))}" for key, value in keys.items() if value is not None
    )


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _data(result: JobResult) -> Iterator[str]:
    data = result.data
    if data.keys() >= _TRAINED:
        yield _training(data)
    if data.keys() >= _TESTED:
        yield _overlap(data["test_examples"], data["seen_in_training"], data["source_space"])
    elif "rmse" in result.metrics:
        yield (
            f"Evaluated on {data['test_examples']:,} windows, walking forward: each value is forecast from "
            "what truly came before."
        )
    problem = result.spec.get("problem", {})
    others = {
        key: value
        for key, value in data.items()
        if key not in _TRAINED | _RESUMED | _TESTED and problem.get(key) != value
    }
    if others:
        yield f"Data: {_settings(others)}."


def _training(data: Mapping[str, Any]) -> str:
    early = ", stopped early" if data["stopped_early"] else ""
    best = f"; the weights are those of epoch {data['best_epoch']}" if data["best_epoch"] else ""
    epochs = "1 epoch" if data["epochs"] == 1 else f"{data['epochs']:,} epochs"
    went_on = data.get("resumed_from_step")
    return (
        f"Trained on {data['train_examples']:,} examples in {epochs}, {data['steps']:,} steps{early}{best}."
        + (f" It was cut off, and went on from step {went_on:,}." if went_on else "")
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


def _metrics(result: JobResult) -> Iterator[str]:
    bars = {outcome.metric: outcome for outcome in result.gates}
    rows = []
    for name in dict.fromkeys([*metric_names([result]), *bars]):
        outcome = bars.get(name)
        value = result.metrics.get(name, outcome.value if outcome else None)
        rows.append(
            [
                plain(name),
                _measured(result, name, value, absent="not measured"),
                bar(outcome) if outcome else "",
                "" if outcome is None else "cleared" if outcome.passed else "**missed**",
                METRICS[name].description if name in METRICS else "",
            ]
        )
    if rows:
        yield _table(["metric", "value", "gate", "", "meaning"], rows, "lrlll")


def _measured(result: JobResult, name: str, value: float | None, *, absent: str) -> str:
    return absent if value is None else prose(measured(result, name, value))


def _curves(result: JobResult) -> Iterator[str]:
    if any(artifact.path == "curves.svg" for artifact in result.artifacts):
        subject = "Loss" if "rmse" in result.metrics else "Loss and accuracy"
        yield f"![{subject} of {result.name} over training](jobs/{result.name}/curves.svg)"


def _samples(samples: Sequence[Prediction]) -> Iterator[str]:
    rows = [
        [
            code(sample.source),
            " or ".join(map(code, sample.references or (sample.target,))),
            code(sample.predicted),
            "" if sample.correct is None else "right" if sample.correct else "**wrong**",
        ]
        for sample in samples
    ]
    if rows:
        yield _table(["source", "target", "predicted", ""], rows, "llll")


def _timings(result: JobResult) -> Iterator[str]:
    rows = [[plain(name), quantity(name, value)] for name, value in result.timings.items()]
    if result.peak_rss_bytes:
        rows.append(["peak memory", f"{result.peak_rss_bytes / 2**20:,.0f} MiB"])
    if rows:
        yield _table(["timing", "value"], rows, "lr")


# --- Markdown -----------------------------------------------------------------------------------------------


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], alignment: str) -> str:
    """Lay a table out; cells are Markdown, `alignment` has `l` or `r` for each column."""
    rule = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, rule, *rows])


def code(text: str) -> str:
    """Return text as an inline code span that shows it exactly, on one line, also in a table's cell.

    Spaces that a browser would swallow and control characters are shown by their pictures; long text is cut.
    """
    text = re.sub(r"^ | $|(?<= ) ", "␣", visible(shortened(text)))
    if not text:
        return "*(empty)*"
    if not re.search(r"[`|\\]", text):
        return f"`{text}`"
    # No backslash helps inside a code span, and a table cell ends at a bar: numeric references instead.
    return f"<code>{re.sub(_MARKUP, _reference, text)}</code>"


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def prose(text: str) -> str:
    """Return text that reads as it is within a paragraph, on one line."""
    return re.sub(r"[\\`*\[\]<>|~$#&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", visible(text))


def fenced(text: str) -> str:
    """Return text as a code block, whatever fences it holds itself."""
    lines = "\n".join(map(visible, shortened(text.strip(), 4000).splitlines()))
    longest = max(map(len, re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{lines}\n{fence}"
