"""Training history -> a TensorBoard event file, written with TensorFlow alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from job.storage import artifacts
from job.training.history import DECODED

TAGS = {
    "loss": "loss/training",
    "val_loss": "loss/validation",
    "token_accuracy": "token_accuracy/training",
    "val_token_accuracy": "token_accuracy/validation",
    "sequence_accuracy": "sequence_accuracy/training",
    "val_sequence_accuracy": "sequence_accuracy/validation",
    "learning_rate": "learning_rate",
    "gradient_norm": "gradient_norm",
}
"""Column of `history.csv` -> tag; TensorBoard groups tags by the part before the slash."""


def write_events(history: Sequence[Mapping[str, float | None]], directory: Path, *, began_at: float) -> Path:
    """Write a history as TensorBoard scalars; the same history gives the same bytes.

    Args:
        history: rows as in `history.csv`; values that are None are left out.
        directory: directory of the event file, made if it does not exist; `tensorboard --logdir` also
            finds it from a parent directory.
        began_at: Unix time at which the rows' `seconds` start.

    Returns:
        path of the event file.

    Raises:
        OSError: the file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "events.out.tfevents.0.seq2seq-job"  # TensorBoard looks for `tfevents`
    with artifacts.replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        header = tf.compat.v1.Event(wall_time=began_at, file_version="brain.Event:2")
        writer.write(header.SerializeToString())
        for row in history:
            writer.write(_event(row, began_at).SerializeToString())
    return path


def _event(row: Mapping[str, float | None], began_at: float) -> tf.compat.v1.Event:
    decoded = {
        name: f"{name.removeprefix(DECODED)}/decoded_validation" for name in row if name.startswith(DECODED)
    }
    values = [
        tf.compat.v1.Summary.Value(tag=tag, simple_value=row[column])
        for column, tag in {**TAGS, **decoded}.items()
        if row.get(column) is not None
    ]
    return tf.compat.v1.Event(
        wall_time=began_at + (row["seconds"] or 0.0),
        step=int(row["step"] or 0),
        summary=tf.compat.v1.Summary(value=values),
    )
