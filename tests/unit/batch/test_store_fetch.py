"""What a run fetches from a store: what its output directory lacks, and where the store is ahead."""

import shutil

import pytest
from finished_jobs import LONGER, leave, recorded, said_of
from sample_jobs import job_result, job_spec
from stores import flaky_store

from job.batch.store_copy import StoreCopy
from job.batch.store_fetch import fetch_directories, fetch_top_files
from job.spec.fingerprints import fingerprints_of
from job.storage.artifacts import prepare_output, write_text
from job.storage.manifests import read_manifests
from job.storage.mirror import Mirror

SUMS = job_spec("sums")


@pytest.fixture
def store():
    return flaky_store()[0]


@pytest.fixture
def remote(tmp_path, store):
    """The output directory of another machine; `upload` makes the store a copy of it."""
    found = prepare_output(tmp_path / "remote")

    def upload():
        assert Mirror(found, store, read_manifests(store)[0]).sync() == {}

    return found, upload


def fetch(store, output, names=lambda unit: True):
    stored, problems = read_manifests(store)
    return [*problems, *fetch_directories(store, stored, output, names)]


def train(output, job, *steps):
    """Leave an unfinished job with checkpoints."""
    mark = fingerprints_of(job, output.root).training[:8]
    for step in steps:
        path = output.job(job.name).checkpoint / f"{mark}-{step:010d}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, f"state {step}")


def steps_in(output, name="sums"):
    return sorted(int(path.stem.partition("-")[2]) for path in output.job(name).checkpoint.glob("*.npz"))


def test_an_empty_directory_gets_everything_and_nothing_is_trained_again(
    store, remote, output, batch, stand_in
):
    other, upload = remote
    result = leave(other, SUMS)
    write_text(other.plan, "{}")
    write_text(other.root / "mlflow.json", '{"batch": "1"}')
    upload()
    assert fetch(store, output) == []
    assert fetch_top_files(store, read_manifests(store)[0], output, lambda name: True) == []
    assert (output.root / "mlflow.json").read_text() == '{"batch": "1"}'  # its runs are found again
    assert output.plan.read_text() == "{}"
    assert recorded(output, "sums") == result
    assert batch(SUMS).jobs[0].reused
    assert stand_in == []


def test_training_goes_on_from_the_last_checkpoint(store, remote, output, plan):
    other, upload = remote
    train(other, SUMS, 10, 20)
    upload()
    fetch(store, output)
    assert steps_in(output) == [10, 20]
    assert plan(SUMS)[0].state == "interrupted"


@pytest.mark.parametrize(("ours", "theirs", "kept"), [(10, 20, 20), (20, 10, 20), (10, 10, 10)])
def test_of_two_states_of_a_training_the_later_one_is_resumed(store, remote, output, ours, theirs, kept):
    other, upload = remote
    train(other, SUMS, theirs)
    upload()
    train(output, SUMS, ours)
    fetch(store, output)
    assert steps_in(output) == [kept]
    aside = [path.name for path in output.superseded.glob("*")]
    assert aside == (["sums-unfinished"] if theirs > ours else [])


def test_an_unfinished_state_of_another_training_is_left_alone(store, remote, output):
    other, upload = remote
    train(other, job_spec("sums", training=LONGER), 100)
    upload()
    train(output, SUMS, 10)
    fetch(store, output)
    assert steps_in(output) == [10]


def test_a_finished_result_takes_the_place_of_an_unfinished_one(store, remote, output, plan):
    other, upload = remote
    leave(other, SUMS)
    train(other, SUMS, 20)  # killed before its checkpoints were removed
    upload()
    train(output, SUMS, 10)
    fetch(store, output)
    assert said_of(plan(SUMS)) == ["skip: nothing that decides its result has changed"]
    assert (output.superseded / "sums-unfinished" / "checkpoint").is_dir()


def test_a_finished_result_here_stays_and_one_of_another_spec_is_found_too(store, remote, output, plan):
    other, upload = remote
    leave(other, SUMS)
    upload()
    here = leave(output, job_spec("sums", training=LONGER))
    for _ in range(2):  # once more changes nothing
        assert fetch(store, output) == []
        assert recorded(output, "sums") == here
        assert len([*output.superseded.iterdir()]) == 1
    assert said_of(plan(SUMS)) == [
        f"skip: its result is in superseded/{next(output.superseded.iterdir()).name}"
    ]


def test_the_same_result_is_not_fetched_again(store, remote, output):
    other, upload = remote
    leave(other, SUMS)
    upload()
    fetch(store, output)
    reads = store._files.count["read"]
    fetch(store, output)
    assert store._files.count["read"] - reads <= 2  # the manifest and the result
    assert not output.superseded.exists()


def test_a_failed_job_in_the_store_is_no_result(store, remote, output):
    other, upload = remote
    other.job("sums").directory.mkdir()
    write_text(other.job("sums").result, job_result("sums", "failed").to_json())
    upload()
    train(output, SUMS, 10)
    fetch(store, output)
    assert steps_in(output) == [10]


@pytest.mark.parametrize("damaged", ["predictions.jsonl", "model/train.keras", "result.json"])
def test_what_differs_from_its_checksum_is_not_used(store, remote, output, plan, damaged):
    other, upload = remote
    leave(other, SUMS)
    upload()
    store._files.pipe_file(f"/run/jobs/sums/{damaged}", b"torn")
    assert fetch(store, output) == [
        f"flaky://run/jobs/sums/{damaged} is missing or differs from its checksum; it is not used"
    ]
    assert not (output.job("sums").directory / damaged).exists()
    actions = {"predictions.jsonl": "re-evaluate", "model/train.keras": "train", "result.json": "train"}
    assert plan(SUMS)[0].action == actions[damaged]


def test_a_shard_fetches_its_own_jobs(store, remote, output):
    other, upload = remote
    for name in ("sums", "sums-2", "copy"):
        leave(other, job_spec(name))
    shutil.copytree(other.job("sums").directory, other.superseded / "sums-12345678")
    upload()
    copy = StoreCopy("memory://unused")
    copy._remote, copy._stored = store, read_manifests(store)[0]
    copy.fetch(output, {"sums"})
    found = {path.relative_to(output.root).as_posix() for path in output.root.glob("*/*")}
    assert found == {"jobs/sums", "superseded/sums-12345678"}


def test_a_job_whose_upload_failed_fails_the_batch(batch, output):
    leave(output, SUMS)
    report = batch(SUMS, flush_store=lambda: ["not uploaded: x"])
    assert (report.exit_code, report.verdict.reasons) == (1, ("not uploaded: x",))
