"""A report -> what GitHub Actions shows: annotations of a run, and the summary of a step.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from job.reports.escaping import github_message, github_property
from job.reports.formatting import headline
from job.reports.markdown import MOST_BYTES, markdown
from job.results.records import Report

MOST_ANNOTATIONS = 10
"""GitHub shows so many errors of a step."""

_LEAST_BYTES = 10_000  # what `markdown` asks for


def workflow_commands(report: Report, environment: Mapping[str, str]) -> list[str]:
    """Return the lines that GitHub turns into annotations: an error a reason, a warning a slower job.

    Of more than `MOST_ANNOTATIONS` the last says how many there are besides. None outside GitHub Actions.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return []
    slower = report.comparison.jobs if report.comparison else ()
    told = [("error", reason) for reason in report.verdict.reasons]
    told += [("warning", f"job {job.name}: {warning}") for job in slower for warning in job.warnings]
    return [_command(kind, headline(report), text) for kind, text in _first(told)]


def _first(told: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    if len(told) <= MOST_ANNOTATIONS:
        return told
    shown = told[: MOST_ANNOTATIONS - 1]
    rest = len(told) - len(shown)
    return [*shown, (told[len(shown)][0], f"{rest:,} more, see the summary of this step or report.md")]


def _command(kind: str, title: str, text: str) -> str:
    return f"::{kind} title={github_property(title)}::{github_message(text)}"


def write_summary(report: Report, environment: Mapping[str, str]) -> None:
    """Append `report.md` to the summary of this step of GitHub Actions, if this is one.

    Without pictures, for a summary has no files beside it, and cut to the room that earlier commands of the
    step left; nothing where there is too little.

    Raises:
        OSError: the file that GitHub names cannot be written.
    """
    name = environment.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    path = Path(name)
    room = MOST_BYTES - (path.stat().st_size if path.exists() else 0)
    if room >= _LEAST_BYTES:
        bare = replace(report, jobs=tuple(replace(job, artifacts=()) for job in report.jobs))
        with path.open("ab") as file:
            file.write(markdown(bare, room).encode("utf-8", errors="replace"))
