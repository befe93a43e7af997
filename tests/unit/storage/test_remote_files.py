"""Objects are verified by checksum; what fails or is torn is retried with back-off."""

import hashlib

import pytest
from stores import FlakyFiles, flaky_store

from job.errors import StoreError
from job.storage import remote_files
from job.storage.remote_files import WAITS, ChangedWhileReadError, connect_store, content_of
from job.storage.store_address import parse_store

TEXT = b"0123456789"


@pytest.mark.parametrize(
    "faults",
    [["error"], ["tear"], ["lose"], ["lie"], ["error", "tear", "lose", "lie"], ["tear"] * 4],
    ids=", ".join,
)
def test_an_upload_is_retried_until_it_is_whole(faults):
    remote, pauses = flaky_store()
    remote._files.faults["write"] = list(faults)
    remote.put_bytes("a/b", TEXT)
    assert remote._files.contents() == {"a/b": TEXT}
    assert pauses == [*WAITS[: len(faults)]]


def test_a_read_that_fails_is_retried(tmp_path):
    remote, pauses = flaky_store()
    remote.put_bytes("a", TEXT)
    remote._files.faults["read"] = ["error", "error"]
    assert remote.fetch("a", tmp_path / "a", [content_of(TEXT)])
    assert (tmp_path / "a").read_bytes() == TEXT
    assert pauses == [*WAITS[:2]]
    remote._files.faults["find"] = ["error"]
    assert remote.paths_in("") == ["a"]


def test_after_the_last_retry_there_is_one_sentence():
    remote, pauses = flaky_store()
    remote._files.faults["write"] = ["tear"] * (len(WAITS) + 1)
    with pytest.raises(StoreError) as raised:
        remote.put_bytes("a", TEXT)
    assert "flaky://run/a cannot be written: what was written is not what was sent" in str(raised.value)
    assert pauses == [*WAITS]
    assert sorted(pauses) == pauses  # a back-off


def test_what_a_retry_cannot_help_is_not_retried():
    remote, pauses = flaky_store()
    remote._files.faults["write"] = ["denied"]
    with pytest.raises(StoreError, match="cannot be written: Access Denied"):
        remote.put_bytes("a", TEXT)
    assert pauses == []


def test_another_content_is_not_used(tmp_path):
    remote, pauses = flaky_store()
    remote.put_bytes("a", TEXT)
    assert not remote.fetch("a", tmp_path / "a", [content_of(b"other")])
    assert not (tmp_path / "a").exists()
    assert pauses == [*WAITS]  # it may be about to be replaced
    assert not remote.fetch("gone", tmp_path / "a", [content_of(TEXT)])
    assert remote.read(["a", "gone"]) == {"a": TEXT}


def test_an_object_that_is_replaced_while_it_is_read_is_read_again(tmp_path):
    remote, pauses = flaky_store()
    remote.put_bytes("a", b"old")
    remote.pause = lambda seconds: (pauses.append(seconds), remote._files.pipe_file("/run/a", TEXT))
    assert remote.fetch("a", tmp_path / "a", [content_of(TEXT)])
    assert len(pauses) == 1


@pytest.mark.parametrize("size", [10, 100])
def test_a_file_is_uploaded_as_its_checksum_says(tmp_path, monkeypatch, size):
    monkeypatch.setattr(remote_files, "_WHOLE_BYTES", 50)  # the larger one in several requests
    monkeypatch.setattr(remote_files, "CHUNK_BYTES", 7)
    remote, _ = flaky_store()
    content, local = bytes(range(size)), tmp_path / "file"
    local.write_bytes(content)
    remote._files.faults["write"] = ["error"]
    remote.put_file("a", local, content_of(content))
    assert remote._files.contents()["a"] == content
    local.write_bytes(content[::-1])
    with pytest.raises(ChangedWhileReadError):
        remote.put_file("b", local, content_of(content))


def test_removing_what_is_not_there_is_fine():
    remote, _ = flaky_store()
    remote.put_bytes("a", TEXT)
    remote.remove(["a", "b"])
    assert remote._files.contents() == {}


def test_a_local_directory_is_a_store(tmp_path):
    remote = connect_store(parse_store(f"file://{tmp_path}/deep/run"))
    remote.check()
    assert remote.paths_in("") == []
    remote.put_bytes("x/y", TEXT)
    remote.put_bytes("x/y", TEXT * 2)
    assert remote.paths_in("") == remote.paths_in("x") == ["x/y"]
    assert [path.name for path in (tmp_path / "deep" / "run" / "x").iterdir()] == ["y"]  # nothing temporary
    assert (tmp_path / "deep" / "run" / "x" / "y").read_bytes() == TEXT * 2


def test_a_torn_file_of_a_local_directory_never_takes_the_place_of_a_whole_one(tmp_path, monkeypatch):
    remote = connect_store(parse_store(f"file://{tmp_path}"))
    remote.pause = lambda seconds: None
    remote.put_bytes("a", TEXT)
    pipe = type(remote._files).pipe_file
    monkeypatch.setattr(
        type(remote._files),
        "pipe_file",
        lambda self, path, value, **rest: pipe(self, path, value[:3], **rest),
    )
    with pytest.raises(StoreError):
        remote.put_bytes("a", b"new content")
    assert (tmp_path / "a").read_bytes() == TEXT


def test_a_store_that_cannot_be_written_is_found_before_it_is_used():
    remote, _ = flaky_store()
    remote._files.faults["write"] = ["denied"]
    with pytest.raises(
        StoreError, match=r"Access Denied.*; expected a store that exists and that this machine"
    ):
        remote.check()
    remote.check()
    assert remote._files.contents() == {}


def test_errors_of_libraries_show_no_secrets():
    class Refusing(FlakyFiles):
        def pipe_file(self, path, value, **options):
            raise ValueError("no route to https://user:secret@proxy/x?sig=secret\nat line 5")

    remote, _ = flaky_store(Refusing())
    with pytest.raises(StoreError) as raised:
        remote.put_bytes("a", TEXT)
    assert str(raised.value).endswith("no route to https://***@proxy/x?*** (ValueError)")


def test_the_checksum_is_sha_256():
    assert content_of(TEXT).sha256 == hashlib.sha256(TEXT).hexdigest()
