import gzip

import numpy as np
import pytest
from time_series_problems import problem_of, spec_of

from job.errors import DataErrors
from job.problems import build_problem

GOOD = "".join(f"{i},{i}\n" for i in range(10))

BAD = {
    "no file": (None, {}, [(0, "file", "the file is not there")]),
    "empty file": (" \n", {}, [(0, "file", "the file is empty")]),
    "no such column": ("t,x\n" + GOOD, {}, [(1, "column", "no column 'y'; it has t, x")]),
    "misspelt column": (
        "t,yy_long\n" + GOOD,
        {"column": "yy_lonh"},
        [(1, "column", "did you mean 'yy_long'?")],
    ),
    "no such covariates": (
        "t,y\n" + GOOD,
        {"covariates": ["a", "t", "b"]},
        [(1, "covariates", "no column 'a'"), (1, "covariates", "no column 'b'")],
    ),
    "column twice": ("y,y\n" + GOOD, {}, [(1, "column", "2 columns of the file are named 'y'")]),
    "no rows": ("t,y\n", {}, [(0, "file", "no rows after the names")]),
    "text": ("t,y\n1,2\n2,x\n", {}, [(3, "", "y is 'x'; expected a number")]),
    "gap": ("t,y\n1,2\n2,\n3,4\n", {}, [(3, "", "y is ''; expected a number (a series has no gaps)")]),
    "not finite": (
        "t,y\n1,nan\n2,inf\n3,1e999\n",
        {},
        [(2, "", "y is 'nan'"), (3, "", "y is 'inf'"), (4, "", "y is '1e999'")],
    ),
    "Python's numbers": ("t,y\n1,1_000\n2,\u0661\n", {}, [(2, "", "'1_000'"), (3, "", "'\u0661'")]),
    "decimal comma": ('t,y\n1,"1,5"\n', {}, [(2, "", "y is '1,5'")]),
    "several cells of a row": (
        "t,y,z\n1,a,b\n",
        {"covariates": ["z"]},
        [(2, "", "y is 'a', z is 'b'; expected a number")],
    ),
    "cell too many and too few": (
        "t,y\n1,2,3\n4\n5,6\n",
        {},
        [(2, "", "3 cells, but the first line names 2"), (3, "", "1 cells, but the first line names 2")],
    ),
    "blank line between": ("t,y\n1,2\n\n3,4\n", {}, [(3, "", "blank, but rows follow")]),
    "lines counted though a cell has two": ('t,y\n"a\nb",2\n1,x\n', {}, [(4, "", "y is 'x'")]),
    "open quotes": ('t,y\n1,2\n"3,4\n', {}, [(3, "file", "not CSV (unexpected end of data)")]),
    "not UTF-8": (b"t,y\n1,2\n\xff,3\n", {}, [(3, "file", "not UTF-8 (byte 0xff at byte 1 of the line)")]),
    "no logarithm": (
        "t,y\n1,2\n2,0\n3,-1\n",
        {"logarithm": True},
        [(3, "", "y is 0, which has no logarithm"), (4, "", "y is -1, which has no logarithm")],
    ),
    "too few rows to train on": (
        "t,y\n" + GOOD,
        {"source_length": 6, "test": 3},
        [
            (
                0,
                "source_length",
                "s.csv has 10 rows; test 3 leaves 7 to train on, but a window of source_length 6",
            )
        ],
    ),
    "nothing left but the test": (
        "t,y\n" + GOOD,
        {"test": 8, "validation": 4},
        [(0, "test", "test 8 and validation 4 leave 0 to train on")],
    ),
    "column and cells at once": (
        "t,y\n1,x\n",
        {"covariates": ["a"]},
        [(1, "covariates", "no column 'a'"), (2, "", "y is 'x'")],
    ),
    "too large to be squared": (
        "t,y,z\n1,1.7e308,2\n2,3,-1e151\n3,-2e200,1e160\n",
        {"covariates": ["z"]},
        [
            (2, "", "y is 1.7e308; expected a magnitude of at most 1e+150"),
            (3, "", "z is -1e151;"),
            (4, "", "y is -2e200, z is 1e160;"),
        ],
    ),
    "too large for float32": (
        "t,y,z\n" + "1,2,3\n" * 9 + "1,4e16,3\n1,2,-1e40\n",
        {"covariates": ["z"]},
        [
            (
                11,
                "",
                "y is 4e+16, which enters the model as 4e+16 (unchanged); expected a magnitude of at most",
            ),
            (12, "", "z is -1e+40"),
        ],
    ),
    "a change too large for float32": (
        "t,y\n" + "1,2\n" * 8 + "1,4e16\n1,4e16\n1,4e16\n",
        {"differencing": 1, "source_length": 3},
        [(10, "", "enters the model as 4e+16 (its change from the row before)")],
    ),
    "too large beside the training rows": (
        "t,y\n" + "1,2\n1,3\n" * 5 + "1,1e30\n",
        {"scaling": "minmax"},
        [(12, "", "y is 1e+30, which enters the model as 2e+30 (less 2.5, divided by 0.5)")],
    ),
    "very many bad rows": (
        "t,y\n" + "1,x\n" * 25,
        {},
        [*((line, "", "y is 'x'") for line in range(2, 22)), (0, "file", "5 more rows")],
    ),
}


@pytest.mark.parametrize(("content", "fields", "expected"), BAD.values(), ids=BAD.keys())
def test_all_errors_of_a_file_are_reported_at_once(tmp_path, content, fields, expected):
    if content is not None:
        (tmp_path / "s.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataErrors) as caught:
        build_problem(spec_of(**fields), 7, tmp_path)
    errors = caught.value.errors
    assert [(error.line, error.key) for error in errors] == [(line, key) for line, key, _ in expected]
    for error, (line, _, part) in zip(errors, expected, strict=True):
        assert part in error.message
        assert "\n" not in error.message
        assert (error.file == tmp_path / "s.csv") == (line > 0 or error.key == "file")


def test_a_directory_is_an_error(tmp_path):
    (tmp_path / "s.csv").mkdir()
    with pytest.raises(DataErrors, match="the file is a directory"):
        build_problem(spec_of(), 7, tmp_path)


def test_a_package_that_is_not_installed(tmp_path):
    with pytest.raises(DataErrors) as caught:
        build_problem(spec_of(file="package:no_such_package/s.csv"), 7, tmp_path)
    assert [error.key for error in caught.value.errors] == ["file"]


def test_output_of_spreadsheets_is_read(tmp_path):
    rows = "".join(f' {i} ,"{i}.5"\r\n' for i in range(10))
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbf" + ("t, y \r\n" + rows + "\r\n\r\n").encode())
    problem = build_problem(spec_of(), 7, tmp_path)
    assert problem.examples("test", 1).history[0, :, 0].tolist() == [5.5, 6.5]


def test_a_compressed_file_is_read(tmp_path):
    problem = problem_of(tmp_path)
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress((tmp_path / "s.csv").read_bytes()))
    packed = build_problem(spec_of(file="s.csv.gz"), 7, tmp_path)
    assert np.array_equal(packed.examples("test", 9).history, problem.examples("test", 9).history)
