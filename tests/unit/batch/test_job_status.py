import json
import os
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from sample_jobs import job_result

from job.batch import job_status
from job.batch.balanced_shards import deal_jobs
from job.batch.batch_status import BatchStatus, batch_status
from job.batch.heartbeat import LOST_SECONDS
from job.batch.heartbeat_writer import Heartbeats
from job.batch.job_state import JobStatus
from job.batch.job_status import StatusReader
from job.batch.queue_batch import Ended
from job.batch.queue_joining import join_batch
from job.batch.shard_file import agreed_deal
from job.errors import OutputError
from job.gating.plan_file import PlanEntry, write_entries
from job.results.job_result import Failure, GateOutcome
from job.spec.gate_section import GateSpec
from job.storage.artifacts import OutputPaths, prepare_output

NAMES = ("a", "b", "c")


@pytest.fixture
def planned(output):
    """An output directory with a plan of three jobs."""
    write_entries(output, [PlanEntry(name, "f" * 64, GateSpec(), seed=7) for name in NAMES])
    return output


def leave(output, name, status="passed", **fields):
    output.job(name).directory.mkdir(exist_ok=True)
    output.job(name).result.write_text(job_result(name, status, **fields).to_json())


def beat(make_task, name, **changes):
    """Leave a heartbeat, changed as asked."""
    task = make_task(name)
    Heartbeats(OutputPaths(task.paths.directory.parents[1])).start(task)
    content = {**json.loads(task.paths.progress.read_text()), **changes}
    task.paths.progress.write_text(json.dumps(content))
    return task.paths.progress


def ago(seconds):
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()


def states(*outputs):
    return {job.name: job.state for job in StatusReader([output.root for output in outputs]).read()}


def test_a_batch_that_has_not_begun_waits(planned):
    jobs = StatusReader([planned.root]).read()
    assert [job.name for job in jobs] == [*NAMES]
    assert {job.state for job in jobs} == {"waiting"}


def test_running_jobs_say_where_and_how_far_they_are(planned, make_task):
    moment = ago(1)
    beat(
        make_task,
        "a",
        step=3,
        steps=10,
        steps_per_second=2.0,
        eta_seconds=3.5,
        total_seconds=5.0,
        done=0.3,
        heartbeat=moment,
    )
    beat(make_task, "b", step=10, steps=10, done=0.8, evaluating_seconds=4.0)
    found = StatusReader([planned.root]).read()
    assert found[0] == JobStatus(
        name="a",
        state="training",
        host=os.uname().nodename,
        step=3,
        steps=10,
        steps_per_second=2.0,
        eta_seconds=3.5,
        expected_seconds=5.0,
        done=0.3,
        heartbeat=moment,
    )
    assert (found[1].done, found[1].evaluating_seconds) == (0.8, 4.0)
    assert [job.state for job in found] == ["training", "evaluating", "waiting"]


def test_results_say_how_jobs_ended(planned):
    leave(planned, "a", history={"step": [5, 10]}, timings={"total_seconds": 4.0})
    leave(planned, "b", "failed", error=Failure("NonFiniteError", "the loss is NaN\nand more"))
    leave(planned, "c", "interrupted", error=Failure("Interrupted", "stopped by SIGTERM"))
    a, b, c = StatusReader([planned.root]).read()
    assert (a.state, a.step, a.steps, a.seconds) == ("done", 10, 10, 4.0)
    assert [job.done for job in (a, b, c)] == [1.0, None, None]
    assert (b.state, b.reason) == ("failed", "NonFiniteError: the loss is NaN")
    assert (c.state, c.reason) == ("interrupted", "Interrupted: stopped by SIGTERM")


def test_results_are_judged_by_the_gates_of_the_plan(output):
    gate = GateSpec(min_sequence_accuracy=0.9)
    write_entries(output, [PlanEntry(name, "f" * 64, gate, seed=7) for name in ("a", "b")])
    leave(output, "a", "gate_failed", metrics={"sequence_accuracy": 0.95})
    gates = (GateOutcome("sequence_accuracy", 0.1, 0.5, True),)
    leave(output, "b", "passed", metrics={"sequence_accuracy": 0.5}, gates=gates, judged=True)
    a, b = StatusReader([output.root]).read()
    assert (a.state, a.reason) == ("passed", None)
    assert (b.state, b.reason) == ("gate_failed", "sequence_accuracy is 50 %, below its threshold of 90 %")


def test_what_a_killed_run_left_is_interrupted(planned):
    checkpoint = planned.job("a").checkpoint
    checkpoint.mkdir(parents=True)
    (checkpoint / "ffffffff-0000000001.npz").touch()
    leave(planned, "b", fingerprint="e" * 64)
    assert states(planned) == {"a": "interrupted", "b": "waiting", "c": "waiting"}


# --- lost ---------------------------------------------------------------------------------------------------


def test_a_process_of_this_machine_that_is_gone_has_lost_its_job_at_once(planned, make_task):
    gone = subprocess.Popen(["true"])
    gone.wait()
    beat(make_task, "a", pid=gone.pid)
    (found, *_) = StatusReader([planned.root]).read()
    assert found.state == "lost"
    assert found.host == os.uname().nodename
    assert found.reason.startswith("no heartbeat since ")


def test_an_old_heartbeat_of_this_machine_is_a_lost_job(planned, make_task):
    beat(make_task, "a", heartbeat=ago(LOST_SECONDS + 1))
    beat(make_task, "b", heartbeat=ago(LOST_SECONDS - 5))
    assert states(planned) == {"a": "lost", "b": "training", "c": "waiting"}


@pytest.mark.parametrize("skew", [-7200, 7200])
def test_a_machine_with_a_wrong_clock_is_alive_if_its_heartbeats_go_on(planned, make_task, monkeypatch, skew):
    lives = beat(make_task, "a", machine="other", count=7, heartbeat=ago(skew))
    beat(make_task, "b", machine="other", count=7, heartbeat=ago(skew))
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        lives.write_text(json.dumps({**json.loads(lives.read_text()), "count": 7 + len(waited)}))

    monkeypatch.setattr(job_status.time, "sleep", sleep)
    reader = StatusReader([planned.root])
    assert [job.state for job in reader.read()] == ["training", "lost", "waiting"]
    assert [job.state for job in reader.read()] == ["training", "lost", "waiting"]
    assert len(waited) == 2
    lives.unlink()
    reader.read()
    assert len(waited) == 2  # what is lost is not waited for again


# --- several directories, and damage ------------------------------------------------------------------------


def test_the_directory_with_the_most_progress_counts(planned, make_task, tmp_path):
    other = prepare_output(tmp_path / "other")
    write_entries(other, [PlanEntry(name, "f" * 64, GateSpec(), seed=7) for name in NAMES])
    beat(make_task, "a")
    leave(other, "a")
    leave(other, "b", "failed", error=Failure("E", "no"))
    beat(make_task, "b")
    assert states(planned, other) == {"a": "done", "b": "training", "c": "waiting"}


@pytest.mark.parametrize("damage", [b"", b"{", b"\0\xff", b"[]", b'{"name": "a", "status": "passed"'])
def test_no_damage_is_an_error(planned, damage):
    for name in NAMES:
        planned.job(name).directory.mkdir()
    planned.job("a").result.write_bytes(damage)
    planned.job("b").progress.write_bytes(damage)
    planned.job("c").checkpoint.write_bytes(damage)
    a, b, c = StatusReader([planned.root]).read()
    assert (a.state, b.state, c.state) == ("failed", "waiting", "waiting")
    assert "result.json cannot be read" in a.reason


def test_a_directory_without_a_plan_is_one_sentence(output, tmp_path):
    with pytest.raises(OutputError, match=r"holds no batch: there is no plan\.json"):
        StatusReader([output.root]).read()
    with pytest.raises(OutputError, match="is no directory"):
        StatusReader([tmp_path / "nowhere"]).read()


def test_nothing_is_written(planned, make_task):
    beat(make_task, "a")
    leave(planned, "b")
    before = sorted((path, path.stat().st_mtime_ns) for path in planned.root.rglob("*"))
    StatusReader([planned.root]).read()
    assert sorted((path, path.stat().st_mtime_ns) for path in planned.root.rglob("*")) == before


# --- the batch ----------------------------------------------------------------------------------------------


def training(name, left, trained=0.5, shard=None):
    return JobStatus(
        name=name,
        state="training",
        step=int(100 * trained),
        steps=100,
        eta_seconds=left,
        expected_seconds=left / (1 - trained),
        done=trained,
        shard=shard,
    )


def waiting(name):
    return JobStatus(name=name, state="waiting")


def plan_of(**costs):
    return {name: PlanEntry(name, "f" * 64, cost_seconds=cost) for name, cost in costs.items()}


def test_the_batch_ends_when_its_machines_have_worked_through_all_jobs(output):
    plan = plan_of(a=10.0, b=10.0, c=20.0, d=5.0)
    jobs = [training("a", 10.0), training("b", 30.0, 0.25), waiting("c"), waiting("d")]
    # a takes 2 and b 4 times as long as estimated, so 3: c ends at 10 + 60, d at 30 + 15
    assert batch_status(jobs, plan, [output]).eta_seconds == pytest.approx(70.0)


def test_each_shard_works_through_its_own_jobs(output):
    plan = plan_of(a=20.0, b=18.0, c=17.0, d=3.0)
    deal = deal_jobs({name: entry.cost_seconds for name, entry in plan.items()}, 2)
    assert deal.names(1) == ("a", "d")
    agreed_deal(output, deal, "p")
    jobs = [
        training("a", 10.0, shard="1-of-2"),
        training("b", 9.0, shard="2-of-2"),
        waiting("c"),
        waiting("d"),
    ]
    assert batch_status(jobs, plan, [output]).eta_seconds == pytest.approx(9.0 + 17.0)
    whole = [replace(job, shard=None) for job in jobs]
    assert batch_status(whole, plan, [output]).eta_seconds == pytest.approx(9.0 + 17.0)
    late = [training("a", 10.0, shard="1-of-2"), waiting("b"), waiting("c"), waiting("d")]
    assert batch_status(late, plan, [output]).eta_seconds == pytest.approx(18.0 + 17.0)


def test_finished_jobs_tell_how_fast_the_machines_are(output):
    plan = plan_of(a=10.0, b=10.0)
    done = JobStatus(name="a", state="passed", seconds=30.0)
    starting = JobStatus(name="b", state="training", step=0)
    assert batch_status([done, starting], plan, [output]).eta_seconds == pytest.approx(30.0)


def evaluating(name, left=None, **fields):
    return JobStatus(name=name, state="evaluating", step=100, steps=100, eta_seconds=left, **fields)


def test_an_evaluation_that_is_still_to_come_counts(output):
    plan = plan_of(a=10.0, b=20.0)
    job = evaluating("a", 12.0, expected_seconds=40.0, done=0.7)
    assert batch_status([job], plan, [output]).eta_seconds == pytest.approx(12.0)
    # b takes four times as long as estimated, as a does
    assert batch_status([job, waiting("b")], plan, [output]).eta_seconds == pytest.approx(12.0 + 80.0)


def test_an_evaluation_after_a_training_without_a_pace_takes_its_share_of_what_jobs_took(output):
    plan = plan_of(a=10.0, b=20.0)
    done = JobStatus(name="a", state="passed", seconds=30.0)
    job = evaluating("b", done=0.75, evaluating_seconds=5.0)
    assert batch_status([done, job], plan, [output]).eta_seconds == pytest.approx(60.0 / 4 - 5.0)
    assert batch_status([job], plan, [output]).eta_seconds is None


def test_what_takes_longer_than_expected_is_not_about_to_end(output):
    plan = plan_of(a=10.0, b=20.0)
    job = evaluating("a", expected_seconds=40.0, done=0.7, evaluating_seconds=13.0)
    found = batch_status([job], plan, [output])
    assert (found.eta_seconds, found.ended) == (None, False)
    assert batch_status([job, waiting("b")], plan, [output]).eta_seconds == pytest.approx(80.0)


def test_a_long_evaluation_does_not_make_the_jobs_that_wait_look_longer(output):
    """Half of a job is its evaluation: what it still takes says little of how fast the machine is."""
    plan = plan_of(a=10.0, b=10.0)
    job = JobStatus(
        name="a",
        state="training",
        step=80,
        steps=100,
        eta_seconds=12.0,
        expected_seconds=20.0,
        done=0.4,
    )
    assert batch_status([job, waiting("b")], plan, [output]).eta_seconds == pytest.approx(12.0 + 20.0)


@pytest.mark.parametrize(
    ("jobs", "left"),
    [
        ([JobStatus(name="a", state="training", step=0), waiting("b")], None),
        ([waiting("a"), waiting("b")], None),
        ([JobStatus(name="a", state="passed"), JobStatus(name="b", state="failed")], 0.0),
    ],
)
def test_no_time_is_told_before_it_is_known(output, jobs, left):
    found = batch_status(jobs, plan_of(a=1.0, b=2.0), [output])
    assert found.eta_seconds == left
    assert found.ended == (left == 0.0)


def test_the_json_document_has_a_list_of_jobs():
    found = BatchStatus((training("b", 3.0), waiting("a")), 12.5)
    record = json.loads(found.to_json())
    assert [job["name"] for job in record["jobs"]] == ["b", "a"]
    assert {
        "name",
        "state",
        "host",
        "step",
        "steps",
        "steps_per_second",
        "eta_seconds",
        "heartbeat",
        "reason",
    } <= {*record["jobs"][0]}
    assert (record["eta_seconds"], record["totals"]["running"], record["totals"]["waiting"]) == (12.5, 1, 1)


def test_a_lost_job_of_a_queue_waits_for_another_node(output):
    plan = plan_of(a=10.0, b=10.0)
    lost = JobStatus(name="b", state="lost", heartbeat="2026-03-01T13:00:00+00:00", reason="no heartbeat")
    jobs = [training("a", 10.0), lost]
    alone = batch_status(jobs, plan, [output])
    assert alone.jobs[1].reason == "no heartbeat"
    batch = join_batch(output, "p", ["a", "b"], 60.0)
    assert batch.take("b") is not None
    found = batch_status(jobs, plan, [output])
    assert found.jobs[1].reason.endswith("another node of the queue resumes it when its lease has expired")
    assert found.eta_seconds == pytest.approx(10.0 + 20.0)  # a takes twice as long as estimated
    assert alone.eta_seconds == pytest.approx(10.0)
    idle = batch_status([lost], plan, [output])  # a node waits for the lease to expire
    assert (idle.ended, idle.eta_seconds) == (False, None)
    assert idle.jobs[0].reason.endswith("another node of the queue resumes it when its lease has expired")
    stopped = batch_status([replace(lost, state="interrupted", reason="stopped")], plan, [output])
    assert (stopped.ended, stopped.jobs[0].reason) == (False, "stopped")
    batch.nodes.beat(left=True)
    left = batch_status([lost], plan, [output])  # nobody is there to resume it
    assert (left.jobs[1:], left.jobs[0].reason, left.ended) == ((), "no heartbeat", True)
    batch.end("b", Ended())
    assert batch_status(jobs, plan, [output]).jobs[1].reason == "no heartbeat"
