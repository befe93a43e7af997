"""`job.workers.worker` with a `run_job` that does what a job's name says, and no TensorFlow."""

import ctypes
import os
import signal
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from multiprocessing.connection import Connection
from types import ModuleType

from sample_jobs import trained_job

from job.errors import DataError, DataErrors, DependencyError, NonFiniteError
from job.process import tensorflow_loading
from job.results.job_result import Decoding, Progress

HELD = []


def meet(task):
    """Wait until the other job of the pair is at work too: only possible where both run at once."""
    number = int(task.job.name[-1])
    (task.directory / f"here-{number}").touch()
    deadline = time.monotonic() + 30
    while not (task.directory / f"here-{3 - number}").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody came")
        time.sleep(0.005)


def once(task, act):
    """Do something the first time that the job is tried, and nothing after that."""
    assert (task.attempt == 1) != (task.directory / f"tried-{task.job.name}").exists()
    if task.attempt == 1:
        (task.directory / f"tried-{task.job.name}").touch()
        act()


def grow(task):
    HELD.append(bytearray(os.urandom(1) * 100_000_000))


def raise_(error):
    raise error


ACTS = {
    "fine": lambda task: None,
    "nan": lambda task: None,
    "meets": meet,
    "waits": lambda task: signal.pause(),
    "evaluates": lambda task: time.sleep(1),
    "decodes": lambda task: None,
    "deaf": lambda task: time.sleep(60),
    "once": lambda task: once(task, lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "asked": lambda task: once(task, lambda: os.kill(os.getpid(), signal.SIGTERM)),
    "grows": grow,
    "killed": lambda task: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda task: ctypes.string_at(0),
    "exits": lambda task: os._exit(3),
    "leaves": lambda task: sys.exit("no more"),
    "raises": lambda task: raise_(ValueError("first line\nsecond line")),
    "memory": lambda task: raise_(MemoryError()),
    "nonfinite": lambda task: raise_(NonFiniteError(7, "loss")),
    "data": lambda task: raise_(DataError("the file is gone")),
    "datas": lambda task: raise_(DataErrors([DataError("one"), DataError("two")])),
}


PROGRESS = Progress(step=1, steps=2, loss=0.5, token_accuracy=0.9, examples_per_second=100.0)


def run_job(task, watch, stop):
    with stop.deferring_signals() if task.job.name.startswith("deaf") else nullcontext():
        return act(task, watch)


def act(task, watch):
    if task.job.name.startswith("silent"):
        if task.job.name.endswith("trained"):
            watch(PROGRESS)
        os.kill(os.getpid(), signal.SIGKILL)
    print(f"{task.job.name} says something")
    sys.stdout.flush()
    watch(replace(PROGRESS, step=PROGRESS.steps) if task.job.name == "evaluates" else PROGRESS)
    while task.job.name == "talks":
        watch(PROGRESS)
    if task.job.name == "decodes":
        watch(Decoding(0.5))
    ACTS[task.job.name.partition("-")[0]](task)
    task.paths.history.write_text("step,loss\n1,0.5\n")
    if task.trained is None and "-model" in task.job.name:
        task.paths.model.mkdir(exist_ok=True)
        for part in ("encoder", "decoder"):
            (task.paths.model / f"inference_{part}.keras").write_text(f"{part} of {task.job.name}")
    metrics = {"sequence_accuracy": float("nan") if task.job.name.startswith("nan") else 0.5}
    return trained_job(
        task.job.name,
        fingerprint=task.fingerprint,
        training_fingerprint=task.training_fingerprint,
        problem_fingerprint=task.problem_fingerprint,
        seed=task.job.seed,
        spec=task.job.model_dump(mode="json"),
        metrics=metrics,
        timings={"train_seconds": 1.0},
        environment={"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")},
        attempts=task.attempt,
        model_of=task.model_of,
    )


def check_works(threads):
    if os.environ.get("STAND_IN") == "broken":
        raise DependencyError("TensorFlow does not work here; reinstall it")
    if os.environ.get("STAND_IN") == "hangs":
        signal.pause()
    if os.environ.get("STAND_IN") == "gone":
        print("something in a library went wrong", file=sys.stderr)
        os._exit(127)


if __name__ == "__main__":
    assert "from job.workers.worker import serve" in sys.argv[-3]
    stand_in = ModuleType("job.running.run_part")
    stand_in.runner = lambda: run_job
    sys.modules["job.running.run_part"] = stand_in
    tensorflow_loading.load_tensorflow, tensorflow_loading.check_tensorflow = lambda: None, check_works
    from job.workers.worker import main

    main(Connection(int(sys.argv[-1])))
