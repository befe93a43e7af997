"""Further tasks and requests to stop one, with real processes (see `stand_in_worker.py`)."""

import pytest
from sample_jobs import job_result

from job.results.job_result import Failure
from job.workers.job_control import JobControl
from job.workers.pool import worker_pool
from job.workers.schedule import run_tasks


class Watcher:
    """A watcher that keeps what it is told."""

    def __init__(self):
        self.started_names, self.finished_names = [], []

    def started(self, task):
        self.started_names.append(task.job.name)

    def advanced(self, name, progress):
        pass

    def lost(self, task, failure):
        raise AssertionError(failure)

    def finished(self, task, outcome):
        self.finished_names.append(task.job.name)
        status = "failed" if isinstance(outcome, Failure) else "passed"
        return job_result(task.job.name, status)

    def tick(self):
        pass


class Control(JobControl):
    """Hands out tasks, and stops those named in `intents` once they have started."""

    def __init__(self, tasks=(), intents=None):
        self.tasks, self.intents = [*tasks], intents or {}
        self.cancelled_names, self.dropped_names, self.asked = [], [], 0

    @property
    def open(self):
        return bool(self.tasks)

    def take(self):
        self.asked += 1
        return self.tasks.pop(0) if self.tasks and self.asked > 2 else None  # the first times there is none

    def intent(self, task):
        return self.intents.get(task.job.name, "run")

    def cancelled(self, task):
        self.cancelled_names.append(task.job.name)
        return job_result(task.job.name, "interrupted")

    def dropped(self, task):
        self.dropped_names.append(task.job.name)


@pytest.fixture
def run(stand_in, make_task):
    def run(names, control, **options):
        watcher, results = Watcher(), {}
        with worker_pool(1) as pool:
            tasks = [make_task(name) for name in names]
            run_tasks(tasks, pool, watcher, results, control=control, **options)
        return watcher, results

    return run


def test_tasks_are_taken_from_the_control_until_it_is_closed(run, make_task):
    control = Control([make_task("fine-2"), make_task("fine-3")])
    watcher, results = run(["fine-1"], control)
    assert watcher.started_names == watcher.finished_names == ["fine-1", "fine-2", "fine-3"]
    assert [*results] == watcher.finished_names


@pytest.mark.parametrize("name", ["waits", "deaf"])
def test_a_cancelled_task_stops_alone(run, monkeypatch, name):
    monkeypatch.setattr("job.workers.deadlines.STOP_SECONDS", 1.0)
    control = Control(intents={name: "cancel"})
    watcher, results = run([name, "fine"], control)
    assert control.cancelled_names == [name]
    assert watcher.finished_names == ["fine"]
    assert {name: result.status for name, result in results.items()} == {
        name: "interrupted",
        "fine": "passed",
    }


def test_a_dropped_task_leaves_no_result(run):
    control = Control(intents={"waits": "drop"})
    watcher, results = run(["waits", "fine"], control)
    assert control.dropped_names == ["waits"]
    assert [*results] == watcher.finished_names == ["fine"]


def test_a_task_that_ends_when_it_is_another_machines_is_dropped(run, monkeypatch):
    """Whatever it came to: the schedule had no time to stop it."""
    control = Control(intents={"fine": "drop", "raises": "drop"})
    monkeypatch.setattr("job.workers.schedule._Schedule.stop_unwanted", lambda self: None)
    watcher, results = run(["fine", "raises", "fine-2"], control)
    assert control.dropped_names == ["fine", "raises"]
    assert [*results] == watcher.finished_names == ["fine-2"]


def test_failing_fast_heeds_other_machines(run, make_task):
    control = Control([make_task("fine-2")])
    control.asked, Control.failed = -(10**9), property(lambda self: True)
    try:
        watcher, _ = run([], control, fail_fast=True)
    finally:
        del Control.failed
    assert watcher.started_names == []
