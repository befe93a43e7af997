"""Training history -> `history.csv`, a TensorBoard event file, and the columns in a result."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Sequence

from job.running.task import Task
from job.running.tensorboard_events import write_events
from job.storage import artifacts
from job.training.history import DECODED, HistoryRow


def write_history(task: Task, history: Sequence[HistoryRow]) -> None:
    """Write `history.csv` and, if the task asks for it, a TensorBoard event file.

    Raises:
        OSError: a file cannot be written.
    """
    artifacts.write_text(task.paths.history, history_csv(history))
    if task.tensorboard:
        began_at = time.time() - history[-1].seconds
        write_events([row.columns() for row in history], task.paths.tensorboard, began_at=began_at)


def history_csv(history: Sequence[HistoryRow]) -> str:
    """Return the text of `history.csv`; reading its numbers returns the exact values."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _names(history), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.columns().items()} for row in history)
    return text.getvalue()


def _names(history: Sequence[HistoryRow]) -> list[str]:
    """Return the names of the columns; decoded metrics, which only some rows have, stand before the last."""
    names = dict.fromkeys(name for row in history for name in row.columns())
    return [*(name for name in names if name != "seconds"), "seconds"]


def history_columns(history: Sequence[HistoryRow]) -> dict[str, list[int | float | None]]:
    """Return a result's `history`: steps, losses, accuracies and decoded metrics, without empty columns."""
    rows = [row.columns() for row in history]
    names = [
        name
        for name in _names(history)
        if name == "step" or name.endswith(("loss", "accuracy")) or name.startswith(DECODED)
    ]
    columns = {name: [_six_digits(row.get(name)) for row in rows] for name in names}
    return {name: column for name, column in columns.items() if any(value is not None for value in column)}


def _six_digits(value: int | float | None) -> int | float | None:
    """Return a number rounded to six significant digits, None if it is not finite; integers unchanged."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
