from dataclasses import replace

from job.running.history_files import history_columns
from job.training.history import HistoryRow


def test_numbers_that_json_does_not_have_and_columns_without_any_are_left_out_of_the_history():
    row = HistoryRow(
        step=1_234_567, epoch=1, examples=2, loss=2 / 3, learning_rate=1, gradient_norm=1, seconds=1
    )
    worse = replace(row, step=1_234_568, loss=float("inf"))
    assert history_columns((row, worse)) == {"step": [1_234_567, 1_234_568], "loss": [0.666667, None]}
