"""`--cluster`: processes whose worker hangs or is killed.

Most of the time the tests wait for the limits that docs/clusters.md states: some minutes in all.
"""

import os
import signal

import numpy as np
import pytest
from cluster_runs import (
    checkpointed,
    ended,
    local_addresses,
    logs,
    losses,
    result,
    retried,
    same_result,
    started,
    train_unbroken,
    wait_for,
    worker_of,
)

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A directory with trainings that nothing interrupts."""
    directory = tmp_path_factory.mktemp("long")
    train_unbroken(directory, 2, 1)
    return directory


@pytest.mark.parametrize("suspended", [0, 1], ids=["chief", "member"])
def test_a_worker_that_is_suspended_is_named_and_all_try_again(long, suspended):
    output, addresses = f"suspended-{suspended}", local_addresses(2)
    with started(long, output, addresses=addresses) as processes:
        wait_for(lambda: checkpointed(long, output), 120)
        os.kill(worker_of(processes[suspended]), signal.SIGSTOP)
        assert ended(processes) == [0, 0], logs(long, output)
    assert f"process {suspended} of 2 ({addresses[suspended]})" in retried(long, output)
    assert result(long, output)["attempts"] == 2
    assert same_result(long, output, "unbroken-2")


def test_four_processes_survive_a_killed_worker_and_end_with_the_losses_of_one(long):
    addresses = local_addresses(4)
    with started(long, "four", addresses=addresses) as processes:
        wait_for(lambda: checkpointed(long, "four"), 240)
        os.kill(worker_of(processes[2]), signal.SIGKILL)
        assert ended(processes, 480) == [0] * 4, logs(long, "four")
    assert f"process 2 of 4 ({addresses[2]})" in retried(long, "four")
    assert result(long, "four")["attempts"] == 2
    np.testing.assert_allclose(losses(long, "four"), losses(long, "unbroken-1"), rtol=1e-3)
