"""Which process of a cluster made an attempt fail: what an error and the ends of the others' parts tell."""

import socket

import pytest

from job.batch.cluster import Cluster
from job.batch.cluster_parts import ClusterParts, unreachable
from job.results.job_result import Failure

ADDRESSES = ("node0:1", "node1:2", "node2:3")
NAMES = [f"process {rank} of 3 ({address})" for rank, address in enumerate(ADDRESSES)]
KEY = "together.1001"

UNHEALTHY = """\
Graph execution error:

Detected at node CollectiveReduceV2 defined at (most recent call last):
/job:worker/replica:0/task:0/device:CPU:0
Collective ops is aborted by: Error reported from /job:worker/task:0: The following tasks are unhealthy:
{tasks}
The tasks have crashed.
"""


def unavailable(*ranks):
    tasks = "\n".join(f"/job:worker/replica:0/task:{rank}" for rank in ranks)
    return Failure("UnavailableError", UNHEALTHY.format(tasks=tasks))


TIMED_OUT = Failure("DeadlineExceededError", "Collective ops is aborted by: waited 60 s")


@pytest.fixture
def parts(tmp_path):
    """Return the parts as one of the processes sees them."""
    return lambda rank: ClusterParts(Cluster(ADDRESSES, rank), tmp_path, grace_seconds=0.0)


def test_a_process_whose_heartbeats_stopped_is_named(parts):
    failure = parts(0).peer_failure(KEY, unavailable(2))
    assert failure.type == "WorkerLost"
    assert failure.message.startswith(f"{NAMES[2]} was lost, hangs or cannot be reached (")
    assert failure.message.endswith("(UnavailableError: The following tasks are unhealthy)")


def test_if_nobody_is_heard_of_it_may_be_the_own_network(parts):
    failure = parts(0).peer_failure(KEY, unavailable(1, 2))
    assert failure.message.startswith(f"{NAMES[0]} or {NAMES[1]}, {NAMES[2]} was lost")


def test_a_number_that_no_process_has_is_left_out(parts):
    assert NAMES[1] in parts(0).peer_failure(KEY, unavailable(1, 7)).message


def test_of_those_that_wait_the_one_that_does_not_is_named(parts):
    """Process 1 gave up waiting, too; process 2 hangs."""
    parts(1).end(KEY, TIMED_OUT)
    failure = parts(0).peer_failure(KEY, TIMED_OUT)
    assert failure.message == (
        f"{NAMES[2]} was lost, hangs or cannot be reached (DeadlineExceededError: waited 60 s)"
    )


def test_if_all_wait_nobody_is_named(parts):
    for rank in (1, 2):
        parts(rank).end(KEY, TIMED_OUT)
    assert parts(0).peer_failure(KEY, TIMED_OUT).message.startswith("a process of the cluster was lost")


def test_a_lost_worker_is_the_reason_whatever_the_error(parts):
    parts(1).end(KEY, Failure("WorkerLost", "the worker process was killed by SIGKILL"))
    for failure in (unavailable(2), Failure("ValueError", "no")):
        found = parts(0).peer_failure(KEY, failure)
        assert found.message.startswith(f"{NAMES[1]}: the worker process was killed by SIGKILL (")


def test_an_error_of_its_own_of_another_process_is_the_reason(parts):
    parts(2).end(KEY, Failure("ResourceExhaustedError", "out of memory"))
    found = parts(0).peer_failure(KEY, TIMED_OUT)
    assert found.message.startswith(f"{NAMES[2]}: ResourceExhaustedError: out of memory (")


def test_an_error_of_its_own_of_the_chief_is_none_of_another_process(parts):
    parts(2).end(KEY, Failure("TrainingError", "this process would resume from step 3"))
    assert parts(0).peer_failure(KEY, Failure("TrainingError", "all must share the directory")) is None


def test_the_parts_of_other_attempts_do_not_count(parts):
    parts(1).end("together.1000", Failure("WorkerLost", "killed"))
    assert parts(0).peer_failure(KEY, Failure("TrainingError", "no")) is None


def test_the_own_worker_is_named(parts):
    failure = parts(0).lost(Failure("WorkerLost", "the worker process was killed by SIGKILL; log:\nlast"))
    assert failure.message == f"{NAMES[0]}: the worker process was killed by SIGKILL; log:\nlast"


def test_a_process_that_does_not_answer_at_its_address_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in (listening, closed)]
        addresses = (*(f"127.0.0.1:{port}" for port in ports), "no-such-host.invalid:1", "[::1]:9")
        cluster = Cluster(("127.0.0.1:9", *addresses[:3]), 0)
        assert unreachable(cluster) == [2, 3]
        failure = ClusterParts(cluster, None).not_joined(Failure("WorkerLost", "waited"))
    assert failure.message == (f"{cluster.name(2)}, {cluster.name(3)} cannot be reached (WorkerLost: waited)")


def test_if_all_answer_none_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        cluster = Cluster(("127.0.0.1:9", f"127.0.0.1:{listening.getsockname()[1]}"), 0)
        failure = ClusterParts(cluster, None).not_joined(Failure("WorkerLost", "waited"))
    assert failure.message == "a process of the cluster did not begin (WorkerLost: waited)"
