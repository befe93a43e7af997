"""Data replaced between planning and the start of a job is detected, even if the file times are equal."""

import gzip
import hashlib
import os
from pathlib import Path

import pytest
from offered import install

from job.errors import FAILED, ChangedDataError
from job.problems import build_problem
from job.problems.data_files import checksums_of, read_data
from job.spec.file_locations import PlannedData, checksum
from job.spec.fingerprints import fingerprints_of, planned_data, problem_fingerprint
from job.spec.problem_sections import PluginSpec
from job.spec.schema import JobSpec
from job.spec.text_pairs_section import PairFiles, SplitSpec, TextPairsSpec
from job.spec.time_series_section import TimeSeriesSpec

EVEN = SplitSpec(validation=0.2, test=0.2)
PAIRS = "".join(f"{word} a\tb {word}\n" for word in "abcdefghijklmnopqrstuvwxyz")
SERIES = "day,sold\n" + "".join(f"{day},{day * 7 % 11}.5\n" for day in range(100, 150))

PROBLEM = """
    import hashlib

    from job.problems.integers import Copy
    from job.spec.problem_sections import CopySpec

    class Described(Copy):
        def describe(self):
            return {**super().describe(), "files": self.files}

    def build(options, seed, directory):
        content = (directory / "words.txt").read_bytes()
        problem = Described(CopySpec(kind="copy", source_length=3, cardinality=int(content)), seed)
        problem.files = {"words.txt": hashlib.sha256(content).hexdigest()}
        return problem
"""


def pairs(**groups):
    return TextPairsSpec(kind="text_pairs", source_tokens="words", target_tokens="words", **groups)


def series(file):
    lengths = {"source_length": 4, "target_length": 2, "test": 5}
    return TimeSeriesSpec(kind="time_series", file=file, column="sold", **lengths)


CASES = {
    "tsv": (pairs(data=PairFiles(file="data"), split=EVEN), PAIRS.encode()),
    "tsv.gz": (pairs(data=PairFiles(file="data.gz"), split=EVEN), gzip.compress(PAIRS.encode(), mtime=0)),
    "sources": (pairs(data=PairFiles(source_file="data", target_file="other"), split=EVEN), PAIRS.encode()),
    "test_side": (
        pairs(train=PairFiles(file="other"), validation=PairFiles(file="other"), test=PairFiles(file="data")),
        PAIRS.encode(),
    ),
    "csv": (series("data"), SERIES.encode()),
    "csv.gz": (series("data.gz"), gzip.compress(SERIES.encode(), mtime=0)),
}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """Return a job with planned data, and the path of one of its files."""
    problem, content = CASES[request.param]
    (tmp_path / "other").write_text(PAIRS)
    path = tmp_path / ("data.gz" if request.param.endswith(".gz") else "data")
    path.write_bytes(content)
    return JobSpec(name="job", problem=problem), path


def replace_unseen(path):
    """Change one byte of a file's content, but neither its size nor its times."""
    facts, content = path.stat(), path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    changed = text.replace(b"5", b"4", 1) if b"5" in text else text.replace(b"z", b"y", 1)
    path.unlink()
    path.write_bytes(gzip.compress(changed, mtime=0) if path.suffix == ".gz" else changed)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.read_bytes() != content


def planned(job, directory):
    problem = build_problem(job.problem, job.seed, directory)
    return planned_data(job, directory, checksums_of(problem))


def test_checksums_are_those_of_the_files_on_disk(case, tmp_path):
    job, path = case
    data = planned(job, tmp_path)
    assert data.files[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data == planned_data(job, tmp_path)
    assert fingerprints_of(job, tmp_path, data) == fingerprints_of(job, tmp_path)
    assert problem_fingerprint(job, tmp_path, data) == problem_fingerprint(job, tmp_path)


def test_unchanged_data_is_read(case, tmp_path):
    job, _ = case
    build_problem(job.problem, job.seed, tmp_path, planned(job, tmp_path))


def test_the_error_names_the_replaced_file(case, tmp_path):
    job, path = case
    data = planned(job, tmp_path)
    replace_unseen(path)
    with pytest.raises(ChangedDataError, match=rf"changed data: \S*{path.name} has changed") as caught:
        build_problem(job.problem, job.seed, tmp_path, data)
    assert caught.value.exit_code == FAILED
    assert "run the batch again" in str(caught.value)


@pytest.mark.parametrize("how", ["removed", "directory", "cut"])
def test_the_error_names_a_file_that_can_no_longer_be_read(case, tmp_path, how):
    job, path = case
    data = planned(job, tmp_path)
    path.unlink()
    if how == "directory":
        path.mkdir()
    elif how == "cut":
        path.touch()
    with pytest.raises(ChangedDataError, match=rf"changed data: \S*{path.name} "):
        build_problem(job.problem, job.seed, tmp_path, data)


def test_the_fingerprint_is_of_the_checked_content_if_the_file_is_replaced_later(case, tmp_path):
    job, path = case
    before = fingerprints_of(job, tmp_path)
    problem = build_problem(job.problem, job.seed, tmp_path)
    replace_unseen(path)
    data = planned_data(job, tmp_path, checksums_of(problem))
    assert fingerprints_of(job, tmp_path, data) == before
    assert fingerprints_of(job, tmp_path) != before


def test_content_and_checksum_come_from_one_read(tmp_path, monkeypatch):
    path, real = tmp_path / "data", Path.read_bytes
    path.write_bytes(b"old")

    def read_and_replace(self):
        content = real(self)
        self.write_bytes(b"new")
        return content

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_and_replace)
        found = read_data(path)
    assert (found.content, found.sha256) == (b"old", hashlib.sha256(b"old").hexdigest())


def test_the_checksum_of_a_replaced_file_is_computed_again(tmp_path):
    path = tmp_path / "data"
    path.write_text("5 z")
    before = checksum(path)
    for _ in range(3):
        replace_unseen(path)
        assert checksum(path) != before
        path.write_text("5 z")
        assert checksum(path) == before


# --- problems of the user's own -----------------------------------------------------------------------------


@pytest.fixture
def offered(tmp_path, monkeypatch, request):
    """Install a problem that reads a file, and return a job with it."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    package = f"changing_{abs(hash(request.node.name))}"
    install(tmp_path / "site", package, PROBLEM)
    (tmp_path / "words.txt").write_text("9")
    job = JobSpec(name="job", problem=PluginSpec(kind="plugin", name="mine", options={}))
    return job, tmp_path / "site" / f"{package}.py"


def test_files_that_a_custom_problem_describes_are_part_of_the_fingerprint(offered, tmp_path):
    job, _ = offered
    before = fingerprints_of(job, tmp_path, planned(job, tmp_path))
    assert fingerprints_of(job, tmp_path, planned(job, tmp_path)) == before
    (tmp_path / "words.txt").write_text("8")
    assert fingerprints_of(job, tmp_path, planned(job, tmp_path)) != before


def test_files_that_a_custom_problem_describes_are_checked(offered, tmp_path):
    job, _ = offered
    data = planned(job, tmp_path)
    build_problem(job.problem, job.seed, tmp_path, data)
    (tmp_path / "words.txt").write_text("8")
    with pytest.raises(ChangedDataError, match=r"changed data: words\.txt has changed"):
        build_problem(job.problem, job.seed, tmp_path, data)


def test_a_changed_package_of_a_custom_problem_is_an_error(offered, tmp_path):
    job, module = offered
    data = planned(job, tmp_path)
    module.write_text(module.read_text() + "\n# another\n")
    with pytest.raises(ChangedDataError, match=r"changed data: the package of problem 'mine' .* has changed"):
        build_problem(job.problem, job.seed, tmp_path, data)


def test_generated_problems_have_no_data_files():
    assert planned_data(_generated(), Path("nowhere")) == PlannedData()


def _generated():
    from job.spec.problem_sections import CopySpec

    return JobSpec(name="copy", problem=CopySpec(kind="copy", source_length=2, cardinality=6))
