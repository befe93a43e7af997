"""Nodes that have nothing in common but a store: each with its own output directory, without threads."""

import shutil

import pytest
from finished_jobs import leave
from sample_jobs import job_spec
from stored_nodes import LEASE, Clock, Node, watch
from stores import SharedFiles

from job.batch import queue_nodes, stored_queue
from job.batch.queue_batch import REPORTS, Ended, is_leased
from job.batch.resume import read_recorded_result
from job.batch.stored_queue import GIVE_UP_SECONDS
from job.errors import OutputError, StoreError


@pytest.fixture
def clock(monkeypatch):
    return watch(monkeypatch, Clock(), queue_nodes, stored_queue)


@pytest.fixture
def files():
    return SharedFiles()


@pytest.fixture
def join(files, tmp_path, clock):
    """Return a new node of the batch."""
    count = iter(range(9))
    return lambda plan="p": Node(files, tmp_path / f"machine{next(count)}", plan)


def look(nodes, clock, seconds, name="a"):
    """Let nodes look for a job for some time; return the one that gets it, and its lease."""
    for _ in range(int(seconds / 3) + 1):
        for node in nodes:
            node.turn()
            if lease := node.take(name):
                return node, lease
        clock.now += 3
    return None, None


def test_only_one_node_gets_a_lease_of_a_job(join):
    first, second = join(), join()
    assert first.batch.folder.name == second.batch.folder.name
    lease = first.take("a")
    assert lease.held
    assert second.take("a") is None
    assert second.take("b").held
    assert is_leased(second.output.queue, "a")


def test_two_that_ask_at_once_are_not_both_given_it(join):
    first, second = join(), join()
    assert first.batch.take("a") is None
    assert second.batch.take("a") is None
    for node in (second, first):
        node.turn()
    assert second.batch.take("a").held
    assert first.batch.take("a") is None
    assert not first.batch.taking


def test_a_node_that_lives_keeps_its_lease_whatever_its_main_loop_does(join, clock):
    first, second = join(), join()
    lease = first.take("a")
    for _ in range(100):
        clock.now += 3
        first.place.work()
        second.turn()
        assert second.take("a") is None
    first.turn()
    assert lease.held


def test_the_job_of_a_lost_node_is_taken_over_by_one_other_from_its_last_checkpoint(join, clock, files):
    lost, second, third = join(), join(), join()
    lease = lost.take("a")
    lost.leave_files(checkpoint__ab_20="state")
    lost.turn(upload=True)
    assert look([second, third], clock, LEASE * 0.8) == (None, None)
    node, taken = look([second, third], clock, LEASE)
    assert taken.number == 2
    assert (node.output.job("a").checkpoint / "ab_20").read_text() == "state"
    other = third if node is second else second
    assert look([other, node], clock, LEASE / 2) == (None, None)
    before = files.contents()
    lost.leave_files(checkpoint__ab_40="later", result_json="{}")  # it was only suspended
    assert lost.mirror.sync() == {}
    assert {path: text for path, text in files.contents().items() if "jobs/" in path} == {
        path: text for path, text in before.items() if "jobs/" in path
    }
    assert not lease.held


def test_an_end_is_told_once_the_result_is_there_and_seen_once_it_is_here(join):
    first, second = join(), join()
    first.take("a")
    first.leave_files(result_json="{}", model__weights="w")
    first.batch.end("a", Ended(failed=True))
    first.turn()
    second.turn()
    assert first.batch.ended() == {"a"}
    assert first.place.unsettled
    assert second.batch.ended() == set()
    first.turn(upload=True)
    assert not first.place.unsettled
    second.place.work()
    assert second.batch.ended() == set()
    assert second.take("a") is None
    second.turn()
    assert second.batch.ended() == {"a"}
    assert second.batch.read_ended("a") == Ended(failed=True)
    assert (second.output.job("a").model / "weights").read_text() == "w"


def test_an_end_does_not_count_if_another_node_has_taken_the_job_over(join, clock):
    slow, second = join(), join()
    slow.take("a")
    slow.leave_files(result_json="{}")
    slow.batch.end("a", Ended())
    clock.now += 1
    node, _ = look([second], clock, 2 * LEASE)
    assert node is second
    slow.turn(upload=True)
    assert slow.place.unsettled
    assert slow.place.refuted() == ["a"]
    assert slow.batch.ended() == set()
    assert not slow.place.unsettled


def test_while_the_store_does_not_answer_nobody_is_taken_for_lost(join, clock, files):
    first, second = join(), join()
    first.take("a")
    second.turn()
    files.faults["find"] = ["error"] * 100
    for _ in range(20):
        clock.now += GIVE_UP_SECONDS / 15
        for node in (first, second):
            node.batch.nodes.beat()
            with pytest.raises(StoreError):
                node.place.work()
        assert second.batch.take("a") is None
    assert second.place.unreachable().startswith("s3://x has not answered for 400 s")
    files.faults["find"] = []
    first.turn()
    second.turn()
    assert second.take("a") is None
    assert second.place.unreachable() == ""


@pytest.mark.parametrize("fault", ["lie", "error"])
def test_a_lease_is_this_nodes_if_the_store_has_it_so_though_the_answer_was_lost(join, files, fault):
    node = join()
    assert node.batch.take("a") is None
    files.faults["write"] = [fault]
    node.place._beaten_at = node.batch.nodes._beaten_at  # no heartbeat is due
    with pytest.raises(StoreError):
        node.place.work()
    node.turn()
    assert (node.batch.take("a") is not None) == (fault == "lie")
    assert node.take("a") is None if fault == "lie" else node.take("a").number == 1


def test_without_a_look_at_the_leases_nothing_is_uploaded(join, clock, files):
    node = join()
    node.take("a")
    node.leave_files(model__weights="w")
    clock.now += 2
    files.faults["find"] = ["error"]
    assert "Connection reset" in node.mirror.sync()["jobs/a"]
    assert "jobs/a/model/weights" not in files.contents()
    assert node.mirror.sync() == {}
    assert "jobs/a/model/weights" in files.contents()


def test_a_node_that_leaves_frees_its_jobs_at_once_and_uploads_them_no_more(join, files):
    first, second = join(), join()
    first.take("a")
    first.leave()
    second.turn()
    assert second.take("a").number == 2
    first.leave_files(result_json="{}")
    assert first.mirror.sync() == {}
    assert "jobs/a/result.json" not in files.contents()


def test_a_node_that_leaves_while_its_heartbeat_is_written_says_so_all_the_same(join, clock):
    first, second = join(), join()
    first.take("a")
    put = first.place._files.put

    def leaving(path, record):
        first.place._files.put = put
        first.batch.nodes.beat(left=True)
        put(path, record)

    first.place._files.put = leaving
    clock.now += 3
    first.place.work()
    first.place.work()
    second.turn()
    assert second.take("a").number == 2


def test_one_node_uploads_the_reports_and_the_others_wait_for_it(join, files):
    first, second = join(), join()
    for node in (first, second):
        (node.output.root / "report.json").write_text(node.output.root.name)
    assert first.take(REPORTS).held
    assert second.take(REPORTS) is None
    assert second.mirror.sync() == {}
    first.turn(upload=True)
    assert files.contents()["report.json"] == b"machine0"
    first.place.leave(uploaded=False)  # it was stopped before it knew everything
    first.place.work()
    second.turn()
    second.place._take_reports()
    second.turn()
    second.place.await_reports(lambda: False)
    second.turn(upload=True)
    assert files.contents()["report.json"] == b"machine1"
    second.place.leave(uploaded=True)
    second.place.work()
    third = join()
    assert third.batch.folder.name == "2"  # the first batch is over
    third.take(REPORTS)
    (third.output.root / "report.json").write_text("later")
    third.turn(upload=True)
    assert files.contents()["report.json"] == b"later"


def test_a_node_that_is_stopped_uploads_its_reports_before_it_leaves_if_they_are_its_own(join, files):
    first, second = join(), join()
    assert first.take(REPORTS).held
    for node, name in ((first, "a"), (second, "b")):
        node.take(name)
        node.leave_files(name, checkpoint__ab_20="state")
        (node.output.root / "report.json").write_text(node.output.root.name)
        node.batch.leave(node.mirror.sync, done=False)
        node.place.work()
    assert second.place.has_left
    assert not first.place.has_left
    first.leave_files(result_json="{}")
    assert first.mirror.sync() == {}
    first.place.leave(uploaded=True)
    first.place.work()
    found = files.contents()
    assert found["report.json"] == b"machine0"
    assert sorted(path for path in found if path.startswith("jobs/")) == [
        f"jobs/{name}/checkpoint/ab_20" for name in "ab"
    ]
    third = join()
    third.turn()
    assert third.take(REPORTS).held


def test_a_node_that_comes_later_finds_what_has_ended(join, files):
    first = join()
    first.take("a")
    first.leave_files(result_json="{}")
    first.batch.end("a", Ended())
    first.turn(upload=True)
    second = join()
    second.turn()
    assert second.batch.ended() == {"a"}
    assert second.output.job("a").result.exists()


def test_another_plan_is_refused_while_a_node_lives(join, clock, monkeypatch):
    living = join("p")
    monkeypatch.setattr(
        clock, "sleep", lambda seconds: (living.turn(), setattr(clock, "now", clock.now + seconds))
    )
    with pytest.raises(OutputError, match="the store s3://x is in use by nodes that run another spec"):
        join("q")


def test_a_batch_that_was_begun_anew_ends_the_leases_of_the_one_before(join):
    first = join()
    lease = first.take("a")
    first.place.create(first.output.queue / "batch-2.json", b"{}")
    first.place.refresh()
    assert not lease.held


def test_foreign_objects_are_left_alone(join, files, tmp_path):
    node = join()
    for path in ("queue/../../evil", "queue/1/leases/..", "queue/1/nodes/x", "queue/note"):
        files.pipe_file(f"/run/{path}", b"{}")
    node.turn()
    assert sorted(path.name for path in node.output.queue.iterdir()) == ["1", "batch-1.json"]
    shutil.rmtree(tmp_path / "machine0")


def test_the_end_of_a_job_that_another_node_has_ended_meanwhile_does_not_count(join, clock, files):
    slow, second = join(), join()
    lease = slow.take("a")
    clock.now += 1
    assert look([second], clock, 2 * LEASE)[0] is second
    second.leave_files(result_json="theirs")
    second.batch.end("a", Ended())
    second.turn(upload=True)
    slow.leave_files(result_json="ours")  # before it has looked at the store again
    slow.batch.end("a", Ended(failed=True))
    slow.turn(upload=True)
    assert not lease.held
    assert slow.place.refuted() == ["a"]
    for _ in range(3):
        clock.now += 10
        slow.turn(upload=True)
    assert slow.batch.read_ended("a") == Ended()
    assert slow.output.job("a").result.read_text() == "theirs"
    assert files.contents()["jobs/a/result.json"] == b"theirs"


def test_a_finished_result_that_does_not_count_gives_way_to_the_one_that_does(join, clock, files):
    slow, second = join(), join()
    slow.take("a")
    leave(slow.output, job_spec("a"), metrics={"sequence_accuracy": 0.1})
    slow.batch.end("a", Ended())
    clock.now += 1
    assert look([second], clock, 2 * LEASE)[0] is second
    leave(second.output, job_spec("a"), metrics={"sequence_accuracy": 0.9})
    slow.turn(upload=True)
    assert slow.place.refuted() == ["a"]
    second.batch.end("a", Ended())
    second.turn(upload=True)
    for _ in range(3):
        clock.now += 10
        slow.turn(upload=True)
    assert "a" in slow.batch.ended()
    assert read_recorded_result(slow.output.job("a"))[0].metrics == {"sequence_accuracy": 0.9}
