"""The history that a tracker reads while a job is trained."""

import json
from dataclasses import replace

import pytest

from job.running import live_history as module
from job.running.history_files import history_columns
from job.running.live_history import LIVE_SECONDS, LiveHistory
from job.running.task import Task
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec
from job.storage.artifacts import JobPaths
from job.training.history import HistoryRow

ROW = HistoryRow(step=1, epoch=1, examples=2, loss=2 / 3, learning_rate=1, gradient_norm=1, seconds=1)


@pytest.fixture
def task(tmp_path):
    job = JobSpec(name="copy", problem=CopySpec(kind="copy", source_length=2, cardinality=4))
    return Task(job, "e" * 64, tmp_path, JobPaths(tmp_path), None, training_fingerprint="f" * 64)


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def read(task):
    return json.loads(task.paths.live_history.read_text("utf-8"))


def test_it_has_the_columns_of_the_result_and_is_written_every_few_seconds(task, clock):
    live, rows = LiveHistory(task), [ROW]
    live([])
    assert not task.paths.live_history.exists()
    live(rows)
    first = {"training": "f" * 64, "history": history_columns(rows)}
    assert read(task) == first
    rows.append(replace(ROW, step=2, loss=float("nan")))
    live(rows)
    assert read(task) == first
    clock[0] += LIVE_SECONDS
    live(rows)
    assert read(task)["history"] == {"step": [1, 2], "loss": [0.666667, None]}
    rows[-1] = replace(rows[-1], val_loss=0.5)  # what validation adds to the last row
    clock[0] += LIVE_SECONDS
    live(rows)
    assert read(task)["history"]["val_loss"] == [None, 0.5]
    assert task.paths.live_history in task.paths.passing


def test_a_directory_that_cannot_be_written_stops_no_training(task):
    gone = replace(task, paths=JobPaths(task.paths.directory / "gone"))
    LiveHistory(gone)([ROW])
