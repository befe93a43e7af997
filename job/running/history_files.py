"""Training history -> `history.csv`, a TensorBoard event file, and the columns in a result."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, fields

from job.running.task import Task
from job.running.tensorboard_events import write_events
from job.storage import artifacts
from job.training.history import HistoryRow


def write_history(task: Task, history: Sequence[HistoryRow]) -> None:
    """Write `history.csv` and, if the task asks for it, a TensorBoard event file.

    Raises:
        OSError: a file cannot be written.
    """
    artifacts.write_text(task.paths.history, history_csv(history))
    if task.tensorboard:
        began_at = time.time() - history[-1].seconds
        write_events([asdict(row) for row in history], task.paths.tensorboard, began_at=began_at)


def history_csv(history: Sequence[HistoryRow]) -> str:
    """Return the text of `history.csv`; reading its numbers returns the exact values."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(HistoryRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in asdict(row).items()} for row in history)
    return text.getvalue()


def history_columns(history: Sequence[HistoryRow]) -> dict[str, list[int | float | None]]:
    """Return a result's `history`: the steps, losses and accuracies as columns, without empty columns."""
    names = [f.name for f in fields(HistoryRow) if f.name == "step" or f.name.endswith(("loss", "accuracy"))]
    columns = {name: [_six_digits(getattr(row, name)) for row in history] for name in names}
    return {name: column for name, column in columns.items() if any(value is not None for value in column)}


def _six_digits(value: int | float | None) -> int | float | None:
    """Return a number rounded to six significant digits, None if it is not finite; integers unchanged."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
