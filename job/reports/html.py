"""A report -> `report.html`: one file that needs no network and no script.

What comes from outside is escaped by the template engine and cut; control characters are shown by their
pictures. The page's own content security policy forbids scripts, and anything to load.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from job.metrics import METRICS
from job.reports import escaping
from job.reports import formatting as wording
from job.reports.findings import Profile, metrics_elsewhere, profiles
from job.reports.prediction_diff import Part, marked, nearest
from job.reports.section import course, metrics_and_gates, not_measured, other_data, setting
from job.reports.sparkline import HEIGHT, WIDTH, Sparkline, sparkline
from job.results.records import UNKNOWN_CHARACTER, FlippedExample, GateOutcome, JobResult, Prediction, Report
from job.storage.artifacts import OutputPaths
from job.storage.documents import read_regular

MOST_PICTURE_BYTES = 16 * 2**20
"""Of all drawings that are put into the page; the others are linked to."""

_PICTURES = {
    "curves.svg": "Training",
    "accuracy.svg": "Accuracy by position and by length",
    "contexts.svg": "Context vectors of test sources",
    "attention.svg": "Attention as the samples were written",
}
_WIDE = {"curves.svg", "attention.svg"}
_DESCRIPTION = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A drawing of a job.

    Args:
        title: the caption.
        link: its path, relative to the page.
        seen: what one would see, in words.
        source: the drawing as a data URI; empty where it is only linked to.
        wide: nothing stands beside it.
    """

    title: str
    link: str
    seen: str
    source: str
    wide: bool


@dataclass(frozen=True)
class Sample:
    """A prediction beside what it should have been; what differs is marked, unless it counts as right.

    `correct` is None for numbers; `edits` is how many would set it right, None where that was not counted.
    """

    id: str
    source: str
    targets: list[list[Part]]
    predicted: list[Part]
    correct: bool | None
    edits: int | None = None


@dataclass(frozen=True)
class Flip:
    """An example that one side of a comparison got right; in what was wrong, differences are marked.

    Args:
        id, source, target: of the example.
        before, now: what each side wrote.
    """

    id: str
    source: str
    target: str
    before: list[Part]
    now: list[Part]


@dataclass(frozen=True)
class Section:
    """What the page says of one job, in the page's order."""

    result: JobResult
    loss: Sparkline | None
    positions: Sparkline | None
    course: list[str]
    metrics: list[tuple[str, float | None, GateOutcome | None]]
    pictures: list[Picture]
    elsewhere: list[str]
    profiles: list[Profile]
    samples: list[Sample]
    mistakes: list[Sample]
    settings: dict[str, list[tuple[str, str]]]


def html_page(report: Report, output: OutputPaths, *, most: int = MOST_PICTURE_BYTES) -> str:
    """Return the page.

    Args:
        report: of a batch.
        output: where the jobs' drawings lie; those that are not there are left out.
        most: bytes of drawings, see `MOST_PICTURE_BYTES`. Jobs that did not pass come first.
    """
    pictures: dict[str, list[Picture]] = {}
    for result in sorted(report.jobs, key=lambda job: job.status == "passed"):
        pictures[result.name], most = _pictures(result, output.job(result.name).directory, most)
    sections = [_section(result, pictures[result.name]) for result in report.jobs]
    return _REPORT.render(
        report=report,
        flip=_flip,
        sections=sections,
        leading=wording.leading_metrics(report.jobs),
        took=_took(report),
    )


def _took(report: Report) -> str:
    began, ended = map(datetime.fromisoformat, (report.started_at, report.finished_at))
    return str(ended - began)


def _section(result: JobResult, pictures: list[Picture]) -> Section:
    analysis, history = result.analysis, result.history
    accuracies = [row["accuracy"] for row in analysis.get("by_position", ())]
    return Section(
        result=result,
        loss=sparkline(history.get("loss", ()), "training loss"),
        positions=sparkline(accuracies, "accuracy by position", low=0, high=1) if accuracies[1:] else None,
        course=[*course(result), *not_measured(result)],
        metrics=[*metrics_and_gates(result)],
        pictures=pictures,
        elsewhere=metrics_elsewhere(result),
        profiles=[*profiles(analysis)],
        samples=[*map(_sample, result.samples)],
        mistakes=[*map(_mistake, analysis.get("worst_mistakes", ()))],
        settings=_settings(result),
    )


# --- pictures -----------------------------------------------------------------------------------------------


def _pictures(result: JobResult, directory: Path, room: int) -> tuple[list[Picture], int]:
    """Return a job's drawings, and the room that is left after those that were put into the page."""
    left = {artifact.path for artifact in result.artifacts}
    pictures = []
    for file, title in _PICTURES.items():
        text = _drawing(directory / file) if file in left else ""
        if text:
            inside = len(text) <= room
            room -= len(text) * inside
            link = f"jobs/{result.name}/{file}"
            source = data_uri(text) if inside else ""
            pictures.append(Picture(title, link, _seen(text), source, file in _WIDE))
    return pictures, room


def _drawing(path: Path) -> str:
    """Return a drawing; empty where it cannot be read or is a link, which could lead anywhere."""
    if path.parent.is_symlink() or path.is_symlink():
        return ""
    try:
        return read_regular(path).decode("utf-8")
    except (OSError, ValueError):
        return ""


def _seen(drawing: str) -> str:
    """Return what a drawing says of itself to screen readers."""
    found = _DESCRIPTION.search(drawing)
    return unescape(found[1]) if found else ""


def data_uri(drawing: str) -> str:
    """Return a drawing as an address: inside the page, its ids and styles would meet those of others."""
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()


# --- samples ------------------------------------------------------------------------------------------------


def _sample(prediction: Prediction) -> Sample:
    references = prediction.targets
    predicted = escaping.shortened(prediction.scored)
    if prediction.correct is not False:  # numbers are near or far; and what is right needs no marks
        targets = [_plain(escaping.shortened(text)) for text in references]
        shown = _plain(predicted)
    else:
        best = nearest(predicted, references)
        _, shown = marked(best, predicted)
        shown = _spelled(shown, prediction.unknown_label)
        targets = [marked(text, predicted)[0] for text in map(escaping.shortened, references)]
    source = escaping.shortened(prediction.source)
    return Sample(prediction.id, source, targets, shown, prediction.correct)


def _spelled(parts: list[Part], label: str) -> list[Part]:
    """Return the parts of a prediction with unknown tokens as they are written."""
    return [(text.replace(UNKNOWN_CHARACTER, label), marks) for text, marks in parts]


def _plain(text: str) -> list[Part]:
    return [(text, False)] if text else []


def _mistake(row: Mapping[str, Any]) -> Sample:
    prediction = Prediction(
        row["id"], row["source"], row["target"], row["predicted"], False, (), row.get("unknown", ())
    )
    target, predicted = marked(row["target"], prediction.scored)
    predicted = _spelled(predicted, prediction.unknown_label)
    return Sample(row["id"], row["source"], [target], predicted, False, row["edit_distance"])


def _flip(example: FlippedExample) -> Flip:
    target, before, now = map(escaping.shortened, (example.target, example.before, example.now))
    return Flip(
        example.id,
        escaping.shortened(example.source),
        target,
        marked(target, before)[1],
        marked(target, now)[1],
    )


# --- settings -----------------------------------------------------------------------------------------------


def _settings(result: JobResult) -> dict[str, list[tuple[str, str]]]:
    """Return what a job was told and where it ran: title -> names and values."""
    groups = {
        **{title: result.spec.get(title, {}) for title in ("problem", "model", "training", "evaluation")},
        "data": other_data(result),
        "environment": result.environment,
    }
    return {title: [*_flat(keys)] for title, keys in groups.items() if keys}


def _flat(keys: Mapping[str, Any], before: str = "") -> Sequence[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in keys.items():
        match value:
            case dict():
                pairs += _flat(value, f"{before}{key}.")
            case None:
                pass
            case _:
                pairs.append((before + key, escaping.shortened(setting(value))))
    return pairs


# --- the template -------------------------------------------------------------------------------------------


def _lines(text: str) -> Markup:
    return escape(escaping.html_lines(text))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("job.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=escaping.html,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = "absence bar counts gates headline measured origin outcome_words outlook percent plain quantity"
    environment.globals |= {name: getattr(wording, name) for name in names.split()}
    environment.globals |= {"METRICS": METRICS, "WIDTH": WIDTH, "HEIGHT": HEIGHT}
    environment.filters |= {"lines": _lines, "shortened": escaping.shortened, "path": escaping.url_path}
    return environment


template = _environment().get_template
"""Returns a page's template by its name."""

_REPORT = template("report.html")
