"""Symbolic links and foreign names in an output directory lead nowhere else."""

import json
import os

import pytest
from sample_jobs import job_result, job_spec

from job.batch.batch_options import BatchOptions
from job.batch.lock import lock_output
from job.batch.merge import merge_reports
from job.batch.planning import make_plan, write_fingerprints
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.errors import OutputError
from job.results.job_files import list_files
from job.spec.schema import Spec
from job.storage.artifacts import OutputPaths, prepare_output
from job.storage.job_directories import set_aside

MARK = "a" * 64


@pytest.fixture
def elsewhere(tmp_path):
    """A directory outside the output directory, with a file in it; neither may change."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "file").write_text("as it was")
    yield folder
    assert sorted(path.name for path in folder.iterdir()) == ["file"]
    assert (folder / "file").read_text() == "as it was"


@pytest.fixture
def run(output, stand_in):
    def run(*names):
        spec = Spec(path=output.root / "jobs.yaml", jobs=tuple(map(job_spec, names)))
        plan = make_plan(spec, output)
        return run_batch(plan, output, output.root, Log(lambda line: None), BatchOptions())

    return run


@pytest.mark.parametrize("folder", ["jobs", "superseded"])
def test_a_link_in_the_place_of_a_folder_of_the_batch_is_refused(tmp_path, elsewhere, folder):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / folder).symlink_to(elsewhere)
    with pytest.raises(OutputError, match=f"{folder} is a symbolic link"):
        prepare_output(tmp_path / "output")


def test_the_output_directory_itself_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "output").symlink_to(tmp_path / "disk")
    assert prepare_output(tmp_path / "output").jobs.is_dir()


@pytest.mark.parametrize("inner", ["", "model", "checkpoint", "tensorboard"])
def test_a_link_in_the_place_of_a_jobs_directory_is_refused(output, elsewhere, run, inner):
    place = output.jobs / "fine-1" / inner
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(elsewhere)
    with pytest.raises(OutputError, match="is a symbolic link"):
        run("fine-1")


@pytest.mark.parametrize("file", ["result.json", "job.log", "curves.svg"])
def test_a_link_in_the_place_of_a_jobs_file_is_replaced(output, elsewhere, run, file):
    directory = output.job("fine-1").directory
    directory.mkdir()
    (directory / file).symlink_to(elsewhere / "file")
    assert run("fine-1").jobs[0].status == "passed"
    assert not (directory / file).is_symlink()


def test_links_in_the_places_of_reports_are_replaced(output, elsewhere, run):
    files = (output.report, output.html, output.markdown, output.junit, output.prometheus)
    for file in files:
        file.symlink_to(elsewhere / "file")
    run("fine-1")
    assert not any(file.is_symlink() for file in files)


def test_a_pipe_in_the_place_of_the_log_does_not_stop_a_job(output, run):
    output.job("fine-1").directory.mkdir()
    os.mkfifo(output.job("fine-1").log)
    assert run("fine-1").jobs[0].status == "passed"


@pytest.mark.parametrize("name", [".lock", ".lock-shard-1-of-2"])
def test_the_lock_is_no_link(output, elsewhere, name):
    (output.root / name).symlink_to(elsewhere / "file")
    with (
        pytest.raises(OutputError, match="cannot be the lock"),
        lock_output(output.root, name.removeprefix(".lock-") if "-" in name else "batch"),
    ):
        pass


def test_the_lock_is_no_pipe(output):
    os.mkfifo(output.root / ".lock")
    with pytest.raises(OutputError, match="cannot be the lock"), lock_output(output.root):
        pass


def test_a_link_is_not_set_aside(output, elsewhere):
    output.job("a").directory.symlink_to(elsewhere)
    with pytest.raises(OutputError, match="is a symbolic link"):
        set_aside(output, "a")


def test_files_that_are_links_are_not_listed(output, elsewhere):
    directory = output.job("a").directory
    directory.mkdir()
    (directory / "notes").symlink_to(elsewhere / "file")
    assert list_files(directory) == ()


# --- other directories --------------------------------------------------------------------------------------


@pytest.fixture
def shard(tmp_path):
    """An output directory with one finished job, that of another machine."""
    output = prepare_output(tmp_path / "shard")
    paths = output.job("a")
    paths.directory.mkdir()
    paths.result.write_text(job_result("a", fingerprint=MARK).to_json())
    write_fingerprints(output, {"a": MARK})
    return output


def test_links_are_not_copied_from_a_shard(tmp_path, shard, elsewhere):
    (shard.job("a").directory / "notes").symlink_to(elsewhere / "file")
    with pytest.raises(OutputError, match=r"notes is a symbolic link"):
        merge_reports([shard.root], tmp_path / "all")
    assert not list((tmp_path / "all" / "jobs").iterdir())


@pytest.mark.parametrize("name", ["../../.ssh", "/etc", "..", "a/../../b", "a\u0000"])
def test_a_plan_names_nothing_outside_its_directory(tmp_path, shard, name):
    plan = json.loads(shard.plan.read_text())
    plan["jobs"][0]["name"] = name
    shard.plan.write_text(json.dumps(plan))
    with pytest.raises(OutputError, match=r"plan\.json cannot be read .* is not a valid job name"):
        merge_reports([shard.root], tmp_path / "all")


@pytest.mark.parametrize("path", ["../../b/secret", "/etc/passwd"])
def test_a_result_lists_nothing_outside_its_directory(shard, path):
    record = json.loads(shard.job("a").result.read_text())
    record["artifacts"] = [{"path": path, "bytes": 1, "sha256": "0" * 64}]
    shard.job("a").result.write_text(json.dumps(record))
    merged = merge_reports([shard.root])
    assert merged.exit_code == 1
    assert "is not the path of a file in the job directory" in merged.unusable["a"]


def test_a_result_of_another_job_is_not_taken(shard):
    record = json.loads(shard.job("a").result.read_text())
    shard.job("a").result.write_text(json.dumps({**record, "name": "b"}))
    with pytest.raises(OutputError, match="of another job"):
        merge_reports([shard.root])


def test_a_linked_job_is_not_reported(tmp_path, shard):
    other = OutputPaths(tmp_path / "other")
    shard.job("a").directory.rename(tmp_path / "moved")
    shard.job("a").directory.symlink_to(tmp_path / "moved")
    with pytest.raises(OutputError, match="is a symbolic link"):
        merge_reports([shard.root], other.root)
