"""A node that was suspended or cut off, whose job another node has taken over: its work does not count."""

import time
from collections import deque
from types import SimpleNamespace

import pytest
from finished_jobs import BEAM, leave
from sample_jobs import job_spec

from job.batch import queue_nodes
from job.batch.batch_options import BatchOptions
from job.batch.progress import Log
from job.batch.queue import JobQueue
from job.batch.queue_batch import Ended
from job.batch.queue_joining import join_batch
from job.batch.queue_recorder import QueueRecorder
from job.batch.queue_results import QueueResults
from job.batch.resume import read_recorded_result
from job.batch.task_maker import task_maker
from job.batch.train_jobs import work_through
from job.errors import LeaseLostError, OutputError
from job.process.stopping import Request, Stop
from job.results.job_result import Failure
from job.storage.exclusive import create_exclusively
from job.workers.schedule import _Schedule


class Node:
    """A node of a queue with one job."""

    def __init__(self, output, planned, fingerprint="p", stop=None):
        log = Log(lambda line: None)
        log.begun(1)
        self.output, self.stop = output, stop or Stop()
        self.options = BatchOptions(workers=1, stop=self.stop, lease_seconds=60.0)
        self.batch = join_batch(output, fingerprint, [planned[0].job.name], 60.0)
        self.results = QueueResults(output, log, 60.0, {})
        self.recorder = QueueRecorder(log, output, self.batch)
        make_task = task_maker(output.root, self.options, 1, output.cache)
        self.queue = JobQueue(planned, self.batch, self.recorder, self.results, make_task)

    def take_over(self, name):
        """Take a job over as another node, and finish it."""
        create_exclusively(self.batch.folder / "leases" / f"{name}.2", b'{"node": "0123456789abcdef"}')
        self.output.job(name).result.unlink(missing_ok=True)
        leave(self.output, job_spec(name))
        self.batch.end(name, Ended())

    def finish(self, task, outcome):
        """End a task as the schedule does when its worker has answered."""
        worker = SimpleNamespace(
            task=task, spent=False, cancelling=False, process=SimpleNamespace(kill=lambda: None)
        )
        schedule = _Schedule(deque(), [worker], self.recorder, self.results.by_name, self.queue)
        schedule.finish(worker, outcome, spent=True)
        return schedule


def test_a_stop_after_a_suspension_leaves_the_result_of_the_other_node(output, plan, stand_in):
    name = "waits"
    node = Node(output, plan(job_spec(name)))
    task = node.queue.take()
    tick, taken = node.recorder.tick, []

    def suspended():
        tick()
        if not taken and node.recorder.is_running(task) and output.job(name).log.exists():
            node.take_over(name)
            taken.append(name)
            node.stop.ask(Request("the time limit", 143))

    node.recorder.tick = suspended
    work_through([task], 1, node.recorder, node.results.by_name, node.options, node.queue)
    assert taken
    assert not task.lease.held
    assert read_recorded_result(output.job(name))[0].status == "passed"


@pytest.mark.parametrize("outcome", [LeaseLostError, "Boom"])
def test_a_job_that_ends_after_it_was_taken_over_is_dropped_not_failed(output, plan, outcome):
    node = Node(output, plan(job_spec("x")))
    task = node.queue.take()
    node.recorder.started(task)
    assert node.queue.intent(task) == "run"  # the lease was looked at within this second
    node.take_over("x")
    name = outcome if isinstance(outcome, str) else outcome.__name__
    schedule = node.finish(task, Failure(name, "it ended"))
    assert not schedule.failed
    assert node.results.by_name == {}
    assert read_recorded_result(output.job("x"))[0].status == "passed"


def test_a_batch_that_others_have_begun_ends_the_leases_of_the_one_before(output, plan, monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(
        queue_nodes,
        "time",
        SimpleNamespace(
            monotonic=lambda: clock.now, sleep=lambda seconds: setattr(clock, "now", clock.now + seconds)
        ),
    )
    slow = Node(output, plan(job_spec("x")), "before the spec was edited")
    task = slow.queue.take()
    slow.recorder.started(task)
    other = Node(output, plan(job_spec("x", evaluation=BEAM)), "afterwards")
    assert other.queue.take().lease.held
    assert slow.batch.folder != other.batch.folder
    assert not task.lease.held
    slow.finish(task, Failure("Boom", "it ended"))
    assert not output.job("x").result.exists()
    with pytest.raises(OutputError, match="have begun another batch"):
        slow.batch.take("x")


def test_a_job_cancelled_while_it_is_evaluated_again_is_known_to_all_at_once(output, plan):
    leave(output, job_spec("x"))
    planned = plan(job_spec("x", evaluation=BEAM))
    node, other = Node(output, planned), Node(output, planned)
    task = node.queue.take()
    node.recorder.started(task)
    assert node.recorder.cancelled(task).status == "interrupted"
    other.queue.take()
    assert other.results.unusable == {
        "x": "it was cancelled while it was evaluated again; run the batch again"
    }
    assert not other.queue.open


def test_a_node_that_is_refused_leaves_the_plan_of_the_others(output, plan, monkeypatch):
    """The plan is written by `on_joined`, which a refused node never calls."""
    from job.batch import run_queue

    living = Node(output, plan(job_spec("x")))
    monkeypatch.setattr(queue_nodes.QueueNodes, "others_live", lambda self: True)
    written = []
    options = BatchOptions(lease_seconds=60.0, on_joined=lambda: written.append(time.monotonic()))
    with pytest.raises(OutputError, match="another spec"):
        run_queue.run_queue(plan(job_spec("y")), output, output.root, Log(lambda line: None), options)
    assert not written
    assert not living.batch.ended()
