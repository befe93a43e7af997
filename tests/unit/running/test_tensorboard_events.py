import tensorflow as tf

from job.running.tensorboard_events import TAGS, write_events
from job.training.history import HistoryRow

ROWS = [
    {"step": 5, "epoch": 1, "examples": 50, "loss": 2.0, "token_accuracy": 0.25, "sequence_accuracy": 0.0,
     "learning_rate": 0.01, "gradient_norm": 1.5, "val_loss": None, "seconds": 0.5},
    {"step": 10, "epoch": 1, "examples": 100, "loss": 1.0, "token_accuracy": 0.5, "sequence_accuracy": 0.125,
     "learning_rate": 0.005, "gradient_norm": 0.75, "val_loss": 1.25, "val_token_accuracy": 0.375,
     "val_sequence_accuracy": 0.0625, "seconds": 1.25},
]  # fmt: skip


def events(path):
    """Read an event file: its records, with their checksums, hold an `Event` each."""
    return [
        tf.compat.v1.Event.FromString(record)
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]


def scalars(event):
    return {value.tag: value.simple_value for value in event.summary.value}


def test_every_value_of_the_history_is_a_scalar_at_its_step_and_time(tmp_path):
    header, *rows = events(write_events(ROWS, tmp_path / "new" / "tensorboard", began_at=1000.0))
    assert header.file_version == "brain.Event:2"
    assert [(event.step, event.wall_time) for event in rows] == [(5, 1000.5), (10, 1001.25)]
    expected = [
        {TAGS[column]: value for column, value in row.items() if column in TAGS and value is not None}
        for row in ROWS
    ]
    assert len(expected[1]) == len(TAGS)
    assert [{tag: round(value, 6) for tag, value in scalars(event).items()} for event in rows] == expected


def test_tags_are_columns_of_the_history():
    columns = set(HistoryRow.__dataclass_fields__)
    assert columns - TAGS.keys() == {"step", "epoch", "examples", "val_decoded", "seconds"}
    assert TAGS.keys() <= columns


def test_a_decoded_metric_is_a_scalar_too(tmp_path):
    row = {"step": 1, "seconds": 0.5, "val_decoded_bleu": 12.5}
    _, event = events(write_events([row], tmp_path, began_at=0.0))
    assert scalars(event) == {"bleu/decoded_validation": 12.5}


def test_the_file_is_replaced_as_a_whole_and_the_same_history_gives_the_same_bytes(tmp_path):
    first = write_events(ROWS, tmp_path, began_at=1.0).read_bytes()
    path = write_events(ROWS[:1], tmp_path, began_at=1.0)
    assert len(events(path)) == 2
    assert write_events(ROWS, tmp_path, began_at=1.0).read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert "tfevents" in path.name
