"""A new job directory in place of an old one: a kill at any step leaves one of them, and loses neither."""

import errno
import os
import shutil

import pytest
from stepping import fail_at_every_step, kill_at_every_step

from job.errors import OutputError
from job.results.job_result import JobResult
from job.storage import job_replacement
from job.storage.artifacts import JobPaths, prepare_output
from job.storage.job_directories import clear_job_leftovers
from job.storage.job_replacement import copy_job, put_in_place, take_back

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def output(tmp_path):
    return prepare_output(tmp_path / "out")


def fill(paths, mark):
    """Leave a job whose files all say of which version it is."""
    shutil.rmtree(paths.directory, ignore_errors=True)
    (paths.model).mkdir(parents=True)
    (paths.model / "train.keras").write_text(mark)
    paths.predictions.write_text(mark)
    paths.log.write_text(mark)
    paths.result.write_text(JobResult("a", "passed", mark, 7, {}).to_json())


def mark_of(directory):
    """Return the version of a job directory, None unless all of its files are there and of one version."""
    paths = JobPaths(directory)
    try:
        marks = {
            (paths.model / "train.keras").read_text(),
            paths.predictions.read_text(),
            JobResult.from_json(paths.result.read_bytes()).fingerprint,
        }
    except (OSError, ValueError):
        return None
    return marks.pop() if len(marks) == 1 else None


def superseded(output):
    found = sorted(output.superseded.iterdir()) if output.superseded.exists() else []
    return [mark_of(path) for path in found if not path.name.startswith(".tmp-")]


@pytest.fixture(params=["exchange", "no exchange"])
def exchanging(request, monkeypatch):
    """On a file system that can exchange directories in one step, and on one that cannot."""
    if request.param == "exchange":
        return True

    def refuse(one, other):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(job_replacement, "_exchange", refuse)
    return False


def test_a_copy_shares_the_files_but_not_the_log_and_leaves_out_what_it_is_told_to(output):
    paths = output.job("a")
    fill(paths, OLD)
    copy = copy_job(paths.directory, output, "b", lambda path: path in ("result.json", "predictions.jsonl"))
    assert copy.directory.parent == output.jobs
    assert (copy.model / "train.keras").samefile(paths.model / "train.keras")
    assert not copy.log.samefile(paths.log)
    assert copy.log.read_text() == OLD
    assert sorted(path.name for path in copy.directory.iterdir()) == ["job.log", "model"]
    clear_job_leftovers(output, "b")
    assert not copy.directory.exists()
    assert mark_of(paths.directory) == OLD


def test_without_hard_links_the_files_are_copied(output, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    fill(output.job("a"), OLD)
    copy = copy_job(output.job("a").directory, output, "b", lambda path: False)
    assert mark_of(copy.directory) == OLD
    assert not (copy.model / "train.keras").samefile(output.job("a").model / "train.keras")


def test_nothing_is_copied_through_a_link_and_a_directory_that_is_gone_is_named(output, tmp_path):
    fill(output.job("a"), OLD)
    (output.job("a").directory / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="is a symbolic link"):
        copy_job(output.job("a").directory, output, "b", lambda path: False)
    with pytest.raises(FileNotFoundError):
        copy_job(output.job("none").directory, output, "b", lambda path: False)
    assert [path.name for path in output.jobs.iterdir()] == ["a"]


def test_the_new_directory_takes_the_place_and_the_old_one_is_set_aside(output, exchanging):
    fill(output.job("a"), OLD)
    new = JobPaths(output.jobs / ".tmp-12345678-a")
    fill(new, NEW)
    aside = put_in_place(new, output, "a")
    assert aside == output.superseded / f"a-{OLD[:8]}"
    assert mark_of(aside) == OLD
    assert mark_of(output.job("a").directory) == NEW
    assert [path.name for path in output.jobs.iterdir()] == ["a"]


def test_where_there_was_no_directory_nothing_is_set_aside(output, exchanging):
    new = JobPaths(output.jobs / ".tmp-12345678-a")
    fill(new, NEW)
    assert put_in_place(new, output, "a") is None
    assert mark_of(output.job("a").directory) == NEW
    assert not output.superseded.exists()


def prepared(output):
    """Prepare a directory with an old job, and a new one that is complete."""
    shutil.rmtree(output.root)
    prepare_output(output.root)
    fill(output.job("a"), OLD)
    new = JobPaths(output.jobs / ".tmp-12345678-a")
    fill(new, NEW)
    return new


def test_whenever_it_is_killed_the_job_is_the_old_one_or_the_new_one(output, exchanging):
    new = JobPaths(output.jobs / ".tmp-12345678-a")
    found = set()
    for number in kill_at_every_step(lambda: prepared(output), lambda: put_in_place(new, output, "a")):
        clear_job_leftovers(output, "a")  # as the next run does
        mark = mark_of(output.job("a").directory)
        gone = not output.job("a").directory.exists()
        assert mark in (OLD, NEW) or (gone and not exchanging), number
        assert mark == OLD or OLD in superseded(output), number
        assert not [path for path in output.jobs.iterdir() if path.name.startswith(".tmp-")], number
        found.add(mark)
    assert OLD in found


@pytest.mark.parametrize("for_good", [False, True])
def test_on_a_full_disk_the_job_is_the_old_one_or_the_new_one(output, exchanging, for_good):
    new = JobPaths(output.jobs / ".tmp-12345678-a")
    steps = fail_at_every_step(
        lambda: prepared(output), lambda: put_in_place(new, output, "a"), for_good=for_good
    )
    for number in steps:
        mark = mark_of(output.job("a").directory)
        assert mark in (OLD, NEW) or (OLD in superseded(output) and not exchanging), number
        assert mark == OLD or OLD in superseded(output), number


def test_what_is_taken_back_is_exchanged_for_what_was_in_its_place(output):
    fill(output.job("a"), NEW)
    fill(JobPaths(output.superseded / "a-old"), OLD)
    aside = take_back(output.superseded / "a-old", output, "a")
    assert aside == output.superseded / f"a-{NEW[:8]}"
    assert mark_of(aside) == NEW
    assert mark_of(output.job("a").directory) == OLD
    assert [path.name for path in output.superseded.iterdir()] == [aside.name]


def test_whenever_taking_back_is_killed_both_are_there(output):
    place = output.superseded / "a-old"

    def prepare():
        prepared(output)
        fill(JobPaths(place), OLD)
        fill(output.job("a"), NEW)

    for number in kill_at_every_step(prepare, lambda: take_back(place, output, "a")):
        here = mark_of(output.job("a").directory)
        assert {here, *superseded(output)} - {None} == {OLD, NEW}, number
