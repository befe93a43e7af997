"""What several nodes of a batch agree on, each with its own view of the same directory."""

import pytest

from job.batch import queue_nodes
from job.batch.queue_batch import Ended, QueueBatch
from job.batch.queue_joining import join_batch
from job.batch.queue_nodes import QueueNodes
from job.errors import LeaseLostError, OutputError
from job.results.batch_report import SetAside
from job.storage.lease import Lease

LEASE = 30.0
NAMES = ("a", "b")


class Clock:
    """Time as the nodes read it; `sleep` lets it pass and calls `meanwhile`."""

    def __init__(self):
        self.now = 1000.0
        self.meanwhile = lambda: None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(queue_nodes, "time", found)
    return found


@pytest.fixture
def join(output, clock):
    """Return a new node of the batch."""

    def new(plan="p"):
        return join_batch(output, plan, NAMES, LEASE)

    return new


def look(batch, clock, seconds):
    """Let a node look for a job for some time; return what it gets."""
    for _ in range(int(seconds / batch.nodes.beat_seconds) + 1):
        batch.nodes.beat()
        if lease := batch.take("a"):
            return lease
        clock.now += batch.nodes.beat_seconds
    return None


def test_only_one_node_gets_a_lease_of_a_job(join):
    first, second = join(), join()
    assert first.folder == second.folder
    lease = first.take("a")
    assert lease.held
    assert second.take("a") is None
    assert first.take("a") is None
    assert second.take("b").held


def test_a_node_that_lives_keeps_its_lease(join, clock):
    first, second = join(), join()
    lease = first.take("a")
    for _ in range(100):
        clock.now += first.nodes.beat_seconds
        first.nodes.beat()
        second.nodes.beat()
        assert second.take("a") is None
    assert lease.held


def test_the_job_of_a_lost_node_is_taken_over_by_one_other(join, clock):
    lost, second, third = join(), join(), join()
    lease = lost.take("a")
    taken = look(second, clock, 2 * LEASE)
    assert taken is not None
    assert taken.number == 2
    assert taken.held
    assert not lease.held
    with pytest.raises(LeaseLostError):
        lease.check()
    assert look(third, clock, LEASE / 2) is None  # the second has just begun to work on it


def test_a_lost_node_is_lost_after_the_lease_time_and_not_before(join, clock):
    lost, second = join(), join()
    lost.take("a")
    assert look(second, clock, LEASE * 0.9) is None
    assert look(second, clock, LEASE * 0.3) is not None


def test_a_node_is_watched_while_there_is_no_job_to_take(join, clock):
    lost, busy = join(), join()
    lost.take("a")
    for _ in range(15):
        busy.nodes.beat()
        clock.now += busy.nodes.beat_seconds
    assert busy.take("a").number == 2


def test_a_node_that_was_suspended_does_not_take_the_others_for_lost(join, clock):
    first, suspended = join(), join()
    first.take("a")
    suspended.take("a")
    clock.now += 100 * LEASE
    assert suspended.take("a") is None
    assert suspended.take("a") is None


def test_a_node_that_leaves_frees_its_jobs_at_once(join):
    first, second = join(), join()
    lease = first.take("a")
    first.nodes.beat(left=True)
    assert second.take("a").number == 2
    assert not lease.held


def test_clocks_are_not_compared(join, clock):
    """A node whose monotonic clock is at another time counts all the same."""
    first = join()
    first.take("a")
    clock.now = 5.0
    second = QueueBatch(first.folder, first.began_at, QueueNodes(first.folder / "nodes", LEASE))
    second.nodes.beat()
    assert second.take("a") is None


@pytest.mark.parametrize("damage", [b"", b"{", b"\0\xff", b'{"node": 3}', b'{"node": "../../x"}'])
def test_a_damaged_lease_is_taken_over_like_that_of_a_lost_node(join, clock, damage):
    first, second = join(), join()
    first.take("a").file.write_bytes(damage)
    assert second.take("a") is None
    assert look(second, clock, 2 * LEASE).number == 2


def test_what_has_ended_is_known_to_all(join):
    first, second = join(), join()
    aside = SetAside("a", "it is damaged", "superseded/a-1")
    first.end("a", Ended(reused=True, failed=True, set_aside=(aside,)))
    second.end("a", Ended())
    assert second.ended() == {"a"}
    assert second.read_ended("a") == Ended(reused=True, failed=True, set_aside=(aside,))
    (first.folder / "ended" / "b").write_bytes(b'{"set_aside": [{"x": 1}]}')
    assert second.read_ended("b") == Ended()


def test_the_lease_of_a_batch_that_is_gone_is_lost(tmp_path):
    assert not Lease(tmp_path / "gone" / "a", 1).held


# --- which batch --------------------------------------------------------------------------------------------


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_batch_that_all_have_left_is_over(join, output):
    first, second = join(), join()
    for node in (first, second):
        node.nodes.beat(left=True)
    third = join()
    assert third.folder != first.folder
    assert join().folder == third.folder
    assert names_in(output.queue) == ["1", "2", "batch-1.json", "batch-2.json"]
    for path in (third.folder / "nodes").iterdir():
        path.write_text('{"left": true}')
    join()
    assert names_in(output.queue) == ["2", "3", "batch-2.json", "batch-3.json"]


def test_a_batch_whose_nodes_were_lost_goes_on(join):
    lost = join()
    lost.end("a", Ended(failed=True))
    assert join().folder == lost.folder


def test_when_all_have_ended_what_failed_is_run_again_unless_a_node_lives(join, clock):
    node = join()
    for name in NAMES:
        node.end(name, Ended(failed=name == "b"))
    clock.meanwhile = node.nodes.beat
    assert join().folder == node.folder
    clock.meanwhile = lambda: None
    before = clock.now
    assert join().folder != node.folder
    assert clock.now > before + LEASE


def test_another_plan_is_refused_while_a_node_lives(join, clock):
    living = join("p")
    clock.meanwhile = living.nodes.beat
    with pytest.raises(OutputError, match="is in use by nodes that run another spec") as caught:
        join("q")
    assert caught.value.exit_code == 2
    clock.meanwhile = lambda: None
    assert join("q").folder != living.folder


@pytest.mark.parametrize("damage", [b"", b"{", b'{"plan": "p", "began": "now"}'])
def test_a_damaged_batch_is_replaced(join, output, damage):
    first = join()
    (output.queue / "batch-1.json").write_bytes(damage)
    assert join().folder != first.folder
