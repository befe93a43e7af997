"""Show a report in GitHub Actions: annotations of a run, and the summary of a step.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from job.reports.content import headline
from job.reports.escaping import github_message, github_property
from job.reports.markdown import MAX_BYTES, markdown
from job.results.batch_report import Report

MAX_ANNOTATIONS = 10
"""Number of errors that GitHub shows per step."""

_MIN_BYTES = 10_000  # required by `markdown`


def workflow_commands(report: Report, environment: Mapping[str, str]) -> list[str]:
    """Return the lines that GitHub turns into annotations: an error per reason, a warning per slower job.

    If there are more than `MAX_ANNOTATIONS`, the last one states how many are left out. Outside GitHub
    Actions there are none.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return []
    compared = report.comparison.jobs if report.comparison else ()
    messages = [("error", reason) for reason in report.verdict.reasons]
    messages += [("warning", f"job {job.name}: {warning}") for job in compared for warning in job.warnings]
    return [_command(kind, headline(report), text) for kind, text in _first(messages)]


def _first(messages: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    if len(messages) <= MAX_ANNOTATIONS:
        return messages
    shown = messages[: MAX_ANNOTATIONS - 1]
    rest = len(messages) - len(shown)
    return [*shown, (messages[len(shown)][0], f"{rest:,} more, see the summary of this step or report.md")]


def _command(kind: str, title: str, text: str) -> str:
    return f"::{kind} title={github_property(title)}::{github_message(text)}"


def write_summary(report: Report, environment: Mapping[str, str]) -> None:
    """Append `report.md` to the summary of this step of GitHub Actions, if this is one.

    Without drawings, because a summary has no files beside it, and cut to the size that earlier commands of
    the step left; nothing is written if that is too small.

    Raises:
        OSError: the file that GitHub names cannot be written.
    """
    name = environment.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    path = Path(name)
    room = MAX_BYTES - (path.stat().st_size if path.exists() else 0)
    if room >= _MIN_BYTES:
        bare = replace(report, jobs=tuple(replace(job, artifacts=()) for job in report.jobs))
        with path.open("ab") as file:
            file.write(markdown(bare, room).encode("utf-8", errors="replace"))
