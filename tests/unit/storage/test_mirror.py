"""The copy of an output directory in a store: what goes up, in which order, and what a reader finds."""

import shutil
import time

import pytest
from stores import FlakyFiles, flaky_store

from job.storage.artifacts import prepare_output, write_text
from job.storage.manifests import Manifest, read_manifests
from job.storage.mirror import Mirror
from job.storage.mirror_thread import MirrorThread
from job.storage.stored_units import fetch_directory

WRITES_A_UNIT = 8
"""More requests to write than the changes of a unit in these tests need."""


@pytest.fixture
def output(tmp_path):
    return prepare_output(tmp_path / "output")


@pytest.fixture
def store():
    return flaky_store()[0]


def leave(output, name="sums", **files):
    """Write files of a job, named without their suffix."""
    for path, text in files.items():
        inner = {"result": "result.json", "log": "job.log"}.get(path, path.replace("__", "/") + ".bin")
        place = output.job(name).directory / inner
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text(place, text)


def fetched(store, tmp_path, unit="jobs/sums"):
    """What a reader gets of a unit: by path its text."""
    manifests, problems = read_manifests(store)
    assert problems == []
    target = tmp_path / "fetched"
    shutil.rmtree(target, ignore_errors=True)
    if unit not in manifests:
        return {}
    assert fetch_directory(store, manifests[unit], target) == []
    return {
        path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()
    }


def recorded_writes(store):
    """Record the paths that are written from now on."""
    written = []
    put = store._files.pipe_file
    store._files.pipe_file = lambda path, value, **rest: (
        written.append(path.removeprefix("/run/")),
        put(path, value),
    )
    return written


def test_everything_a_run_leaves_goes_up_and_nothing_else(output, store):
    leave(output, model__train="weights", result="{}", checkpoint__1="state")
    leave(output, name=".tmp-12345678-sums", model__train="part")
    directory = output.job("sums").directory
    for name in ("progress.json", "cancel", ".tmp-1-x"):
        (directory / name).write_text("passing")
    (directory / "link").symlink_to("/etc/passwd")
    for name in (
        "plan.json",
        "report.json",
        "report-1-of-2.html",
        "junit.xml",
        "metrics.prom",
        ".lock",
        "notes.txt",
    ):
        (output.root / name).write_text(name)
    for folder in ("cache", "queue", ".update", "superseded/sums-12ab", "ensembles/sums"):
        (output.root / folder).mkdir(parents=True)
        (output.root / folder / "file").write_text(folder)
    assert Mirror(output, store, {}).sync() == {}
    assert sorted(path for path in store._files.contents() if not path.startswith("manifests/")) == [
        "ensembles/sums/file",
        "jobs/sums/checkpoint/1.bin",
        "jobs/sums/model/train.bin",
        "jobs/sums/result.json",
        "junit.xml",
        "metrics.prom",
        "plan.json",
        "report-1-of-2.html",
        "report.json",
        "superseded/sums-12ab/file",
    ]
    manifests, _ = read_manifests(store)
    assert manifests.keys() == {
        "ensembles/sums",
        "jobs/sums",
        "junit.xml",
        "metrics.prom",
        "plan.json",
        "report-1-of-2.html",
        "report.json",
        "superseded/sums-12ab",
    }


def test_the_result_goes_up_last_and_the_report_after_the_jobs(output, store):
    leave(output, result="{}", z="z", model__a="a")
    for name in ("report.json", "report.html", "plan.json"):
        (output.root / name).write_text(name)
    written = recorded_writes(store)
    Mirror(output, store, {}).sync()
    assert written == [
        "jobs/sums/model/a.bin",
        "jobs/sums/z.bin",
        "jobs/sums/result.json",
        "manifests/jobs/sums.json",
        "plan.json",
        "manifests/plan.json.json",
        "report.html",
        "manifests/report.html.json",
        "report.json",
        "manifests/report.json.json",
    ]


def test_only_what_has_changed_goes_up(output, store):
    leave(output, model__a="a", b="b")
    mirror = Mirror(output, store, {})
    mirror.sync()
    written = recorded_writes(store)
    assert mirror.sync() == {}
    assert written == []
    leave(output, c="c")
    mirror.sync()
    assert written == ["jobs/sums/c.bin", "manifests/jobs/sums.json"]
    written.clear()
    Mirror(output, store, read_manifests(store)[0]).sync()  # of the next run
    assert written == []


def test_a_log_alone_waits_for_the_end(output, store, tmp_path):
    leave(output, log="1", model__a="a")
    mirror = Mirror(output, store, {})
    mirror.sync()
    leave(output, log="12")
    written = recorded_writes(store)
    mirror.sync()
    assert written == []
    mirror.sync(logs=True)
    assert fetched(store, tmp_path) == {"job.log": "12", "model/a.bin": "a"}


def test_checkpoints_take_turns(output, store, tmp_path):
    mirror = Mirror(output, store, {})
    for step in range(1, 4):
        leave(output, **{f"checkpoint__{step}": f"state {step}"})
        mirror.sync()
        (output.job("sums").checkpoint / f"{step - 1}.bin").unlink(missing_ok=True)
    mirror.sync()
    assert fetched(store, tmp_path) == {"checkpoint/3.bin": "state 3"}
    assert [path for path in store._files.contents() if "checkpoint/" in path] == [
        "jobs/sums/checkpoint/3.bin"
    ]


def test_a_checkpoint_that_is_gone_before_the_manifest_names_it_leaves_no_object(output, store, tmp_path):
    mirror = Mirror(output, store, {})
    leave(output, checkpoint__1="state 1")
    mirror.sync()
    leave(output, checkpoint__2="state 2", model__a="a")
    put = store.put_file

    def put_file(path, local, wanted):
        put(path, local, wanted)
        shutil.rmtree(output.job("sums").directory, ignore_errors=True)

    store.put_file = put_file
    assert "cannot be read" in mirror.sync()["jobs/sums"]
    store.put_file = put
    leave(output, checkpoint__3="state 3")
    assert mirror.sync() == {}
    assert fetched(store, tmp_path) == {"checkpoint/3.bin": "state 3"}
    assert [path for path in store._files.contents() if path.startswith("jobs/")] == [
        "jobs/sums/checkpoint/3.bin"
    ]


def test_a_job_that_is_trained_again_leaves_nothing_of_its_earlier_files(output, store, tmp_path):
    mirror = Mirror(output, store, {})
    leave(output, result="old", model__a="old", model__b="old")
    mirror.sync()
    output.superseded.mkdir()
    output.job("sums").directory.rename(output.superseded / "sums-12ab")
    leave(output, model__a="new")
    mirror.sync()
    assert fetched(store, tmp_path) == {"model/a.bin": "new"}
    assert fetched(store, tmp_path, "superseded/sums-12ab") == {
        "result.json": "old",
        "model/a.bin": "old",
        "model/b.bin": "old",
    }
    assert "jobs/sums/result.json" not in store._files.contents()


def test_a_directory_that_disappears_as_a_whole_stays_in_the_store(output, store, tmp_path):
    mirror = Mirror(output, store, {})
    leave(output, result="{}")
    (output.root / "report.json").write_text("{}")
    mirror.sync()
    shutil.rmtree(output.jobs)
    (output.root / "report.json").unlink()  # as a run does with reports that are not its own
    mirror.sync()
    assert fetched(store, tmp_path) == {"result.json": "{}"}
    assert "report.json" not in store._files.contents()
    shutil.rmtree(output.root)
    with pytest.raises(OSError, match="No such file"):
        mirror.sync()
    assert fetched(store, tmp_path) == {"result.json": "{}"}


@pytest.mark.parametrize("fault", ["error", "tear", "lose", "lie"])
@pytest.mark.parametrize("good", range(WRITES_A_UNIT))
def test_whenever_uploading_stops_a_reader_finds_whole_files_old_or_new(output, tmp_path, good, fault):
    """The process is killed, or the store fails, after any number of requests."""
    store, _ = flaky_store()
    store.waits = ()
    leave(output, result="old", model__a="old", model__b="same", gone="old")
    Mirror(output, store, {}).sync()
    leave(output, result="new", model__a="new", more="new")
    (output.job("sums").directory / "gone.bin").unlink()
    store._files.faults["write"] = [None] * good + [fault] * 20
    problems = Mirror(output, store, read_manifests(store)[0]).sync()
    store._files.faults["write"] = []
    torn = fault == "tear"
    found = {} if torn and not _readable(store) else _read_leniently(store, tmp_path)
    assert {*found.values()} <= {"old", "new", "same"}
    if not torn:  # an object store replaces an object in one step
        assert {"result.json", "model/a.bin", "model/b.bin"} <= found.keys()
    if not problems:
        assert found == {"result.json": "new", "model/a.bin": "new", "model/b.bin": "same", "more.bin": "new"}
    assert Mirror(output, store, read_manifests(store)[0]).sync() == {}  # the next run
    assert fetched(store, tmp_path) == {
        "result.json": "new",
        "model/a.bin": "new",
        "model/b.bin": "same",
        "more.bin": "new",
    }
    if good < 4:  # before the manifest is there: then what an earlier process left is looked for
        assert "jobs/sums/gone.bin" not in store._files.contents()


def _readable(store):
    return "jobs/sums" in read_manifests(store)[0]


def _read_leniently(store, tmp_path):
    """What a reader gets who leaves out files that are not whole."""
    target = tmp_path / "lenient"
    fetch_directory(store, read_manifests(store)[0]["jobs/sums"], target)
    found = {
        path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()
    }
    shutil.rmtree(target)
    return found


def test_a_store_that_is_down_is_not_asked_for_every_job(output):
    files = FlakyFiles()
    store, _ = flaky_store(files)
    store.waits = ()
    for number in range(20):
        leave(output, name=f"job{number}", result="{}")
    mirror = Mirror(output, store, {})
    files.faults["write"] = ["error"] * 100
    problems = mirror.sync()
    assert len(problems) == 20
    assert files.count["write"] < 6
    assert (
        "flaky://run/jobs/job0/result.json cannot be written: Connection reset by peer"
        in problems["jobs/job0"]
    )
    files.faults["write"] = []
    assert mirror.sync() == {}


def test_units_of_others_are_uploaded_only_if_the_store_lacks_them(output, store):
    leave(output, name="mine", a="new")
    leave(output, name="theirs", a="old")
    leave(output, name="nobodys", a="new")
    theirs = Manifest("jobs/theirs", {})
    Mirror(output, store, {theirs.unit: theirs}, lambda unit: unit == "jobs/mine").sync()
    found = {path for path in store._files.contents() if not path.startswith("manifests")}
    assert found == {"jobs/mine/a.bin", "jobs/nobodys/a.bin"}


# --- the thread ---------------------------------------------------------------------------------------------


def never():
    return False


def test_the_thread_uploads_by_itself_and_flush_waits_for_everything(output, store, tmp_path):
    thread = MirrorThread(Mirror(output, store, {}), interval=0.01)
    leave(output, a="1")
    deadline = time.monotonic() + 20
    while "manifests/jobs/sums.json" not in store._files.contents():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    leave(output, a="2", log="said")
    assert thread.flush(never) == []
    assert fetched(store, tmp_path) == {"a.bin": "2", "job.log": "said"}
    thread.close()
    thread._thread.join(20)
    assert not thread._thread.is_alive()


def test_flush_gives_up_on_a_store_that_stays_down_and_names_what_is_missing(output, store):
    store._files.faults["write"] = ["denied"] * 100
    leave(output, a="1")
    thread = MirrorThread(Mirror(output, store, {}), interval=60)
    (problem,) = thread.flush(never, max_rounds=2)
    assert problem == "flaky://run/jobs/sums/a.bin cannot be written: Access Denied (PermissionError)"
    store._files.faults["write"] = []
    assert thread.flush(never) == []
    thread.close()


def test_after_a_request_to_stop_there_is_little_time(output, store, monkeypatch):
    monkeypatch.setattr("job.storage.mirror_thread.STOPPED_SECONDS", 0.2)
    released = time.monotonic() + 3

    def hang(path, value, **rest):
        time.sleep(max(0, released - time.monotonic()))

    store._files.pipe_file = hang
    leave(output, a="1")
    thread = MirrorThread(Mirror(output, store, {}), interval=60)
    began = time.monotonic()
    assert thread.flush(lambda: True) == ["the store does not answer"]
    assert time.monotonic() - began < 2
    thread.close()


def test_a_directory_that_cannot_be_read_is_reported(output, store):
    thread = MirrorThread(Mirror(output, store, {}), interval=60)
    shutil.rmtree(output.root)
    (problem,) = thread.flush(never, max_rounds=1)
    assert "is not uploaded" in problem
    thread.close()
