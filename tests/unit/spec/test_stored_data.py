"""Data files and models to start from in a store: downloaded once, and their content decides."""

import errno
import json
import os

import pytest
import yaml
from command_options import SPEC

from job.errors import DataError, DataErrors, SpecError, StoreError
from job.problems import build_problem
from job.spec.file_locations import checksum, locate
from job.spec.fingerprints import fingerprints_of, planned_data, problem_fingerprint
from job.spec.spec_loading import load_spec
from job.spec.start_models import model_directory, start_checksum
from job.storage import cached_files, remote_files, store_address
from job.storage.artifacts import prepare_output
from job.storage.mirror import Mirror
from job.storage.remote_files import connect_store
from job.storage.store_address import parse_store

ROWS = "".join(f"{word}b\t{word}\n" for word in "acdefghijklmnopqrstuvwxy")
PAIRS = """\
version: 1
jobs:
  - name: words
    problem: {{kind: text_pairs, data: {{file: "{}"}}, split: {{validation: 0.2, test: 0.2}}}}
    training: {{examples: all, batch_size: 8}}
"""


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A store with a data file in it; asked again whenever a file is needed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remote_files, "WAITS", ())
    monkeypatch.setattr(cached_files, "KNOWN_SECONDS", 0.0)
    place = tmp_path / "bucket"
    place.mkdir()
    (place / "words.tsv").write_text(ROWS)
    return place


def spec_of(folder, name):
    folder.mkdir(exist_ok=True)
    path = folder / "jobs.yaml"
    path.write_text(PAIRS.format(name))
    return load_spec(path)


def copies(tmp_path):
    return sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_a_file_is_downloaded_once_and_has_the_content_of_a_local_one(stored, tmp_path, monkeypatch):
    job = spec_of(tmp_path / "here", f"file://{stored}/words.tsv").jobs[0]
    problem = build_problem(job.problem, job.seed, tmp_path)
    digest = checksum(stored / "words.tsv")
    assert problem.describe()["files"] == {f"file://{stored}/words.tsv": digest}
    assert planned_data(job, tmp_path).files == problem.describe()["files"]
    (copy,) = copies(tmp_path)
    assert (copy.name, copy.read_text()) == ("words.tsv", ROWS)
    monkeypatch.setattr(remote_files.RemoteFiles, "download", lambda *given: pytest.fail("downloaded again"))
    assert locate(f"file://{stored}/words.tsv", tmp_path) == copy


def test_a_changed_object_changes_the_fingerprints_and_takes_the_place_of_the_old_copy(stored, tmp_path):
    job = spec_of(tmp_path / "here", f"file://{stored}/words.tsv").jobs[0]

    def prints():
        return fingerprints_of(job, tmp_path).training, problem_fingerprint(job, tmp_path)

    before = prints()
    assert prints() == before
    facts = (stored / "words.tsv").stat()
    (stored / "other").write_text(ROWS.replace("a", "z"))
    os.utime(stored / "other", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (stored / "other").replace(stored / "words.tsv")
    after = prints()
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert [copy.read_text() for copy in copies(tmp_path)] == [ROWS.replace("a", "z")]


def test_errors_in_a_stored_file_name_its_url(stored, tmp_path):
    (stored / "words.tsv").write_text(ROWS + "one side\n")
    spec = spec_of(tmp_path / "here", f"file://{stored}/words.tsv")
    with pytest.raises(DataErrors, match="expected two columns") as raised:
        build_problem(spec.jobs[0].problem, 1, tmp_path)
    (error,) = raised.value.errors
    assert store_address.shown(error.file) == f"file://{stored}/words.tsv"
    assert error.line == 25


def test_a_copy_that_another_process_has_just_made_is_used_and_no_other_error_is_hidden(
    stored, tmp_path, monkeypatch
):
    rename, url = os.rename, f"file://{stored}/words.tsv"

    def beaten(source, target):
        rename(source, target)
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    def refused(source, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(cached_files.os, "rename", refused)
    with pytest.raises(DataError, match=r"words\.tsv cannot be copied to the cache .*Permission denied"):
        locate(url, tmp_path)
    monkeypatch.setattr(cached_files.os, "rename", beaten)
    assert locate(url, tmp_path).read_text() == ROWS


def test_what_cannot_be_read_is_a_sentence(stored, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"/none\.tsv cannot be read: there is no such object"):
        locate(f"file://{stored}/none.tsv", tmp_path)
    with pytest.raises(DataError, match="names no object in a store"):
        locate("memory://words", tmp_path)
    monkeypatch.setattr(cached_files, "cache_directory", lambda: stored / "words.tsv")
    with pytest.raises(DataError, match="cannot be copied to the cache"):
        locate(f"file://{stored}/words.tsv", tmp_path)
    monkeypatch.setattr(store_address, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'seq2seq-job\[gcs\]'"):
        locate("gs://bucket/words.tsv", tmp_path)
    for name, sentence in (("s3://me:secret@bucket/words.tsv", "credentials"), ("http://x/y", "nor of one")):
        with pytest.raises(SpecError, match=sentence) as raised:
            spec_of(tmp_path / "here", name)
        assert "secret" not in str(raised.value)


# --- a model to start from ----------------------------------------------------------------------------------


@pytest.fixture
def trained(stored, tmp_path):
    """A store with a job whose model is a stand-in; the URL of the job, and a function that changes it."""
    output = prepare_output(tmp_path / "output")
    remote = connect_store(parse_store("memory://trained"))
    mirror = Mirror(output, remote, {})

    def leave(model):
        job = output.job("first")
        for name, text in {"model/train.keras": model, "model/vocabulary.json": "{}", "x.svg": "x"}.items():
            path = job.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        job.spec.write_text("name: first")
        assert mirror.sync() == {}
        return start_checksum(job.model)

    yield "memory://trained/jobs/first", leave
    remote._files.rm(remote._root, recursive=True)


def test_a_model_is_fetched_with_what_it_needs_and_its_content_decides(trained, tmp_path):
    url, leave = trained
    for model in ("one", "two"):
        digest = leave(model)
        found = model_directory(url, tmp_path)
        assert start_checksum(found) == digest
        assert [path.relative_to(found.parent).as_posix() for path in copies(tmp_path)] == [
            "model/train.keras",
            "model/vocabulary.json",
            "spec.yaml",
        ]
    spec = yaml.safe_load(SPEC)
    spec["jobs"][0]["training"] = {"start_from": url}
    path = tmp_path / "jobs.yaml"
    path.write_text(json.dumps(spec))
    assert planned_data(load_spec(path).jobs[0], tmp_path).start == digest


def test_a_model_that_is_not_there_is_a_sentence(trained, tmp_path):
    url, leave = trained
    leave("one")
    with pytest.raises(StoreError, match=r"^memory://trained/jobs/other is no job in the store$"):
        model_directory(url.replace("first", "other"), tmp_path)
    with pytest.raises(StoreError, match="is no job in a store; expected URL/jobs/NAME"):
        model_directory("memory://trained", tmp_path)
