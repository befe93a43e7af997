"""Tasks, and worker processes without TensorFlow: the real `job.workers.worker` with a stand-in `run_job`."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from sample_jobs import job_spec

import job
from job.running.task import Task
from job.storage.artifacts import prepare_output
from job.workers import pool, schedule, worker_handle

STAND_IN = Path(__file__).with_name("stand_in_worker.py")


@pytest.fixture
def output(tmp_path):
    return prepare_output(tmp_path / "output")


@pytest.fixture
def make_task(output):
    """A task for a job; what it does is in its name, see `stand_in_worker.py`."""

    def make(name, **sections):
        paths = output.job(name)
        paths.directory.mkdir(exist_ok=True)
        return Task(job_spec(name, **sections), "f" * 64, output.root, paths, commit=None)

    return make


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Have the schedule start stand-in workers; returns a function that lists those started so far."""
    program = tmp_path / "python"
    package = Path(job.__file__).parents[1]
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{package}" exec "{sys.executable}" "{STAND_IN}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(worker_handle, "sys", SimpleNamespace(executable=str(program)))
    started, real = [], worker_handle.start_worker

    def start(variables):
        started.append(real(variables))
        return started[-1]

    for module in (pool, schedule):
        monkeypatch.setattr(module, "start_worker", start)
    return started
