"""One process of those that train one model together, or the only one: `together DIRECTORY SECONDS THREADS`.

Trains the job of the directory's `jobs.yaml` as a worker does, until steps were steady for some seconds. With
`TF_CONFIG` in its environment it is a process of that cluster. Prints what it took as a line of JSON.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from benchmarks.workload import read_job
from job.models.kernels import choose_kernel
from job.models.seq2seq import build_training_model
from job.problems import build_problem
from job.process.stopping import Request, Stop, Stopped
from job.process.tensorflow_loading import check_tensorflow
from job.results.job_result import Progress
from job.training.agreement import agreement_for
from job.training.batch_groups import CallLimits
from job.training.compiled_loop import compile_loop
from job.training.fit import fit
from job.training.replicas import is_in_cluster, join_cluster, strategy_for

WARM_CALLS = 3
"""Calls of the compiled loop that do not count: they compile, or find out how long a step takes."""

_TCP_INFO_BYTES_ACKED = 120
"""Place of `tcpi_bytes_acked`, 8 bytes, in Linux's `struct tcp_info`."""


@dataclass
class Watch:
    """Notes the steps once they are steady, and asks to stop after some seconds.

    Args:
        seconds: of steady steps.
        stop: is asked.
    """

    seconds: float
    stop: Stop
    calls: int = 0
    marks: list[tuple[int, float, int]] = field(default_factory=list)

    def look(self, progress: Progress) -> None:
        """Note a call of the compiled loop."""
        self.calls += 1
        if self.calls < WARM_CALLS or not progress.settled:
            return
        self.marks.append((progress.step, time.perf_counter(), sent_bytes()))
        if self.marks[-1][1] - self.marks[0][1] >= self.seconds:
            self.stop.ask(Request("the time limit", 143))


def sent_bytes() -> int:
    """Return how many bytes the open TCP connections of this process have sent."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            duplicate = os.dup(int(name))
        except OSError:
            continue
        try:
            connection = socket.socket(fileno=duplicate)
        except OSError:  # no socket
            os.close(duplicate)
            continue
        with connection:
            try:
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            except OSError:  # not of TCP
                continue
        place = _TCP_INFO_BYTES_ACKED
        total += int.from_bytes(info[place : place + 8], sys.byteorder)
    return total


def main(directory: Path, seconds: float, threads: int) -> dict[str, Any]:
    """Train, and return the figures."""
    if is_in_cluster():
        join_cluster(threads)
    check_tensorflow(None if is_in_cluster() else threads)
    job = read_job(directory)
    keras.utils.set_random_seed(job.seed)
    problem: Any = build_problem(job.problem, job.seed, directory)
    strategy, stop = strategy_for("multi_worker"), Stop()
    watch = Watch(seconds, stop)
    with strategy.scope():
        model = build_training_model(
            job.model,
            len(problem.source_vocabulary),
            len(problem.target_vocabulary),
            masked=not problem.fixed_length,
            kernel=choose_kernel(job.model, gpu=bool(tf.config.list_physical_devices("GPU"))),
        )
        loop = compile_loop(model, problem, job.training)
        nothing = problem.examples("validation", 1)
        try:
            fit(
                loop,
                problem,
                job.training,
                type(nothing)(nothing.source[:0], nothing.target[:0]),
                watch.look,
                stop=stop,
                agreement=agreement_for(strategy),
                limits=CallLimits(first_steps=1),
            )
        except Stopped:
            pass
        else:
            raise ValueError(f"the epoch was over after {watch.marks[-1][0] if watch.marks else 0} steps")
    (first, began, sent), (last, ended, sent_at_last) = watch.marks[0], watch.marks[-1]
    return {
        "parameters": model.count_params(),
        "steps": last - first,
        "step_seconds": (ended - began) / (last - first),
        "examples_per_second": (last - first) * job.training.step_examples / (ended - began),
        "sent_bytes_a_step": (sent_at_last - sent) / (last - first),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
    sys.stdout.flush()
    os._exit(0)  # as a worker leaves
