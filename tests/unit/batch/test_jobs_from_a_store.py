"""The queue of a node that meets the others in a store: what it takes, waits for, forgets and gives up."""

import pytest
from finished_jobs import leave
from sample_jobs import job_spec
from stored_nodes import Clock, Node, watch
from stores import SharedFiles

from job.batch import cancelling, queue, queue_nodes, stored_queue
from job.batch.batch_options import BatchOptions
from job.batch.planning import make_plan
from job.batch.progress import Log
from job.batch.queue import JobQueue
from job.batch.queue_batch import Ended
from job.batch.queue_recorder import QueueRecorder
from job.batch.queue_results import QueueResults
from job.batch.stored_queue import GIVE_UP_SECONDS
from job.batch.task_maker import task_maker
from job.errors import StoreError
from job.spec.schema import Spec

JOBS = (job_spec("a"), job_spec("b"))


@pytest.fixture
def clock(monkeypatch):
    return watch(monkeypatch, Clock(), cancelling, queue, queue_nodes, stored_queue)


class Machine(Node):
    """A node with the queue of its jobs."""

    def __init__(self, files, root):
        super().__init__(files, root)
        planned = make_plan(Spec(path=self.output.root / "jobs.yaml", jobs=JOBS), self.output)
        log = Log(lambda line: None)
        self.results = QueueResults(self.output, log, 30.0, {})
        self.queue = JobQueue(
            planned,
            self.batch,
            QueueRecorder(log, self.output, self.batch),
            self.results,
            task_maker(self.output.root, BatchOptions(), 2, self.output.cache),
        )

    def next_job(self):
        """The name of the job that it takes, once the store has answered."""
        for _ in range(6):
            if task := self.queue.take():
                return task.job.name
            self.turn()
        return None

    def finish(self, name):
        self.results.by_name[name] = leave(self.output, job_spec(name))
        self.batch.end(name, Ended())


@pytest.fixture
def join(tmp_path, clock):
    files, count = SharedFiles(), iter(range(9))
    return lambda: Machine(files, tmp_path / f"machine{next(count)}")


def test_each_takes_one_job_after_the_other_and_all_end_with_all_results(join, clock):
    first, second = join(), join()
    assert (first.next_job(), second.next_job()) == ("a", "b")
    clock.now += 5
    assert first.next_job() is None
    for machine, name in ((first, "a"), (second, "b")):
        machine.finish(name)
        machine.turn(upload=True)
    for machine in (first, second):
        assert machine.queue.open
        clock.now += 5
        machine.turn()
        assert machine.next_job() is None
        assert machine.results.by_name.keys() == {"a", "b"}
        assert not machine.queue.open


def test_a_result_is_forgotten_if_another_node_had_taken_the_job_over(join, clock):
    slow, second = join(), join()
    assert slow.next_job() == "a"
    slow.finish("a")
    for _ in range(20):
        clock.now += 3
        second.turn()
        second.batch.nodes.beat()
        second.batch.take("a")
    assert slow.queue.open
    slow.turn()
    clock.now += 5
    assert slow.next_job() == "b"
    assert slow.results.by_name == {}
    assert slow.queue.open


def test_jobs_of_others_are_given_up_once_the_store_is_silent_for_long(join, clock):
    machine, other = join(), join()
    assert other.next_job() == "a"
    assert machine.next_job() == "b"
    machine.finish("b")
    machine.turn(upload=True)
    machine.files.faults["find"] = ["error"]
    clock.now += GIVE_UP_SECONDS + 1
    with pytest.raises(StoreError):
        machine.place.work()
    assert machine.queue.take() is None
    assert machine.results.unusable.keys() == {"a"}
    assert "s3://x has not answered for 301 s" in machine.results.unusable["a"]
    assert not machine.queue.open
