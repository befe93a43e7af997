"""A command of the user's after the batch: its input, its failures, and its time-out."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from job.process.hook import run_hook

ENVIRONMENT = {"PATH": os.environ["PATH"], "FLAVOUR": "sweet"}


def test_it_gets_the_text_and_the_environment(tmp_path: Path) -> None:
    command = f'cat > {tmp_path}/got; echo "$FLAVOUR" >> {tmp_path}/got'
    assert run_hook(command, "é\n", ENVIRONMENT) == ""
    assert (tmp_path / "got").read_text("utf-8") == "é\nsweet\n"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("exit 0", ""),
        ("exit 7", "ended with exit code 7"),
        ("echo one; echo two >&2; echo; exit 1", "ended with exit code 1: two"),
        ("kill -KILL $$", "was ended by SIGKILL"),
        ("yes | head -c 100000; exit 3", "ended with exit code 3: y"),
    ],
)
def test_a_failure_is_one_clause(command: str, problem: str) -> None:
    assert run_hook(command, "{}", ENVIRONMENT) == problem


def test_a_command_that_is_not_there_is_named_by_the_shell() -> None:
    problem = run_hook("no-such-program-here", "{}", ENVIRONMENT)
    assert problem.startswith("ended with exit code 127: ")
    assert "no-such-program-here" in problem


def test_it_need_not_read_a_long_text() -> None:
    assert run_hook("true", "x" * 1_000_000, ENVIRONMENT) == ""


def test_it_and_what_it_started_are_killed_at_the_time_out(tmp_path: Path) -> None:
    command = f"(sleep 1; touch {tmp_path}/late) & sleep 60"
    assert run_hook(command, "", ENVIRONMENT, timeout=0.2) == "did not end within 0.2 seconds and was killed"
    time.sleep(1.1)
    assert not (tmp_path / "late").exists()


def test_what_it_leaves_in_the_background_is_not_waited_for() -> None:
    began = time.monotonic()
    assert run_hook("sleep 5 &", "", ENVIRONMENT) == ""
    assert time.monotonic() - began < 4


def test_a_signal_does_not_end_it_but_a_second_one_does() -> None:
    def send() -> None:
        for _ in range(2):
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    began = time.monotonic()
    assert run_hook("sleep 30", "", ENVIRONMENT) == "was killed because of SIGTERM"
    assert 0.9 < time.monotonic() - began < 10
    sender.join()


def test_without_a_directory_for_temporary_files_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    assert run_hook("true", "", ENVIRONMENT) == "cannot be run: No space left on device"
