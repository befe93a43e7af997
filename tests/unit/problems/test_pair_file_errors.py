import gzip
import os

import pytest
from text_pair_problems import errors_of, spec_of

from job.spec.text_pairs_section import PairFiles, SplitSpec

TWO = {"source_file": "source", "target_file": "target"}

SEVERAL = {"source_file": ["s1", "s2"], "target_file": ["t1", "t2"]}

IN_OUT = {"format": "in_out"}

PACKED = gzip.compress(b"a\tb\n" * 1000)

BROKEN = {
    "the second of two files": (
        {"file": ["f", "g"]},
        {"f": b"a\tb\n", "g": b"a\tb\nc\n"},
        {},
        [("g", 2, "data.file[1]", "found 1")],
    ),
    "both of two files": (
        {"file": ["f", "g"]},
        {"f": b"a\n", "g": b"b\tc\td\n"},
        {},
        [("f", 1, "data.file[0]", "found 1"), ("g", 1, "data.file[1]", "found 3")],
    ),
    "two of three files missing": (
        {"file": ["f", "g", "h"]},
        {"g": b"a\tb\n"},
        {},
        [("f", 0, "data.file[0]", "not there"), ("h", 0, "data.file[2]", "not there")],
    ),
    "one of two files without a pair": (
        {"file": ["f", "g"]},
        {"f": b"fox F AA1 K S\n", "g": b";;; nothing\n"},
        {"format": "cmudict"},
        [("g", 0, "data.file[1]", "has no pair")],
    ),
    "line counts of the second pair of files": (
        SEVERAL,
        {"s1": b"a\n", "t1": b"x\n", "s2": b"b\nc\n", "t2": b"y\n"},
        {},
        [("t2", 0, "data.target_file[1]", "has 1 lines, but")],
    ),
    "line counts that are equal only in all": (
        SEVERAL,
        {"s1": b"a\n", "t1": b"x\ny\n", "s2": b"b\nc\n", "t2": b"y\n"},
        {},
        [
            ("t1", 0, "data.target_file[0]", "has 2 lines, but"),
            ("t2", 0, "data.target_file[1]", "has 1 lines, but"),
        ],
    ),
    "not compressed": (
        {"file": "f.gz"},
        {"f.gz": b"a\tb\n"},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (Not a gzipped file")],
    ),
    "half of a compressed file": (
        {"file": "f.gz"},
        {"f.gz": PACKED[: len(PACKED) // 2]},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (Compressed file ended")],
    ),
    "a compressed file with a wrong byte": (
        {"file": "f.gz"},
        {"f.gz": PACKED[:10] + bytes([PACKED[10] ^ 255]) + PACKED[11:]},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (")],
    ),
    "a compressed file with a wrong checksum": (
        {"file": "f.gz"},
        {"f.gz": PACKED[:-8] + bytes(4) + PACKED[-4:]},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (CRC check failed")],
    ),
    "a compressed file of nothing": (
        {"file": "f.gz"},
        {"f.gz": gzip.compress(b" \n")},
        {},
        [("f.gz", 0, "data.file", "the file is empty")],
    ),
    "an empty file with the name of a compressed one": (
        {"file": "f.gz"},
        {"f.gz": b""},
        {},
        [("f.gz", 0, "data.file", "the file is empty")],
    ),
    "a bad line of a compressed file": (
        {"file": "f.gz"},
        {"f.gz": gzip.compress(b"a\tb\nc\n")},
        {},
        [("f.gz", 2, "data.file", "found 1")],
    ),
    "in without out": ({"file": "f"}, {"f": b"IN: a\n"}, IN_OUT, [("f", 1, "data.file", "expected `IN: ")]),
    "out without in": (
        {"file": "f"},
        {"f": b"IN: a OUT: b\na OUT: b\n"},
        IN_OUT,
        [("f", 2, "data.file", "expected `IN: source OUT: target`")],
    ),
    "nothing in": (
        {"file": "f"},
        {"f": b"IN: OUT: b\nIN:  OUT: b\n"},
        IN_OUT,
        [("f", 1, "data.file", "the source is empty"), ("f", 2, "data.file", "the source is empty")],
    ),
    "nothing out": (
        {"file": "f"},
        {"f": b"IN: a OUT: \n"},
        IN_OUT,
        [("f", 1, "data.file", "the target is empty")],
    ),
    "out twice": (
        {"file": "f"},
        {"f": b"IN: a OUT: b OUT: c\n"},
        IN_OUT,
        [("f", 1, "data.file", "OUT: occurs twice")],
    ),
    "a TSV as in and out": (
        {"file": "f"},
        {"f": b"hello\tworld\n"},
        IN_OUT,
        [("f", 1, "data.file", "such as `IN: jump twice OUT: I_JUMP I_JUMP`")],
    ),
    "one column": ({"file": "f"}, {"f": b"a\tb\nc\n"}, {}, [("f", 2, "data.file", "found 1")]),
    "three columns": ({"file": "f"}, {"f": b"a\tb\tc\n"}, {}, [("f", 1, "data.file", "found 3")]),
    "no source": ({"file": "f"}, {"f": b"a\tb\n \tb\n"}, {}, [("f", 2, "data.file", "the source is empty")]),
    "no target": ({"file": "f"}, {"f": b"a\t\r\n"}, {}, [("f", 1, "data.file", "the target is empty")]),
    "a lone tab": ({"file": "f"}, {"f": b"a\tb\n\t\n"}, {}, [("f", 2, "data.file", "the source is empty")]),
    "latin-1": (
        {"file": "f"},
        {"f": b"a\tb\n\ncaf\xe9\tb\n"},
        {},
        [("f", 3, "data.file", "not UTF-8 (byte 0xe9 at byte 4")],
    ),
    "several": (
        {"file": "f"},
        {"f": b"a\n\xff\tb\nc\td\ne\t\n"},
        {},
        [("f", 1, "data.file", "columns"), ("f", 2, "data.file", "UTF-8"), ("f", 4, "data.file", "empty")],
    ),
    "an empty file": ({"file": "f"}, {"f": b""}, {}, [("f", 0, "data.file", "the file is empty")]),
    "blank lines": ({"file": "f"}, {"f": b"\n \n"}, {}, [("f", 0, "data.file", "the file is empty")]),
    "comments only": (
        {"file": "f"},
        {"f": b";;; nothing\n"},
        {"format": "cmudict"},
        [("f", 0, "data.file", "has no pair")],
    ),
    "a word without phonemes": (
        {"file": "f"},
        {"f": b"fox F AA1 K S\nfox\n"},
        {"format": "cmudict"},
        [("f", 2, "data.file", "a word and its phonemes")],
    ),
    "a TSV as cmudict": (
        {"file": "f"},
        {"f": b"hello\tworld\n"},
        {"format": "cmudict"},
        [("f", 1, "data.file", "a word and its phonemes")],
    ),
    "no file": ({"file": "f"}, {}, {}, [("f", 0, "data.file", "is not there")]),
    "a directory": ({"file": "."}, {}, {}, [(".", 0, "data.file", "is a directory")]),
    "a NUL in the name": ({"file": "a\0b"}, {}, {}, [("a\0b", 0, "data.file", "cannot be read")]),
    "a name too long": ({"file": "a" * 400}, {}, {}, [("a" * 400, 0, "data.file", "cannot be read")]),
    "a file as directory": ({"file": "f/g"}, {"f": b""}, {}, [("f/g", 0, "data.file", "cannot be read")]),
    "no package": (
        {"file": "package:no_such_package/f"},
        {},
        {},
        [(None, 0, "data.file", "cannot be found")],
    ),
    "line counts": (
        TWO,
        {"source": b"a\nb\nc\n", "target": b"x\ny\n"},
        {},
        [
            ("target", 0, "data.target_file", "has 2 lines, but"),
        ],
    ),
    "a blank target": (
        TWO,
        {"source": b"a\nb\n", "target": b"x\n\n"},
        {},
        [("target", 2, "data.target_file", "blank")],
    ),
    "a blank source": (
        TWO,
        {"source": b"a\n \nc", "target": b"x\ny\nz"},
        {},
        [("source", 2, "data.source_file", "blank")],
    ),
    "both sides broken": (
        TWO,
        {"source": b"a\n\xff\n", "target": b"\xfe\ny\n"},
        {},
        [("source", 2, "data.source_file", "UTF-8"), ("target", 1, "data.target_file", "UTF-8")],
    ),
    "two files missing": (
        TWO,
        {},
        {},
        [("source", 0, "data.source_file", "not there"), ("target", 0, "data.target_file", "not there")],
    ),
    "all too long": (
        {"file": "f"},
        {"f": b"abc\td\ne\tfgh\n"},
        {"max_length": 2},
        [("f", 0, "max_length", "at most max_length 2")],
    ),
    "too little to split": (
        {"file": "f"},
        {"f": b"a\tx\na\ty\n"},
        {"split": SplitSpec(validation=0.000001, test=0.000001)},
        [("f", 0, "split.validation", "none of the 1 different"), ("f", 0, "split.test", "the test split")],
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_errors_name_file_line_and_key(tmp_path, case):
    data, files, fields, expected = BROKEN[case]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    errors = errors_of(spec_of(data=PairFiles(**data), **fields), tmp_path)
    places = [(tmp_path / name if name else None, line, key) for name, line, key, _ in expected]
    assert [(error.file, error.line, error.key) for error in errors] == places
    for error, (*_, words) in zip(errors, expected, strict=True):
        assert words in error.message


def test_the_error_of_unequal_line_counts_names_both_files(tmp_path):
    (tmp_path / "source").write_text("a\n" * 1234)
    (tmp_path / "target").write_text("b\n" * 1233)
    (error,) = errors_of(spec_of(data=PairFiles(**TWO)), tmp_path)
    assert "1,233 lines" in error.message
    assert "1,234" in error.message
    assert str(tmp_path / "source") in error.message


def test_the_first_twenty_bad_lines_are_listed_and_the_others_counted(tmp_path):
    (tmp_path / "f").write_text("a\tb\n" + "bad\n" * 1500)
    errors = errors_of(spec_of(data=PairFiles(file="f")), tmp_path)
    assert [error.line for error in errors] == [*range(2, 22), 0]
    assert errors[-1].message.startswith("1,480 more lines")


def test_errors_of_all_files_are_reported_at_once(tmp_path):
    (tmp_path / "train").write_text("a\tb\nc\n")
    (tmp_path / "test").write_text("")
    groups = {side: PairFiles(file=side) for side in ("train", "validation", "test")}
    errors = errors_of(spec_of(**groups), tmp_path)
    places = [(e.file and e.file.name, e.line, e.key) for e in errors]
    assert places == [
        ("train", 2, "train.file"),
        ("validation", 0, "validation.file"),
        ("test", 0, "test.file"),
    ]


def test_a_pipe_is_an_error_and_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (error,) = errors_of(spec_of(data=PairFiles(file="pipe")), tmp_path)
    assert "pipe" in error.message


def test_a_file_without_read_permission(tmp_path):
    file = tmp_path / "f"
    file.write_text("a\tb\n")
    file.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read everything
    try:
        (error,) = errors_of(spec_of(data=PairFiles(file="f")), tmp_path)
    finally:
        if root:
            os.seteuid(0)
        file.chmod(0o600)
    assert (error.file, error.line, error.key) == (file, 0, "data.file")
    assert "may not be read" in error.message
