"""Write the model card of a job into its model directory."""

from __future__ import annotations

from contextlib import suppress

from job.gating.metric_intervals import metric_intervals
from job.reports.model_card import model_card
from job.results.job_result import JobResult
from job.results.predictions import Prediction
from job.storage.artifacts import JobPaths, write_text
from job.storage.documents import read_regular


def write_card(paths: JobPaths, result: JobResult) -> None:
    """Write a job's model card, if the job has a model directory.

    Args:
        paths: the job directory, with `predictions.jsonl`.
        result: of the job, finished.

    Raises:
        OSError: the card cannot be written.
    """
    if paths.model.is_dir():
        write_text(paths.card, card_text(paths, result))


def card_text(paths: JobPaths, result: JobResult) -> str:
    """Return the model card of a job; without readable predictions it has fewer confidence intervals.

    Args:
        paths, result: see `write_card`.
    """
    predictions: tuple[Prediction, ...] = ()
    with suppress(OSError, ValueError):
        predictions = tuple(map(Prediction.from_line, read_regular(paths.predictions).splitlines()))
    return model_card(result, metric_intervals(result, predictions))
