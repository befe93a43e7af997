"""Tasks that several processes share: workers that hang, or wait in vain (see `stand_in_worker.py`)."""

from dataclasses import replace

import pytest
from sample_jobs import job_result

from job.results.job_result import Failure
from job.running.task import ClusterPlace
from job.workers import deadlines
from job.workers.job_control import JobControl
from job.workers.pool import worker_pool
from job.workers.schedule import run_tasks


class Watcher:
    """A watcher that keeps how far attempts came and how they ended."""

    def __init__(self):
        self.steps, self.lost_messages, self.outcomes = [], [], []

    def started(self, task):
        pass

    def advanced(self, name, progress):
        self.steps.append((progress.step, progress.steps))

    def lost(self, task, failure):
        self.lost_messages.append(failure.message)

    def finished(self, task, outcome):
        self.outcomes.append(outcome)
        return job_result(task.job.name, "failed" if isinstance(outcome, Failure) else "passed")

    def tick(self):
        pass


class Cluster(JobControl):
    """Says that workers hang once they have taken a step, and notes what it is asked about lost ones."""

    def __init__(self, *, hanging=False):
        self.hanging, self.watcher, self.asked, self.ended = hanging, Watcher(), [], []

    def intent(self, task):
        return "hung" if self.hanging and self.watcher.steps else "run"

    def hung(self, task):
        return Failure("WorkerLost", "process 0 hangs")

    def worker_lost(self, task, failure, *, joining=False):
        self.asked.append(joining)
        return Failure(failure.type, f"process 0: {failure.message}")

    def member_ended(self, task, failure):
        self.ended.append(failure)


@pytest.fixture
def run(make_task, stand_in):
    """Run a job, of process `rank` of a cluster or without its place there; returns the watcher."""

    def run(name, control, *, rank=None, retries=0):
        place = None if rank is None else ClusterPlace(rank=rank, variables={}, key="1")  # loads TensorFlow
        task = replace(make_task(name, retries=retries), cluster=place)
        with worker_pool(1) as pool:
            run_tasks([task], pool, control.watcher, {}, control=control)
        return control.watcher

    return run


def test_a_worker_that_hangs_is_killed_and_its_job_tried_again(run):
    watcher = run("waits", Cluster(hanging=True), retries=1)
    assert watcher.lost_messages == ["process 0 hangs"]
    assert [outcome.message for outcome in watcher.outcomes] == ["process 0 hangs"]


def test_a_worker_whose_training_is_over_does_not_hang(run):
    """It evaluates, for which it needs no other process."""
    watcher = run("evaluates", Cluster(hanging=True))
    assert watcher.steps == [(2, 2)]
    assert not watcher.lost_messages
    assert not isinstance(watcher.outcomes[0], Failure)


def test_a_worker_that_waits_for_the_others_in_vain_is_killed(run, monkeypatch):
    monkeypatch.setattr(deadlines, "JOIN_SECONDS", 0.0)
    monkeypatch.setenv("STAND_IN", "hangs")
    control = Cluster()
    watcher = run("fine", control, rank=0)
    assert control.asked == [True]
    (failure,) = watcher.outcomes
    assert failure.message == (
        "process 0: the worker process waited 0 s for the other processes of the cluster and was killed"
    )


def test_a_member_that_waits_for_the_others_in_vain_says_so(run, monkeypatch):
    monkeypatch.setattr(deadlines, "JOIN_SECONDS", 0.0)
    monkeypatch.setenv("STAND_IN", "hangs")
    control = Cluster()
    assert not run("fine", control, rank=1).outcomes
    (failure,) = control.ended
    assert "waited 0 s for the other processes" in failure.message


def test_a_worker_that_is_killed_is_named(run):
    control = Cluster()
    (failure,) = run("killed", control).outcomes
    assert failure.message.startswith("process 0: the worker process was killed by SIGKILL")
    assert control.asked == [False]
