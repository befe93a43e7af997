from dataclasses import replace

from job.running.history_files import history_columns, history_csv
from job.training.history import HistoryRow


def test_nonfinite_numbers_and_empty_columns_are_left_out_of_the_history():
    row = HistoryRow(
        step=1_234_567, epoch=1, examples=2, loss=2 / 3, learning_rate=1, gradient_norm=1, seconds=1
    )
    worse = replace(row, step=1_234_568, loss=float("inf"))
    assert history_columns((row, worse)) == {"step": [1_234_567, 1_234_568], "loss": [0.666667, None]}


def test_a_decoded_metric_has_a_column_of_its_own():
    row = HistoryRow(step=1, epoch=1, examples=2, loss=0.5, learning_rate=1, gradient_norm=1, seconds=1)
    last = replace(row, step=2, val_loss=0.25, val_decoded={"bleu": 100 / 3})
    header, first, second = history_csv((row, last)).splitlines()
    assert header.endswith(",val_sequence_accuracy,val_decoded_bleu,seconds")
    assert first.endswith(",,,,1")
    assert second.endswith(",0.25,,,33.333333333333336,1")
    assert history_columns((row, last))["val_decoded_bleu"] == [None, 33.3333]
    assert "val_decoded" not in history_csv((row,))
