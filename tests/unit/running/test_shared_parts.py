"""Decoding that several processes share by files, here threads; one of them may be lost or hang."""

import fcntl
import itertools
import threading
import time

import numpy as np
import pytest

from job.running import shared_parts
from job.running.shared_parts import SharedParts

PARTS = [np.arange(first, min(first + 4, 30)) for first in range(0, 30, 4)]
VALUES = np.random.default_rng(5).normal(size=(30, 3)) * 1e-300


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(shared_parts, "LOOK_SECONDS", 0.01)


def decode_all(folder, decode=lambda part: VALUES[part], **limits):
    """Return the rows that one process gets, and its summed seconds."""
    shared = SharedParts(folder, **limits)
    return [rows for found in shared.rounds(PARTS, decode) for rows in found], shared.seconds


def check_rows(rows):
    assert [each.tobytes() for each in rows] == [VALUES[part].tobytes() for part in PARTS]


def test_processes_share_the_parts_and_each_gets_all_rows_in_order(tmp_path):
    decoded, found = [[] for _ in range(3)], [None] * 3

    def run(number):
        def decode(part):
            decoded[number].append(int(part[0]))
            time.sleep(0.05)
            return VALUES[part]

        found[number] = decode_all(tmp_path / "parts", decode)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(itertools.chain(*decoded)) == [int(part[0]) for part in PARTS], "none twice"
    assert all(decoded), "all take part"
    for rows, seconds in found:
        check_rows(rows)
        assert seconds == pytest.approx(found[0][1])
    assert found[0][1] >= 0.05 * len(PARTS), "the seconds of all processes"


def test_parts_that_a_killed_run_has_left_are_not_decoded_again_unless_they_are_damaged(tmp_path):
    decode_all(tmp_path)
    (tmp_path / "2.npz").write_bytes((tmp_path / "2.npz").read_bytes()[:-30])
    (tmp_path / "3.npz").write_bytes(b"")
    (tmp_path / "4.npz").unlink()
    again = []

    def decode(part):
        again.append(int(part[0]))
        return VALUES[part]

    check_rows(decode_all(tmp_path, decode)[0])
    assert again == [8, 12, 16]


@pytest.mark.parametrize("limits", [{"wait_seconds": 0.2}, {}], ids=["hangs", "is lost"])
def test_the_part_of_a_process_that_hangs_or_is_lost_is_decoded_by_another(tmp_path, limits):
    """Its lock stays as long as it hangs, and ends with it."""
    began = time.monotonic()
    with (tmp_path / "1.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not limits:
            threading.Timer(0.3, file.close).start()
        check_rows(decode_all(tmp_path, **limits)[0])
        assert 0.15 < time.monotonic() - began < 20


def test_without_locks_each_process_decodes_what_it_does_not_find(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(shared_parts.fcntl, "flock", refuse)
    check_rows(decode_all(tmp_path)[0])
