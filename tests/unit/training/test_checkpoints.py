import errno
import os
import zipfile

import numpy as np
import pytest

from job.training import checkpoints
from job.training.checkpoints import KEPT, Checkpoint, Checkpoints, checkpointed_fingerprints

MARK, OTHER = "a" * 64, "a" * 8 + "b" * 56
"""Their first eight digits, which are in a file's name, are the same."""


@pytest.fixture
def kept(tmp_path):
    return Checkpoints(tmp_path / "checkpoint", MARK, 60.0)


def checkpoint(step, **facts):
    arrays = {
        "variable/0": np.array([[0.1, np.nan], [np.inf, step]], np.float32),
        "variable/1": np.array(step, np.int64),
        "pending/loss": np.zeros(0),
    }
    return Checkpoint(step, {"best_value": float("inf"), "history": [{"loss": 0.1 + 0.2}], **facts}, arrays)


def files(kept):
    return sorted(kept._directory.iterdir())


# --- files --------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back_to_the_bit(kept):
    kept.save(checkpoint(3, best_epoch=None))
    (found,) = kept.found()
    expected = checkpoint(3, best_epoch=None)
    assert (found.step, found.facts) == (3, expected.facts)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_nothing_is_found_where_there_is_no_directory(kept):
    assert [*kept.found()] == []
    assert checkpointed_fingerprints(kept._directory) == frozenset()


def test_the_last_two_are_kept_and_the_last_one_comes_first(kept):
    for step in (1, 2, 9, 10, 11):
        kept.save(checkpoint(step))
    assert [found.step for found in kept.found()] == [11, 10]
    assert len(files(kept)) == KEPT == 2
    (kept._directory / f".tmp-1234abcd-{MARK[:8]}-0000000012.npz").touch()  # as a killed process leaves it
    assert checkpointed_fingerprints(kept._directory) == {MARK[:8]}
    assert [found.step for found in kept.found()] == [11, 10]


def test_checkpoints_that_cannot_be_read_make_room_for_those_of_earlier_steps(kept):
    for step in (900, 1000):
        kept.save(checkpoint(step))
    for path in files(kept):
        path.write_bytes(path.read_bytes()[:100])
    resumed = Checkpoints(kept._directory, MARK, 60.0)
    assert [*resumed.found()] == []
    for step in (10, 500):
        resumed.save(checkpoint(step))
    assert [found.step for found in resumed.found()] == [500, 10]
    assert len(files(kept)) == KEPT


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\0" * len(data),
        lambda data: data[:-1],
        lambda data: data.replace(np.float32(0.1).tobytes(), np.float32(0.2).tobytes()),
        lambda data: data.replace(b'"step": 2', b'"step": 3'),
    ],
    ids=["half", "empty", "zeros", "last_byte", "a_weight", "the_header"],
)
def test_a_torn_checkpoint_is_skipped_with_a_warning(kept, caplog, damage):
    kept.save(checkpoint(1))
    kept.save(checkpoint(2))
    last = files(kept)[-1]
    last.write_bytes(damage(last.read_bytes()))
    assert [found.step for found in kept.found()] == [1]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"checkpoint {last.name} is skipped: ")


def test_the_checksum_covers_what_the_zip_does_not(kept, caplog):
    """A file put together anew, every member whole, but with one value changed."""
    kept.save(checkpoint(1))
    (path,) = files(kept)
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    content["variable/1"] = np.array(5, np.int64)
    with path.open("wb") as file:
        np.savez(file, **content)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    assert [*kept.found()] == []
    assert "its checksum does not match its content" in caplog.text


def test_nothing_is_unpickled(kept, caplog):
    kept.save(checkpoint(1))
    (path,) = files(kept)
    with path.open("wb") as file:
        np.savez(file, header=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert [*kept.found()] == []
    assert "allow_pickle=False" in caplog.text


def test_a_compressed_checkpoint_is_skipped_before_it_is_unpacked(kept, caplog):
    kept.save(checkpoint(1))
    (path,) = files(kept)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("variable/0.npy", bytes(1 << 27))
    assert [*kept.found()] == []
    assert "is compressed" in caplog.text


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_regular_file_is_skipped(kept, caplog, make):
    kept.save(checkpoint(1))
    (path,) = files(kept)
    path.unlink()
    make(path)
    assert [*kept.found()] == []
    assert f"checkpoint {path.name} is skipped" in caplog.text


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x80\x04.", b"PK\x05\x06" + bytes(18), b"[" * 200_000, b"\x93NUMPY" + bytes(9)]
)
def test_a_file_of_anything_is_skipped(kept, caplog, content):
    kept.save(checkpoint(1))
    (path,) = files(kept)
    path.write_bytes(content)
    assert [*kept.found()] == []
    assert "is skipped" in caplog.text


def test_a_checkpoint_of_another_job_is_skipped(kept, caplog):
    Checkpoints(kept._directory, OTHER, 60.0).save(checkpoint(7))
    kept.save(checkpoint(1))
    assert [found.step for found in kept.found()] == [1]
    assert caplog.text == ""


def test_a_full_disk_leaves_the_checkpoints_before(kept, monkeypatch):
    kept.save(checkpoint(1))
    before = {path: path.read_bytes() for path in files(kept)}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept.save(checkpoint(2))
    assert {path: path.read_bytes() for path in files(kept)} == before


def test_a_checkpoint_is_due_by_time_and_at_the_end_of_a_long_epoch(kept, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    kept = Checkpoints(kept._directory, MARK, 60.0)
    assert not kept.due()
    assert kept.due(epoch_ended=True)
    now[0] += 60
    assert kept.due()
    kept.save(checkpoint(1))
    assert not kept.due()
    kept._cost = 0.1
    now[0] += 1.9
    assert not kept.due(epoch_ended=True)
    now[0] += 0.2
    assert kept.due(epoch_ended=True)
    assert not kept.due()
