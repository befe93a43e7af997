"""The limit on how long a process waits for the others of its cluster."""

import threading
import time

import pytest

from job.training import waiting
from job.training.waiting import WaitLimit


@pytest.fixture
def aborted(monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.01)
    return []


def wait_until(holds):
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_call_that_lasts_too_long_is_aborted(aborted):
    limit = WaitLimit(aborted.append)
    with limit.limiting(60.0):
        pass
    with limit.limiting(0.05):
        wait_until(lambda: aborted)
    assert aborted == ["waited 0.05 s for another process of the cluster"]


def test_calls_that_end_in_time_are_not(aborted):
    limit = WaitLimit(aborted.append)
    for _ in range(3):
        with limit.limiting(5.0):
            pass
    time.sleep(0.1)
    assert not aborted


def test_one_thread_watches_all_calls(aborted):
    limit, before = WaitLimit(aborted.append), threading.active_count()
    for _ in range(50):
        with limit.limiting(60.0):
            assert threading.active_count() == before + 1
