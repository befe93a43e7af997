"""Copies of stores to read from: fetched, verified, and without what reading does not need."""

import errno
import tempfile

import pytest

from job.errors import StoreError
from job.storage import remote_files
from job.storage.artifacts import prepare_output, write_text
from job.storage.fetched_places import fetch_model, fetch_output, fetch_reports
from job.storage.mirror import Mirror
from job.storage.remote_files import connect_store
from job.storage.store_address import is_copy, note_copy, parse_store, shown, with_addresses

URL = "memory://team/night"
FILES = ("result.json", "predictions.jsonl", "model/train.keras", "checkpoint/a-1.npz", "tensorboard/events")


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """A store with one job and a report."""
    monkeypatch.setattr(remote_files, "WAITS", ())
    output = prepare_output(tmp_path / "output")
    for name in FILES:
        path = output.job("sums").directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, name)
    write_text(output.report, "{}")
    found = connect_store(parse_store(URL))
    found.waits = ()
    assert Mirror(output, found, {}).sync() == {}
    yield found
    found._files.rm(found._root, recursive=True)


def names(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_an_output_directory_comes_without_its_models(remote):
    root = fetch_output(f"{URL}/")
    assert names(root) == ["jobs/sums/predictions.jsonl", "jobs/sums/result.json", "report.json"]
    assert root.name == "night"
    assert shown(root) == URL
    assert is_copy(root)
    assert not is_copy(root / "jobs")


@pytest.mark.parametrize("end", ["", "/", "/model"])
def test_a_job_comes_with_its_model(remote, end):
    root = fetch_model(f"{URL}/jobs/sums{end}")
    assert names(root) == ["model/train.keras", "predictions.jsonl", "result.json"]


@pytest.mark.parametrize("url", [URL, f"{URL}/jobs/", f"{URL}/jobs/sums/checkpoint", "memory://jobs/sums"])
def test_only_jobs_are_models(remote, url):
    with pytest.raises(StoreError, match=r"is no job in a store; expected URL/jobs/NAME|is not the URL"):
        fetch_model(url)


def test_what_is_not_there_is_a_sentence(remote):
    with pytest.raises(
        StoreError, match=r"^memory://none holds no output directory; expected what a run with"
    ):
        fetch_output("memory://none")
    with pytest.raises(StoreError, match=f"^{URL} has no job copy$"):
        fetch_model(f"{URL}/jobs/copy")


def test_a_file_that_differs_from_its_checksum_is_refused(remote, monkeypatch):
    monkeypatch.setattr("job.storage.fetched_places.connect_store", lambda address: remote)
    remote._files.pipe_file(f"{remote._root}/jobs/sums/result.json", b"torn")
    for fetch, url in ((fetch_output, URL), (fetch_model, f"{URL}/jobs/sums")):
        with pytest.raises(StoreError) as raised:
            fetch(url)
        assert str(raised.value) == (
            f"{URL}/jobs/sums/result.json is missing or differs from its checksum; it is not used"
        )


def test_a_copy_that_cannot_be_written_is_a_sentence(remote, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/copy")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    for fetch in (fetch_output, fetch_reports, lambda url: fetch_model(f"{url}/jobs/sums")):
        with pytest.raises(StoreError, match=rf"^{URL}.* cannot be copied to .*No space left on device"):
            fetch(URL)


def test_a_message_names_the_innermost_copy_also_by_its_real_path(tmp_path):
    real = tmp_path / "real"
    (real / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    note_copy(tmp_path / "link", parse_store("memory://outer"))
    note_copy(tmp_path / "link" / "inner", parse_store("memory://other"))
    text = with_addresses(f"{tmp_path}/link/a {real}/a {real}/inner/b")
    assert text == "memory://outer/a memory://outer/a memory://other/b"
