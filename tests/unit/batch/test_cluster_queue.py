"""One process of a cluster between two messages of its workers: what it reads of the shared directory."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from finished_jobs import BEAM, leave
from sample_jobs import job_spec

from job.batch import cancelling, cluster_jobs, cluster_parts, cluster_queue, queue, queue_nodes
from job.batch.batch_options import BatchOptions
from job.batch.cluster import Cluster
from job.batch.cluster_jobs import join_processes
from job.batch.cluster_queue import node_queue
from job.batch.progress import Log
from job.batch.queue_batch import Ended
from job.batch.queue_joining import join_batch
from job.batch.queue_recorder import QueueRecorder
from job.batch.queue_results import QueueResults
from job.batch.shared_trainings import share_trainings
from job.batch.task_maker import task_maker
from job.process.stopping import Stop
from job.results.job_result import Failure
from job.spec.evaluation_section import EvaluationSpec
from job.spec.training_section import TrainingSpec

ADDRESSES = ("localhost:1", "localhost:2", "localhost:3")


class Clock:
    """Time as the processes read it."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    for module in (cancelling, cluster_jobs, cluster_parts, cluster_queue, queue, queue_nodes):
        monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def join(output, clock):
    """Return the queue of a process of the cluster, and what it tells the others."""

    def new(rank):
        batch = join_batch(output, "p", ("together",), 60.0)
        jobs = join_processes(Cluster(ADDRESSES, rank), batch, Stop())
        recorder = SimpleNamespace(output=output)
        results = QueueResults(output, Log(lambda line: None), 60.0, {})
        return node_queue([], batch, recorder, results, None, jobs), jobs, batch

    return new


SHARED = TrainingSpec(distribution="multi_worker")


@pytest.mark.parametrize(
    "training",
    [
        TrainingSpec(start_from="parent"),
        TrainingSpec(start_from="parent", distribution="multi_worker"),
        SHARED,
    ],
    ids=["starts", "starts and is shared", "same training"],
)
def test_a_job_that_waits_for_a_shared_one_does_not_hold_it_up(output, plan, training):
    """Whatever the order is in which the jobs are taken: the costliest first."""
    batch = join_batch(output, "p", ("child", "parent"), 60.0)
    jobs = join_processes(Cluster(ADDRESSES, 0), batch, Stop())
    log = Log(lambda line: None)
    planned = share_trainings(
        plan(
            job_spec("parent", seed=1, training=SHARED),
            job_spec("child", seed=1, training=training, evaluation=EvaluationSpec(decoder="beam")),
        )
    )
    results = QueueResults(output, log, 60.0, {})
    make_task = task_maker(output.root, BatchOptions(), 2, output.cache)
    recorder = QueueRecorder(log, output, batch, jobs)
    queue = node_queue(planned[::-1], batch, recorder, results, make_task, jobs)
    task = queue.take()
    assert task is not None
    assert (task.job.name, task.cluster.rank) == ("parent", 0)


def test_a_model_is_evaluated_again_by_all_processes_from_the_files_of_the_chief(output, plan):
    """The chief evaluates a copy, which becomes the job directory once that is complete."""
    job = job_spec("fine", training=SHARED)
    leave(output, job)
    planned = plan(job.model_copy(update={"evaluation": BEAM}))
    make_task = task_maker(output.root, BatchOptions(), 1, output.cache)
    tasks = []
    for rank in range(2):
        batch, log = join_batch(output, "p", ("fine",), 60.0), Log(lambda line: None)
        jobs = join_processes(Cluster(ADDRESSES[:2], rank), batch, Stop())
        recorder, results = QueueRecorder(log, output, batch, jobs), QueueResults(output, log, 60.0, {})
        task = node_queue(planned, batch, recorder, results, make_task, jobs).take()
        if not rank:
            jobs.announce(task)
        tasks.append(task)
    chief, member = tasks
    assert (chief.trained.name, chief.is_member, chief.variables != {}) == ("fine", False, True)
    assert (member.is_member, member.cluster.evaluates) == (True, True)
    assert member.paths.model == chief.paths.model != output.job("fine").model
    assert member.paths.log != chief.paths.log


READS = {"open", "os.listdir", "os.scandir"}
seen: list[str] = []
watched: list[str] = []


def count_reads(event, args):
    if watched and event in READS and str(args[0]).startswith(watched[0]):
        seen.append(f"{event} {args[0]}")


sys.addaudithook(count_reads)


@pytest.fixture
def reads(output):
    """The files and directories of the batch that are read while the test runs."""
    seen.clear()
    watched.append(str(output.root / "queue"))
    yield seen
    watched.clear()


@pytest.mark.parametrize("rank", [0, 1], ids=["chief", "member"])
def test_a_running_task_costs_one_look_a_second(join, clock, make_task, reads, rank):
    """The schedule asks four times a second; two tasks and requests to stop share what is read."""
    members = [join(rank), *(join(other) for other in range(3) if other != rank)]
    queue, jobs, _ = members[0]
    tasks = [replace(make_task(f"fine-{i}"), cluster=jobs.place(f"fine-{i}.1001")) for i in (1, 2)]
    clock.now += 10
    for _, _, batch in members:
        batch.nodes.beat()  # now with its rank
    reads.clear()
    for _ in range(40):
        clock.now += 0.25
        jobs.follow_stop()
        assert [queue.intent(task) for task in tasks] == ["run", "run"]
    looks = sum(event.endswith("/nodes") for event in reads)
    assert 9 <= looks <= 11, reads
    records = sum(event.endswith(".json") for event in reads)
    assert records <= len(ADDRESSES) * 11, reads
    assert len(reads) - looks - records <= 2 * 11, reads


@pytest.mark.parametrize("number", [1, 2])
def test_the_part_of_a_job_that_has_ended_is_dropped_whichever_task_it_is(join, clock, make_task, number):
    """A part that hangs may still run when the process takes part in the next job."""
    (_, _, batch), (queue, jobs, _), _ = join(0), join(1), join(2)
    tasks = [replace(make_task(f"fine-{i}"), cluster=jobs.place(f"fine-{i}.1001")) for i in (1, 2)]
    assert [queue.intent(task) for task in tasks] == ["run", "run"]
    batch.end(f"fine-{number}", Ended())
    clock.now += 1.01
    expected = ["drop" if i == number else "run" for i in (1, 2)]
    assert [queue.intent(task) for task in tasks] == expected


@pytest.mark.parametrize("number", [1, 2])
def test_the_part_in_an_attempt_is_dropped_when_another_begins(join, clock, make_task, number):
    (_, chief, _), (queue, jobs, _), _ = join(0), join(1), join(2)
    tasks = [replace(make_task(f"fine-{i}"), cluster=jobs.place(f"fine-{i}.1001")) for i in (1, 2)]
    assert [queue.intent(task) for task in tasks] == ["run", "run"]
    chief.announce(replace(tasks[number - 1], attempt=2, cluster=chief.place("")))
    clock.now += 1.01
    expected = ["drop" if i == number else "run" for i in (1, 2)]
    assert [queue.intent(task) for task in tasks] == expected
    jobs.join(jobs.announced(f"fine-{number}"))
    assert [queue.intent(task) for task in tasks] == ["run", "run"], "it has joined the new attempt"


@pytest.mark.parametrize("stopped", [0, 1], ids=["chief", "member"])
def test_a_process_that_leaves_as_it_was_asked_to_is_not_lost(join, clock, make_task, stopped):
    """The other reads of the request and that it has left at once, between two looks for requests."""
    processes = [join(0), join(1), join(2)]
    clock.now += 10
    for _, _, batch in processes:
        batch.nodes.beat()  # now with its rank
    queue, jobs, _ = processes[1 - stopped]
    task = replace(make_task("fine"), cluster=jobs.place("fine.1001"))
    clock.now += 1.01
    assert queue.intent(task) == "run"
    processes[stopped][1].nodes.tell_stop("SIGTERM", 143)
    processes[stopped][1].nodes.beat(left=True)
    jobs.follow_stop()  # from what was read before
    clock.now += 1.01
    assert queue.intent(task) == "run"
    jobs.follow_stop()
    assert jobs.stop.request.exit_code == 143


def test_a_process_that_leaves_without_being_asked_is_lost(join, clock, make_task):
    (queue, jobs, chief), (_, _, member), (_, _, other) = join(0), join(1), join(2)
    clock.now += 10
    for batch in (chief, member, other):
        batch.nodes.beat()
    task = replace(make_task("fine"), cluster=jobs.place("fine.1001"))
    clock.now += 1.01
    assert queue.intent(task) == "run"
    member.nodes.beat(left=True)
    clock.now += 1.01
    assert queue.intent(task) == "lost"


@pytest.mark.parametrize("failure", [None, Failure("UnavailableError", "no heartbeat")])
def test_the_chiefs_worker_hangs_if_it_does_not_notice_that_a_part_has_failed(
    join, clock, make_task, failure
):
    """A part that ended without a failure may have ended long before: the chief scores and exports alone."""
    processes = [join(0), join(1), join(2)]
    (queue, jobs, _), (member, member_jobs, _), _ = processes
    task = replace(make_task("fine"), cluster=jobs.place(""))
    jobs.announce(task)
    intents = []
    for second in range(70):
        clock.now += 1
        for _, _, batch in processes:
            batch.nodes.beat()
        if second == 3:
            key = member_jobs.announced("fine")
            member.member_ended(replace(task, cluster=member_jobs.place(key)), failure)
        intents.append(queue.intent(task))
    if failure is None:
        assert set(intents) == {"run"}
        return
    assert set(intents[:63]) == {"run"}
    assert set(intents[65:]) == {"hung"}
    message = queue.hung(task).message
    assert message.startswith("process 0 of 3 (localhost:1): its worker hangs: it still ran 6")
    assert "after process 1 of 3 (localhost:2) ended with UnavailableError: no heartbeat" in message


def test_a_request_to_stop_arrives_within_a_second(join, clock):
    (_, chief, _), (_, member, _) = join(0), join(1)
    chief.nodes.tell_stop("SIGTERM", 143)
    clock.now += 1.01
    member.follow_stop()
    assert member.stop.request.cause == "SIGTERM"
