"""Job directories set aside, to another file system too; nothing is lost whenever it is stopped."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from stepping import fail_at_every_step, kill_at_every_step

from job.batch.resume import make_room
from job.results.job_result import JobResult
from job.spec.fingerprints import Fingerprints
from job.storage.artifacts import prepare_output
from job.storage.job_directories import clear_job_leftovers, set_aside

OTHER = "b" * 64
MARKS = Fingerprints(training="a" * 64, evaluation="a" * 64)
FILES = ("result.json", "model/train.keras", "checkpoint/state.npz")


def can_mount():
    return os.getuid() == 0 and shutil.which("mount") is not None


@pytest.fixture
def mount():
    """A function that mounts a small file system in memory; returns whether it could."""
    mounted = []

    def mount(folder, size="4m"):
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
        )
        mounted.extend([folder] if done.returncode == 0 else [])
        return done.returncode == 0

    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def apart(monkeypatch):
    """Have renames from one folder to another fail, as between file systems."""
    real = os.replace

    def replace(source, target):
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target)

    return lambda: monkeypatch.setattr(os, "replace", replace)


@pytest.fixture(params=["superseded", "jobs", "neither"])
def output(request, tmp_path, mount, apart):
    """An output directory, one of whose folders lies on another file system."""
    root = tmp_path / "out"
    if request.param != "neither" and not (can_mount() and mount(root / request.param)):
        apart()
    return prepare_output(root)


def leave_job(output):
    """Leave a job's directory, and nothing else."""
    for folder in (output.jobs, output.superseded):
        for path in folder.iterdir() if folder.is_dir() else ():
            shutil.rmtree(path)
    paths = output.job("a")
    result = JobResult("a", "passed", OTHER, 7, {})
    for name in FILES:
        (paths.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.directory / name).write_text(f"content of {name}")
    paths.result.write_text(result.to_json())


def whole(directory):
    return all((directory / name).is_file() for name in FILES) and JobResult.from_json(
        (directory / "result.json").read_bytes()
    )


def visible(folder):
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def places(output):
    """Everywhere that the job's directory is to be seen."""
    return [
        path for folder in (output.jobs, output.superseded) if folder.is_dir() for path in visible(folder)
    ]


def test_a_job_is_set_aside_to_another_file_system(output):
    leave_job(output)
    target = set_aside(output, "a")
    assert target == output.superseded / f"a-{OTHER[:8]}"
    assert whole(target)
    assert [*output.jobs.iterdir()] == []
    leave_second = JobResult("a", "passed", OTHER, 7, {})
    output.job("a").directory.mkdir()
    output.job("a").result.write_text(leave_second.to_json())
    assert set_aside(output, "a").name == f"a-{OTHER[:8]}-2"
    assert whole(target)


def test_links_inside_a_job_stay_links(output, tmp_path):
    leave_job(output)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    (output.job("a").directory / "link").symlink_to(tmp_path / "private")
    target = set_aside(output, "a")
    assert (target / "link").is_symlink()
    assert (tmp_path / "private" / "key").read_text() == "secret"


def test_nothing_is_lost_whenever_it_is_killed_and_the_next_run_ends_it(output):
    for number in kill_at_every_step(lambda: leave_job(output), lambda: set_aside(output, "a")):
        assert any(whole(place) for place in places(output)), number
        job = output.job("a").directory
        assert whole(job) or not job.exists() or job in places(output), number
        make_room(output, "a", MARKS, fresh=False)
        assert [*output.job("a").directory.iterdir()] == []
        assert any(whole(place) for place in places(output)), number
        left = [path.name for folder in (output.jobs, output.superseded) for path in folder.iterdir()]
        assert not [name for name in left if name.startswith(".tmp-")], number


@pytest.mark.parametrize("for_good", [False, True])
def test_nothing_is_lost_on_a_full_disk(output, for_good):
    steps = fail_at_every_step(lambda: leave_job(output), lambda: set_aside(output, "a"), for_good=for_good)
    for number in steps:
        assert any(whole(place) for place in places(output)), number
        clear_job_leftovers(output, "a")
        make_room(output, "a", MARKS, fresh=False)
        assert any(whole(place) for place in visible(output.superseded)), number


# --- mounts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["jobs", "superseded", "jobs/a"])
def test_a_mounted_directory_is_set_aside(tmp_path, mount, folder):
    output = prepare_output(tmp_path / "out")
    if not (can_mount() and mount(output.root / folder)):
        pytest.skip("only root may mount")
    paths = output.job("a")
    for name in FILES:
        (paths.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.directory / name).write_text("content")
    paths.result.write_text(JobResult("a", "passed", OTHER, 7, {}).to_json())
    assert whole(set_aside(output, "a"))
    make_room(output, "a", MARKS, fresh=False)
    assert [*paths.directory.iterdir()] == []


def test_where_the_disk_is_full_the_job_stays(tmp_path, mount):
    output = prepare_output(tmp_path / "out")
    if not (can_mount() and mount(output.superseded, "64k")):
        pytest.skip("only root may mount")
    leave_job(output)
    (output.job("a").directory / "large").write_bytes(b"x" * 100_000)
    with pytest.raises(OSError, match="No space left"):
        set_aside(output, "a")
    assert whole(output.job("a").directory)
    assert [*output.superseded.iterdir()] == []
