"""The schedule with real processes; what each job does is in its name (see `stand_in_worker.py`)."""

import os
import signal
import time
from dataclasses import replace

import pytest
from sample_jobs import job_result

from job.errors import DependencyError, NonFiniteError
from job.gating.gates import judge_trained
from job.process.stopping import Stop
from job.process.tensorflow_loading import VARIABLES
from job.results.job_result import Failure
from job.running.task import ClusterPlace
from job.workers import deadlines, messages
from job.workers.job_control import JobControl
from job.workers.messages import Advanced
from job.workers.pool import worker_pool
from job.workers.schedule import run_tasks


class Watched:
    """A watcher that keeps what it is told."""

    def __init__(self):
        self.events, self.outcomes, self.ticks = [], {}, 0

    def started(self, task):
        self.events.append(("started", task.job.name))

    def advanced(self, name, progress):
        self.events.append(("advanced", name, progress.step))

    def decoded(self, name, share):
        self.events.append(("decoded", name, share))

    def lost(self, task, failure):
        self.events.append(("lost", task.job.name))

    def finished(self, task, outcome):
        self.events.append(("finished", task.job.name))
        self.outcomes[task.job.name] = outcome
        if isinstance(outcome, Failure):
            return job_result(task.job.name, "failed", error=outcome, attempts=task.attempt)
        return judge_trained(outcome, task.job.gate)

    def tick(self):
        self.ticks += 1


@pytest.fixture
def run(make_task, stand_in):
    """Run jobs by name; returns the watcher and the results."""

    def run(*names, workers=1, gpus=(), watched=None, **options):
        watched, results = watched or Watched(), {}
        sections = {"retries": options.pop("retries", 0), "timeout_minutes": options.pop("minutes", None)}
        with worker_pool(workers, gpus) as pool:
            run_tasks([make_task(name, **sections) for name in names], pool, watched, results, **options)
        return watched, results

    return run


def test_a_worker_that_never_gets_ready_is_taken_to_hang(run, stand_in, monkeypatch):
    monkeypatch.setattr(deadlines, "START_SECONDS", 0.0)
    monkeypatch.setenv("STAND_IN", "hangs")
    watched, _ = run("fine", retries=1)
    message = watched.outcomes["fine"].message
    assert message.startswith("the worker process did not load TensorFlow in 0 s and was killed; ")
    assert [worker.process.returncode for worker in stand_in] == [-signal.SIGKILL] * 2


def test_a_member_of_a_cluster_that_never_gets_ready_is_reported_to_the_others(
    make_task, stand_in, monkeypatch
):
    """Its part ends with that failure; the job has no timeout, so there is none to name."""
    monkeypatch.setattr(deadlines, "JOIN_SECONDS", 0.0)
    monkeypatch.setenv("STAND_IN", "hangs")
    ended = []

    class Cluster(JobControl):
        def member_ended(self, task, failure):
            ended.append((task.job.name, failure))

    task = replace(make_task("fine"), cluster=ClusterPlace(rank=1, variables={}, key="1"))
    with worker_pool(1) as pool:
        run_tasks([task], pool, Watched(), {}, control=Cluster())
    ((name, failure),) = ended
    assert (name, failure.type) == ("fine", "WorkerLost")
    assert failure.message == (
        "the worker process waited 0 s for the other processes of the cluster and was killed"
    )


def test_jobs_start_in_order_and_each_returns_its_result(run, stand_in):
    watched, results = run("fine-b", "fine-a", "decodes")
    assert watched.events == [
        *(("started", "fine-b"), ("advanced", "fine-b", 1), ("finished", "fine-b")),
        *(("started", "fine-a"), ("advanced", "fine-a", 1), ("finished", "fine-a")),
        *(("started", "decodes"), ("advanced", "decodes", 1)),
        *(("decoded", "decodes", 0.5), ("finished", "decodes")),
    ]
    assert [*results] == ["fine-b", "fine-a", "decodes"]
    assert {result.status for result in results.values()} == {"passed"}
    assert watched.ticks > 0


def test_one_worker_does_many_jobs(run, stand_in):
    _, results = run("fine-1", "fine-2", "fine-3")
    assert {result.environment["pid"] for result in results.values()} == {stand_in[0].process.pid}


def test_two_workers_work_at_once(run):
    _, results = run("meets-1", "meets-2", workers=2)
    assert {result.status for result in results.values()} == {"passed"}
    assert len({result.environment["pid"] for result in results.values()}) == 2


def test_a_worker_with_too_much_memory_is_restarted_for_the_next_job(run, stand_in, monkeypatch):
    monkeypatch.setattr(messages, "MAX_RESIDENT_BYTES", 100_000_000)
    _, results = run("fine-1", "grows-1", "fine-2", "fine-3", "grows-2")
    pids = [result.environment["pid"] for result in results.values()]
    assert pids == [stand_in[i].process.pid for i in (0, 0, 1, 1, 1)]
    assert len(stand_in) == 2


def test_each_worker_sees_its_own_gpu_and_its_successor_sees_the_same(run):
    _, results = run("meets-1", "meets-2", "raises-1", "raises-2", "fine-1", workers=2, gpus=("5", "7"))
    seen = {name: result.environment.get("gpu") for name, result in results.items()}
    assert {seen["meets-1"], seen["meets-2"]} == {"5", "7"}
    assert seen["fine-1"] in ("5", "7")


def test_the_jobs_words_go_to_its_own_log(run, output):
    run("fine-1", "fine-2")
    for name in ("fine-1", "fine-2"):
        assert output.job(name).log.read_text() == f"{name} says something\n"


LOST = {
    "killed": "was killed by SIGKILL (out of memory?)",
    "segfault": "was killed by SIGSEGV",
    "exits": "exited with code 3",
}


def test_a_lost_worker_fails_its_job_and_the_rest_goes_on(run, stand_in):
    watched, results = run("fine-1", *LOST, "fine-2")
    assert [result.status for result in results.values()] == [
        "passed",
        "failed",
        "failed",
        "failed",
        "passed",
    ]
    for name, how in LOST.items():
        failure = watched.outcomes[name]
        assert failure.type == "WorkerLost"
        last = f"last line of its log: {name} says something"
        assert failure.summary == f"WorkerLost: the worker process {how}; {last}"
        assert f"\n{name} says something" in failure.message
        assert "fine-1 says" not in failure.message
    assert len(stand_in) == 1 + len(LOST)
    assert results["fine-2"].environment["pid"] == stand_in[-1].process.pid


@pytest.mark.parametrize(
    ("name", "stage"),
    [("silent", "it had not begun training"), ("silent-trained", "it had trained 1 of 2 steps")],
)
def test_a_lost_worker_without_a_word_says_how_far_it_was(run, name, stage):
    watched, _ = run(name)
    failure = watched.outcomes[name]
    how = "the worker process was killed by SIGKILL (out of memory?)"
    assert failure.summary == f"WorkerLost: {how}; its log is empty, and {stage}"


def test_a_worker_lost_as_it_loads_says_so(run, monkeypatch):
    monkeypatch.setattr(deadlines, "START_SECONDS", 0.0)
    monkeypatch.setenv("STAND_IN", "hangs")
    watched, _ = run("fine")
    assert watched.outcomes["fine"].summary.endswith("; its log is empty, and it was loading TensorFlow")


def test_a_job_whose_worker_was_lost_is_tried_again(run, stand_in):
    watched, results = run("once", "asked", "fine", retries=1)
    assert {name: (result.status, result.attempts) for name, result in results.items()} == {
        "once": ("passed", 2),
        "asked": ("passed", 2),
        "fine": ("passed", 1),
    }
    for name in ("once", "asked"):
        assert [event[0] for event in watched.events if event[1] == name] == [
            *("started", "advanced", "lost"),
            *("started", "advanced", "finished"),
        ]
    assert len(stand_in) == 3


def test_a_job_is_tried_again_as_often_as_it_says(run, stand_in):
    watched, results = run("killed", "raises", retries=2)
    assert {name: (result.status, result.attempts) for name, result in results.items()} == {
        "killed": ("failed", 3),
        "raises": ("failed", 1),
    }
    assert watched.events.count(("lost", "killed")) == 2
    assert len(stand_in) == 4


def test_a_signal_to_a_worker_alone_does_not_stop_the_batch(run):
    watched, _ = run("asked")
    assert watched.outcomes["asked"].summary.startswith(
        "WorkerLost: the worker process was stopped by SIGTERM"
    )


def test_a_job_over_its_time_limit_is_killed_and_not_retried(run, stand_in):
    """Whether its worker is silent or talks all the time."""
    watched, results = run("waits", "talks", minutes=0.01, retries=3, workers=2)
    assert [(result.status, result.attempts) for result in results.values()] == [("failed", 1)] * 2
    for name in ("waits", "talks"):
        failure = watched.outcomes[name]
        assert failure.type == "TimedOut"
        assert failure.message.startswith("it took longer than its timeout_minutes of 0.01 and was killed; ")
        assert f"\n{name} says something" in failure.message
    assert [worker.process.returncode for worker in stand_in] == [-signal.SIGKILL] * 2


RAISING = {
    "raises": Failure("ValueError", "first line\nsecond line", "job.log"),
    "memory": Failure("MemoryError", "", "job.log"),
    "leaves": Failure("SystemExit", "no more", "job.log"),
    "nonfinite": Failure("NonFiniteError", str(NonFiniteError(7, "loss"))),
    "data": Failure("DataError", "the file is gone"),
    "datas": Failure("DataErrors", "one\ntwo"),
}
"""A file for the traceback is named only where the sentence is not enough."""


def test_an_exception_fails_its_job_with_a_traceback_in_its_log(run, output):
    watched, results = run(*RAISING, workers=2)
    assert {result.status for result in results.values()} == {"failed"}
    assert watched.outcomes == RAISING
    for name in RAISING:
        log = output.job(name).log.read_text()
        assert log.startswith(f"{name} says something\nTraceback (most recent call last):")
        assert 'in act\n    ACTS[task.job.name.partition("-")[0]](task)' in log


def test_a_process_in_which_a_job_failed_does_no_other(run, stand_in):
    _, results = run("fine-1", "raises", "fine-2")
    assert results["fine-1"].environment["pid"] == stand_in[0].process.pid
    assert results["fine-2"].environment["pid"] == stand_in[1].process.pid
    assert len(stand_in) == 2


@pytest.mark.parametrize("name", ["raises", "killed"])
def test_no_process_is_started_without_a_job_for_it(run, stand_in, name):
    run("fine", name)
    assert len(stand_in) == 1


def test_fail_fast_starts_nothing_more_and_stops_what_runs(run, stand_in):
    watched, results = run("waits", "raises", "fine", workers=2, fail_fast=True)
    assert {name: result.status for name, result in results.items()} == {"raises": "failed"}
    assert ("started", "waits") in watched.events
    assert ("started", "fine") not in watched.events
    assert stand_in[0].process.returncode != -signal.SIGKILL  # the job that waits could save its state


def test_without_fail_fast_all_jobs_are_run(run):
    _, results = run("raises", "exits", "fine")
    assert [result.status for result in results.values()] == ["failed", "failed", "passed"]


def test_a_broken_tensorflow_is_an_error_of_the_batch(run, monkeypatch):
    monkeypatch.setenv("STAND_IN", "broken")
    with pytest.raises(DependencyError, match=r"^TensorFlow does not work here; reinstall it$"):
        run("fine")


def test_what_an_earlier_attempt_said_is_not_quoted(run, output):
    log = output.job("killed").log
    log.parent.mkdir(exist_ok=True)
    log.write_text("a line of last night\n")
    watched, _ = run("killed")
    assert watched.outcomes["killed"].message.endswith("last lines of its log:\nkilled says something")
    assert log.read_text().startswith("a line of last night\n")


def test_a_worker_lost_before_its_first_job_is_quoted(run, monkeypatch):
    monkeypatch.setenv("STAND_IN", "gone")
    watched, _ = run("fine")
    message = watched.outcomes["fine"].message
    assert message.startswith("the worker process exited with code 127; last lines of its log:\n")
    assert message.endswith("something in a library went wrong")


def test_no_jobs_need_no_workers(run, stand_in):
    assert run(workers=0)[1] == {}
    assert stand_in == []


class Stopping(Watched):
    """Sends SIGTERM as soon as the job with this name is being trained."""

    def __init__(self, name):
        super().__init__()
        self._name = name

    def advanced(self, name, progress):
        super().advanced(name, progress)
        if name == self._name:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("name", "seconds", "code"), [("waits", 7.0, 0), ("deaf", 0.5, -signal.SIGKILL)])
def test_workers_asked_to_stop_save_their_state_and_exit_or_are_killed(
    run, stand_in, monkeypatch, name, seconds, code
):
    monkeypatch.setattr(deadlines, "STOP_SECONDS", seconds)
    stop = Stop()
    with stop.handling_signals(), stop.deferring_signals():
        watched, results = run("fine-1", name, "fine-2", watched=Stopping(name), stop=stop)
    assert [*results] == ["fine-1"]
    assert ("started", "fine-2") not in watched.events
    assert ("lost", name) not in watched.events
    assert [worker.process.returncode for worker in stand_in] == [code]


def test_a_job_that_ends_while_the_batch_is_stopped_has_its_result(run):
    """The worker is through with it when the signal comes."""
    stop = Stop()

    class Late(Stopping):
        def started(self, task):
            super().started(task)
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGTERM)

    with stop.handling_signals(), stop.deferring_signals():
        _, results = run("fine", "waits", watched=Late(""), stop=stop)
    assert [*results] in (["fine"], [])


def test_the_time_limit_stops_jobs_too(run):
    stop = Stop(limit_seconds=1.0)
    _, results = run("waits", stop=stop)
    assert results == {}
    assert (stop.request.cause, stop.request.exit_code) == ("the time limit", 143)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_happens_no_worker_is_left_running(make_task, stand_in, error):
    class Impatient(Watched):
        def advanced(self, name, progress):
            raise error

    with pytest.raises(error), worker_pool(2) as pool:
        run_tasks([make_task("waits-1"), make_task("waits-2")], pool, Impatient(), {})
    assert [worker.process.returncode for worker in stand_in] == [-signal.SIGKILL] * 2


def test_results_come_in_while_others_still_run(make_task, stand_in):
    results, seen = {}, []

    class Keeping(Watched):
        def finished(self, task, outcome):
            seen.append(dict(results))
            return super().finished(task, outcome)

    with worker_pool(1) as pool:
        run_tasks([make_task("fine-1"), make_task("fine-2")], pool, Keeping(), results)
    assert [[*before] for before in seen] == [[], ["fine-1"]]


def test_an_idle_worker_leaves_when_its_parent_is_gone(make_task, stand_in):
    with worker_pool(1) as pool:
        run_tasks([make_task("fine")], pool, Watched(), {})
        pool[0].connection.close()
        assert pool[0].process.wait(timeout=20) == 0


def test_a_worker_at_work_leaves_when_its_parent_is_gone(make_task, stand_in, output):
    with worker_pool(1) as pool:
        pool[0].connection.send(make_task("talks"))
        while not isinstance(pool[0].connection.recv(), Advanced):
            pass
        pool[0].connection.close()
        assert pool[0].process.wait(timeout=20) == 0
    assert "Traceback" not in output.job("talks").log.read_text()


def test_a_worker_is_in_a_cluster_only_for_a_task_of_it(make_task, stand_in, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "that of the command's own cluster")
    with worker_pool(1) as pool:
        run_tasks([make_task("fine")], pool, Watched(), {})
        with open(f"/proc/{pool[0].process.pid}/environ", "rb") as file:
            assert b"TF_CONFIG" not in file.read()


def test_workers_are_kept_to_one_thread_and_have_no_terminal(make_task, stand_in):
    with worker_pool(1) as pool:
        run_tasks([make_task("fine")], pool, Watched(), {})  # before, it may have no environment yet
        pid = pool[0].process.pid
        if not os.path.isdir(f"/proc/{pid}"):
            pytest.skip("no /proc here")
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = dict(line.split("=", 1) for line in file.read().decode().split("\0") if line)
        assert VARIABLES.items() <= variables.items()
        assert VARIABLES["OMP_NUM_THREADS"] == "1"
        assert os.readlink(f"/proc/{pid}/fd/0") == os.devnull
        assert os.getsid(pid) == pid
