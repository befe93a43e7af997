"""Write a job's drawings. No report imports this module, so none needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from job.reports.accuracy_plot import accuracy_svg, has_profile
from job.reports.attention_plot import attention_svg
from job.reports.contexts_plot import contexts_svg
from job.reports.curves_plot import curves_svg
from job.results.job_result import JobResult
from job.storage.artifacts import JobPaths, write_text
from job.storage.documents import read_json, read_regular


def write_plots(paths: JobPaths, result: JobResult) -> None:
    """Draw a job's curves and, if its result has them, accuracy, attention and contexts.

    Args:
        paths: the job directory, with `history.csv` and perhaps `contexts.json`.
        result: of the job.

    Raises:
        OSError: a file cannot be read or written.
    """
    for path, draw in drawings(paths, result).items():
        write_text(path, draw())


def drawings(paths: JobPaths, result: JobResult) -> dict[Path, Callable[[], str]]:
    """Return the drawings that a job can have: their paths, and functions that return their content.

    Args:
        paths, result: see `write_plots`.
    """
    name, analysis = result.name, result.analysis
    found: dict[Path, Callable[[], str]] = {
        paths.curves: lambda: curves_svg(read_regular(paths.history).decode("utf-8"), title=name)
    }
    if has_profile(analysis):
        found[paths.accuracy] = lambda: accuracy_svg(analysis, title=f"{name}: accuracy")
    if result.attention:
        correct = [sample.correct for sample in result.samples[: len(result.attention)]]
        found[paths.attention] = lambda: attention_svg(result.attention, correct, title=f"{name}: attention")
    # without an analysis, the file was left by another model that had this name
    if analysis and paths.contexts.exists():
        found[paths.contexts_plot] = lambda: contexts_svg(
            read_json(paths.contexts), title=f"{name}: contexts"
        )
    return found
