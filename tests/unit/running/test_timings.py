from dataclasses import replace

from job.running.timings import speed_ranges
from job.training.history import HistoryRow


def rows(*times_and_examples):
    return [
        HistoryRow(step=i, epoch=1, examples=n, loss=1.0, learning_rate=0.1, gradient_norm=1.0, seconds=t)
        for i, (t, n) in enumerate(times_and_examples)
    ]


def test_the_range_of_speeds_leaves_out_compilation_and_the_odd_row():
    times = [(3.0 + i, 100 + 100 * i) for i in range(11)]
    assert speed_ranges(rows(*times), ()) == {"train_examples_per_second": (100.0, 100.0)}
    pause = [*times, (50.0, 1200)]
    assert speed_ranges(rows(*pause), ()) == {"train_examples_per_second": (100.0, 100.0)}
    assert speed_ranges(rows(*times[:8]), [1.0] * 7) == {}


def test_the_validation_between_epochs_is_in_no_part():
    within = [(10.0 * epoch + 0.1 * i, 400 * epoch + 100 * i) for epoch in range(5) for i in range(4)]
    history = [replace(row, epoch=1 + number // 4) for number, row in enumerate(rows(*within))]
    low, high = speed_ranges(history, ())["train_examples_per_second"]
    assert (round(low), round(high)) == (1000, 1000)


def test_the_range_of_decoding_speeds_is_of_most_of_its_parts():
    speeds = [100.0, 1000.0, *[500.0] * 7]
    assert speed_ranges((), speeds) == {"decoded_sequences_per_second": (420.0, 600.0)}
    assert speed_ranges((), [*[500.0] * 11, 1.0]) == {"decoded_sequences_per_second": (500.0, 500.0)}


def test_rows_of_one_time_count_as_one():
    halves = [row for i in range(11) for row in [(3.0 + i, 50 + 100 * i), (3.0 + i, 100 + 100 * i)]]
    assert speed_ranges(rows(*halves), ()) == {"train_examples_per_second": (100.0, 100.0)}
