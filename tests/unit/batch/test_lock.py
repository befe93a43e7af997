import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import job
from job.batch.lock import lock_output
from job.errors import OutputError

HOLDER = """
import sys, time
from pathlib import Path
from job.batch.lock import lock_output
with lock_output(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the directory."""
    variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_batch_is_told_who_holds_the_directory(tmp_path, other):
    with pytest.raises(OutputError, match=rf"{tmp_path} is in use by another batch \(process {other.pid} on"):
        lock_output(tmp_path).__enter__()
    assert OutputError.exit_code == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_dies_with_its_holder(tmp_path, other, number):
    other.send_signal(number)
    other.wait()
    with lock_output(tmp_path):
        pass


def test_the_directory_is_as_it_was_afterwards(tmp_path):
    for _ in range(2):
        with lock_output(tmp_path):
            assert [path.name for path in tmp_path.iterdir()] == [".lock"]
        with lock_output(tmp_path, "shard-1-of-2"):
            assert {path.name for path in tmp_path.iterdir()} == {".lock", ".lock-shard-1-of-2"}
        assert [*tmp_path.iterdir()] == []


def test_a_failure_inside_lets_go_too(tmp_path):
    with pytest.raises(ZeroDivisionError), lock_output(tmp_path):
        raise ZeroDivisionError
    assert [*tmp_path.iterdir()] == []


def test_shards_run_at_once_but_no_shard_twice_and_none_beside_a_whole_batch(tmp_path):
    with lock_output(tmp_path, "shard-1-of-2"):
        with lock_output(tmp_path, "shard-2-of-2"):
            for name in ("shard-1-of-2", "shard-2-of-2", "batch"):
                with pytest.raises(OutputError, match="in use"):
                    lock_output(tmp_path, name).__enter__()
        with lock_output(tmp_path, "shard-2-of-2"):
            pass
    with lock_output(tmp_path), pytest.raises(OutputError, match=f"process {os.getpid()} on"):
        lock_output(tmp_path, "shard-1-of-2").__enter__()
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_was_left_behind_locks_nothing(tmp_path):
    (tmp_path / ".lock").write_text("process 1 on elsewhere\n")
    with lock_output(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")


def test_a_lock_file_that_was_removed_is_not_the_lock(tmp_path, monkeypatch):
    real, calls = fcntl.flock, []

    def flock(descriptor, kind):
        if not calls:
            (tmp_path / ".lock").unlink()
        calls.append(kind)
        real(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock_output(tmp_path):
        assert len(calls) == 2
        with pytest.raises(OutputError):
            lock_output(tmp_path).__enter__()


def test_where_there_are_no_locks_the_batch_goes_on(tmp_path, monkeypatch):
    def flock(descriptor, kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock_output(tmp_path):
        pass


def test_an_error_of_another_kind_is_not_hidden(tmp_path, monkeypatch):
    def flock(descriptor, kind):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error"):
        lock_output(tmp_path).__enter__()
