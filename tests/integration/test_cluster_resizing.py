"""`--cluster`: batches that resume with another number of processes."""

import signal

import numpy as np
import pytest
from cluster_runs import (
    checkpointed,
    ended,
    logs,
    losses,
    result,
    started,
    train_unbroken,
    wait_for,
)

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A directory with trainings that nothing interrupts."""
    directory = tmp_path_factory.mktemp("long")
    train_unbroken(directory, 1, 2)
    return directory


@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2)])
def test_a_batch_resumes_with_another_number_of_processes(long, first, second):
    """Both divide the batches differently, and so round differently: by less than the losses change."""
    output = f"{first}-then-{second}"
    with started(long, output, count=first) as processes:
        wait_for(lambda: checkpointed(long, output), 120)
        processes[-1].send_signal(signal.SIGTERM)
        assert ended(processes) == [143] * first, logs(long, output)
    with started(long, output, count=second) as processes:
        assert ended(processes) == [0] * second, logs(long, output)
    resumed_from = result(long, output)["data"]["resumed_from_step"]
    finished = resumed_from // 100  # epochs
    assert np.array_equal(losses(long, output)[:finished], losses(long, f"unbroken-{first}")[:finished])
    np.testing.assert_allclose(losses(long, output), losses(long, f"unbroken-{second}"), rtol=1e-3)
