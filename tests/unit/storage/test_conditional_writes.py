"""Objects that are created once: by one of several machines, whatever becomes of the answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from stores import FlakyFiles, SharedFiles, flaky_store

from job.errors import StoreError
from job.storage.conditional_writes import ConditionalFiles
from job.storage.remote_files import connect_store
from job.storage.store_address import parse_store


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    if request.param == "memory":
        return flaky_store(SharedFiles())[0]
    return connect_store(parse_store(f"file://{tmp_path}/deep/run"))


def test_one_of_several_machines_creates_an_object(store):
    files = ConditionalFiles(store)
    files.check()
    contents = [str(number).encode() for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        created = [*pool.map(lambda content: files.create("x/lease", content), contents)]
    assert created.count(True) == 1
    assert store.read(["x/lease"])["x/lease"] == contents[created.index(True)]
    assert store.paths_in("") == ["x/lease"]  # nothing of the check is left


@pytest.mark.parametrize("fault", ["error", "lie"])
def test_it_is_created_although_the_answer_is_lost(fault):
    store, pauses = flaky_store(SharedFiles())
    store._files.faults["write"] = [fault]
    assert ConditionalFiles(store).create("a", b"ours")
    assert len(pauses) == 1


def test_the_answer_412_is_a_refusal_whatever_else_the_service_says():
    class Service(SharedFiles):
        def pipe_file(self, path, value, mode="overwrite", **options):
            if mode == "create" and self.exists(path):
                cause = RuntimeError()
                cause.response = {"ResponseMetadata": {"HTTPStatusCode": 412}}
                raise OSError(22, "a condition did not hold") from cause
            super().pipe_file(path, value, **options)

    store, pauses = flaky_store(Service())
    ConditionalFiles(store).check()
    assert pauses == []


def ignoring():
    files = SharedFiles()
    files.conditional = False
    return files


@pytest.mark.parametrize("files", [FlakyFiles, ignoring], ids=["unknown driver", "condition ignored"])
def test_a_store_without_conditional_writes_is_refused_in_one_sentence(files):
    store, pauses = flaky_store(files())
    with pytest.raises(StoreError) as raised:
        ConditionalFiles(store).check()
    assert str(raised.value) == (
        "flaky://run has no conditional writes, so the nodes of --queue cannot meet there: expected s3:// "
        "with a service that knows If-None-Match, gs:// or file://; else use --shard"
    )
    assert raised.value.exit_code == 2
    assert pauses == []


def test_a_store_that_refuses_the_writes_says_so_itself():
    store, _ = flaky_store(SharedFiles())
    store._files.faults["write"] = ["denied"]
    with pytest.raises(StoreError, match="Access Denied"):
        ConditionalFiles(store).check()
