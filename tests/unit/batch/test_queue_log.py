"""What the log of one node of a queue says of the others while its own workers are busy."""

from types import SimpleNamespace

import pytest
from finished_jobs import leave
from sample_jobs import job_spec

from job.batch import progress, queue
from job.batch.batch_options import BatchOptions
from job.batch.progress import LINE_SECONDS, Log
from job.batch.queue import JobQueue
from job.batch.queue_batch import Ended
from job.batch.queue_joining import join_batch
from job.batch.queue_recorder import QueueRecorder
from job.batch.queue_results import QueueResults
from job.batch.task_maker import task_maker

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def clock(monkeypatch):
    found = SimpleNamespace(now=1000.0, monotonic=lambda: found.now)
    for module in (progress, queue):
        monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def join(output, plan, clock):
    """Return the queue of a new node, its view of the batch, its log and the lines of that."""
    planned = plan(*(job_spec(name) for name in NAMES))

    def new():
        lines = []
        log = Log(lines.append)
        log.begun(len(planned))
        batch = join_batch(output, "p", NAMES, 60.0)
        make_task = task_maker(output.root, BatchOptions(), 1, output.cache)
        results = QueueResults(output, log, 60.0, {})
        recorder = QueueRecorder(log, output, batch)
        return JobQueue(planned, batch, recorder, results, make_task), batch, log, lines

    return new


def test_a_busy_node_says_what_the_others_have_done_and_do(join, output, clock):
    (mine, _, log, lines), (other, batch, *_) = join(), join()
    task = mine.take()
    log.started(task.job.name)
    assert [other.take().job.name for _ in range(2)] == ["b", "c"]
    leave(output, job_spec("b"))
    batch.end("b", Ended())
    clock.now += LINE_SECONDS
    assert mine.intent(task) == "run"
    log.tick()
    assert [line.split(" ", 1)[1] for line in lines[-2:]] == [
        "b: trained, sequence accuracy 50.00 %",
        "batch: 1 of 4 jobs done, 1 running here, 1 on other nodes, 1 waiting",
    ]


def test_a_node_without_work_says_what_the_others_do_until_they_have_ended(join, output, clock):
    (mine, *_, log, lines), (other, batch, *_) = join(), join()
    taken = [other.take().job.name for _ in NAMES]
    assert mine.take() is None
    clock.now += LINE_SECONDS
    log.tick()
    assert lines[-1].endswith("batch: 0 of 4 jobs done, 4 on other nodes")
    for name in taken:
        leave(output, job_spec(name))
        batch.end(name, Ended())
    clock.now += LINE_SECONDS
    assert mine.take() is None
    log.tick()
    assert lines[-1].endswith("batch: 4 of 4 jobs done")
