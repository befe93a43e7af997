"""Data files that are too large, or whose content does not match their name."""

import gzip
import os
import tracemalloc

import pytest

from job.errors import DataError
from job.problems import data_files
from job.problems.data_files import MAX_UNPACKED_BYTES, read_data


@pytest.fixture
def bomb(tmp_path):
    """Return a `.gz` file of about a megabyte that unpacks to more than the limit."""
    path = tmp_path / "pairs.tsv.gz"
    member = gzip.compress(bytes(1 << 26), 1)
    path.write_bytes(member * (MAX_UNPACKED_BYTES // (1 << 26) + 1))
    return path


def test_a_gz_that_unpacks_to_too_much_is_an_error_and_needs_little_memory(bomb):
    tracemalloc.start()
    with pytest.raises(DataError, match=r"unpacks to more than 1,073,741,824 bytes") as refused:
        read_data(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.file == bomb
    assert peak < 1 << 26


def test_a_gz_within_the_limit_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "MAX_UNPACKED_BYTES", 100_000)
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n" * 25_000))
    assert read_data(path).content == b"a\tb\n" * 25_000
    path.write_bytes(gzip.compress(b"a\tb\n" * 25_001))
    with pytest.raises(DataError, match="unpacks to more than 100,000 bytes"):
        read_data(path)


def test_a_file_that_is_too_large_is_an_error_and_is_not_read(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.touch()
    os.truncate(path, data_files.MAX_BYTES + 1)  # a sparse file, which needs no disk space
    with pytest.raises(DataError, match="larger than 4,294,967,296 bytes"):
        read_data(path)


@pytest.mark.parametrize("cut", [1, 5, 15, 30])
def test_a_truncated_gz_is_an_error(tmp_path, cut):
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(b"some source\tsome target\n")[:cut])
    with pytest.raises(DataError, match="not whole gzip data"):
        read_data(path)
