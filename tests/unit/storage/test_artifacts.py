import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from job.errors import BAD_USAGE, OutputError
from job.results.job_files import list_files
from job.results.job_result import Artifact
from job.storage.artifacts import (
    JobPaths,
    OutputPaths,
    clear_temporaries,
    prepare_output,
    replacing,
    write_bytes,
    write_text,
)
from job.storage.job_directories import set_aside

FINGERPRINT = "0123456789abcdef" * 4


def tree(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def no_space(*_args: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# --- paths --------------------------------------------------------------------------------------------------


def test_the_names_that_other_peoples_scripts_depend_on():
    output = OutputPaths(Path("output"))
    job = output.job("tutorial")
    names = {
        "output/report.json": output.report,
        "output/report.md": output.markdown,
        "output/junit.xml": output.junit,
        "output/plan.json": output.plan,
        "output/jobs": output.jobs,
        "output/superseded": output.superseded,
        "output/jobs/tutorial": job.directory,
        "output/jobs/tutorial/result.json": job.result,
        "output/jobs/tutorial/spec.yaml": job.spec,
        "output/jobs/tutorial/history.csv": job.history,
        "output/jobs/tutorial/predictions.jsonl": job.predictions,
        "output/jobs/tutorial/curves.svg": job.curves,
        "output/jobs/tutorial/accuracy.svg": job.accuracy,
        "output/jobs/tutorial/attention.svg": job.attention,
        "output/jobs/tutorial/contexts.json": job.contexts,
        "output/jobs/tutorial/contexts.svg": job.contexts_plot,
        "output/jobs/tutorial/job.log": job.log,
        "output/jobs/tutorial/model": job.model,
        "output/jobs/tutorial/checkpoint": job.checkpoint,
    }
    assert {name: str(path) for name, path in names.items()} == {name: name for name in names}


def test_importing_is_light():
    code = (
        "import sys, job.storage.artifacts; print({'numpy', 'tensorflow', 'matplotlib'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


# --- atomic writes ------------------------------------------------------------------------------------------


def test_writes_a_new_file_and_replaces_an_old_one(tmp_path):
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()
    write_bytes(tmp_path / "a.txt", b"\r\n\x00")
    assert (tmp_path / "a.txt").read_bytes() == b"\r\n\x00"
    assert tree(tmp_path) == ["a.txt"]


def test_the_temporary_file_lies_beside_and_ends_alike(tmp_path):
    with replacing(tmp_path / "train.keras") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".keras"
        temporary.write_text("weights")
        assert not (tmp_path / "train.keras").exists()
    assert tree(tmp_path) == ["train.keras"]


def test_a_written_file_has_the_permissions_of_an_ordinary_one(tmp_path):
    (tmp_path / "ordinary").touch()
    write_text(tmp_path / "written", "")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "a").write_text("old")

    def write():
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(type(error)):
        write()
    assert (tmp_path / "a").read_text() == "old"
    assert tree(tmp_path) == ["a"]


@pytest.mark.parametrize("where", ["a", "gone/a"])
def test_an_error_names_the_file_that_was_to_be_written(tmp_path, monkeypatch, where):
    if where == "a":
        monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match=r"No space left|No such file") as caught:
        write_text(tmp_path / where, "text")
    assert caught.value.filename == str(tmp_path / where)


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, call, no_space)
    with pytest.raises(OSError, match="No space left on device"):
        write_text(tmp_path / "a", "new")
    monkeypatch.undo()
    assert (tmp_path / "a").read_text() == "old"
    assert tree(tmp_path) == ["a"]


def test_a_disk_that_fills_half_way_through_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")

    def half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        no_space()

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space left on device"):
        write_text(tmp_path / "a", "new content")
    assert (tmp_path / "a").read_text() == "old"
    assert tree(tmp_path) == ["a"]


def test_content_reaches_the_disk_before_the_name_and_the_name_before_returning(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(source, target):
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_text(tmp_path / "a", "x")
    assert events == ["file", "rename", "folder"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        pass
    assert tree(tmp_path) == []


def test_a_killed_process_leaves_the_old_file_and_its_litter_can_be_cleared(tmp_path):
    (tmp_path / "model").mkdir()
    target = tmp_path / "model" / "a"
    target.write_text("old")
    code = (
        "import os, pathlib, sys; from job.storage.artifacts import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    assert len(tree(tmp_path)) == 3
    assert [artifact.path for artifact in list_files(tmp_path)] == ["model/a"]
    clear_temporaries(tmp_path)
    assert tree(tmp_path) == ["model", "model/a"]


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path):
    write_text(tmp_path / "a", "file caf\udce9")
    assert (tmp_path / "a").read_text("utf-8") == "file caf?"


# --- what a job left ----------------------------------------------------------------------------------------


def test_describes_every_file_but_the_passing_ones(tmp_path):
    for name in (
        "result.json",
        "job.log",
        "checkpoint/state.npz",
        "checkpoint/deep/x",
        ".tmp-0-a",
        "model/.tmp-1-b",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    kept = {
        "model/train.keras": os.urandom(3 << 20),
        "model.txt": b"",
        "history.csv": b"step\n",
        "model/job.log": b"kept: not the job's log",
    }
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    assert list_files(tmp_path) == tuple(
        Artifact(name, len(kept[name]), hashlib.sha256(kept[name]).hexdigest()) for name in sorted(kept)
    )


def test_describes_nothing_in_an_empty_directory(tmp_path):
    assert list_files(tmp_path) == ()


# --- the output directory -----------------------------------------------------------------------------------


@contextmanager
def without_root() -> Iterator[None]:
    """Drop root's power over permissions, where the tests run with it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Give a directory that any user may write to; pytest's own lie behind one that is its user's alone."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def test_makes_the_directory_with_its_parents_and_leaves_no_probe(tmp_path):
    output = prepare_output(tmp_path / "a" / "b")
    assert output.root == tmp_path / "a" / "b"
    assert tree(tmp_path) == ["a", "a/b", "a/b/jobs"]


def test_touches_nothing_in_a_directory_that_is_there(tmp_path):
    write_text(tmp_path / "probe", "mine")
    write_text(tmp_path / "report.json", "{}")
    prepare_output(tmp_path)
    prepare_output(tmp_path)
    assert tree(tmp_path) == ["jobs", "probe", "report.json"]
    assert (tmp_path / "probe").read_text() == "mine"


def refusal(directory: Path) -> str:
    with pytest.raises(OutputError) as caught:
        prepare_output(directory)
    assert caught.value.exit_code == BAD_USAGE
    message = str(caught.value)
    assert str(directory) in message
    assert "--output-dir" in message
    assert "\n" not in message
    return message


def test_refuses_a_file(tmp_path):
    (tmp_path / "output").write_text("mine")
    assert "is a file" in refusal(tmp_path / "output")
    assert (tmp_path / "output").read_text() == "mine"


def test_refuses_a_path_under_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    assert "has a file in its path" in refusal(tmp_path / "file" / "output")


def test_refuses_a_link_to_nowhere(tmp_path):
    (tmp_path / "output").symlink_to(tmp_path / "nowhere")
    refusal(tmp_path / "output")


def test_refuses_a_name_that_is_too_long(tmp_path):
    assert "File name too long" in refusal(tmp_path / ("x" * 300))


@pytest.mark.parametrize("locked", ["output", "output/jobs"])
def test_refuses_a_directory_without_write_permission(reachable, locked):
    (reachable / "output" / "jobs").mkdir(parents=True)
    for folder in ("output", "output/jobs"):
        (reachable / folder).chmod(0o555 if folder == locked else 0o777)
    with without_root():
        assert "not writable" in refusal(reachable / "output")
    assert tree(reachable) == ["output", "output/jobs"]
    (reachable / locked).chmod(0o755)


def test_refuses_a_parent_without_write_permission(reachable):
    reachable.chmod(0o555)
    with without_root():
        assert "not writable" in refusal(reachable / "output")
    assert tree(reachable) == []


def test_refuses_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", no_space)
    assert "No space left on device" in refusal(tmp_path)


# --- superseded jobs ----------------------------------------------------------------------------------------


def make_job(output: OutputPaths, name: str, result: str | None, mark: str) -> None:
    job = output.job(name)
    job.directory.mkdir(parents=True)
    write_text(job.history, mark)
    if result is not None:
        write_text(job.result, result)


def test_sets_aside_under_the_fingerprint_and_never_overwrites(tmp_path):
    output = prepare_output(tmp_path)
    places = []
    for mark in ("first", "second", "third"):
        make_job(output, "tutorial", json.dumps({"fingerprint": FINGERPRINT}), mark)
        places.append(set_aside(output, "tutorial"))
    assert [place.name for place in places] == [
        "tutorial-01234567",
        "tutorial-01234567-2",
        "tutorial-01234567-3",
    ]
    assert [JobPaths(place).history.read_text() for place in places] == ["first", "second", "third"]
    assert tree(output.jobs) == []


@pytest.mark.parametrize(
    "result",
    [None, "", "{", "[]", '"text"', "{}", '{"fingerprint": null}', '{"fingerprint": "../../etc"}', "\udcff"],
)
def test_sets_aside_what_has_no_readable_result(tmp_path, result):
    output = prepare_output(tmp_path)
    make_job(output, "job", result, "kept")
    place = set_aside(output, "job")
    assert place == output.superseded / "job-unfinished"
    assert JobPaths(place).history.read_text() == "kept"


def test_setting_aside_leaves_other_jobs_alone(tmp_path):
    output = prepare_output(tmp_path)
    make_job(output, "a", None, "a")
    make_job(output, "ab", None, "ab")
    set_aside(output, "a")
    assert tree(output.jobs) == ["ab", "ab/history.csv"]


def test_a_move_that_fails_leaves_everything_in_its_place(tmp_path, monkeypatch):
    output = prepare_output(tmp_path)
    make_job(output, "job", None, "kept")
    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        set_aside(output, "job")
    assert output.job("job").history.read_text() == "kept"
    assert tree(output.superseded) == []


def test_there_must_be_something_to_set_aside(tmp_path):
    output = prepare_output(tmp_path)
    with pytest.raises(NotADirectoryError):
        set_aside(output, "job")
    assert not output.superseded.exists()
