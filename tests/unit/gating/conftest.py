"""An output directory, and two batches to compare."""

import pytest
from recording import leave
from worker_fixtures import make_task, output, stand_in  # noqa: F401 - fixtures

from job.batch.recorded_comparison import compare_and_judge


@pytest.fixture
def compare_batches(tmp_path):
    """Leave a baseline and a candidate, each a list of (result, predictions), and compare them."""

    def compare(before, now, **candidate):
        first = leave(tmp_path / "before", before)
        second = leave(tmp_path / "now", now, **candidate)
        return compare_and_judge(first, second)[0]

    return compare
