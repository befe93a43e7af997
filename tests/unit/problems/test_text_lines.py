"""All readers of text divide it into lines in the same way."""

import gzip

import pytest
from pydantic import TypeAdapter

from job.errors import DataErrors
from job.problems.csv_columns import read_columns
from job.problems.parallel_text import PairReader, open_group
from job.problems.text_lines import BadLineError, decode_line, decode_lines, split_lines
from job.spec.text_pairs_section import TextPairsSpec

NO_LINE_ENDS = {
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "next line": "\x85",
    "form feed": "\x0c",
    "vertical tab": "\x0b",
    "file separator": "\x1c",
    "group separator": "\x1d",
    "record separator": "\x1e",
    "carriage return": "\r",
}
BOM = "\ufeff"

odd = pytest.mark.parametrize("character", NO_LINE_ENDS.values(), ids=NO_LINE_ENDS)


def spec(**keys):
    files = {"data": {"file": "f.tsv"}} | {k: v for k, v in keys.items() if k == "data"}
    rest = {k: v for k, v in keys.items() if k != "data"}
    tokens = {"source_tokens": "characters", "target_tokens": "characters"}
    return TypeAdapter(TextPairsSpec).validate_python({"kind": "text_pairs", **tokens, **files, **rest})


def pairs(directory, **keys):
    given = spec(**keys)
    reader = PairReader(open_group(given.data, "data", directory), given)
    return [pair for block in reader.blocks() for pair in block]


def complaints(directory, **keys):
    with pytest.raises(DataErrors) as caught:
        pairs(directory, **keys)
    return [(error.file.name, error.line, error.message) for error in caught.value.errors]


@odd
def test_only_a_line_feed_ends_a_line(character):
    text = f"a{character}b\nc\r\n{character}"
    lines, expected = split_lines(text.encode()), [f"a{character}b", "c\r", character]
    assert [decode_line(line) for line in lines] == expected
    assert decode_lines(lines) == expected


@odd
def test_the_character_is_kept_in_pairs(character, tmp_path):
    (tmp_path / "f.tsv").write_bytes(f"a{character}b\tx{character}y\nc\tz\r\n".encode())
    assert pairs(tmp_path) == [(f"a{character}b", f"x{character}y"), ("c", "z")]
    (tmp_path / "f.in").write_bytes(f"IN: a{character}b OUT: x{character}y\r\nIN: c OUT: z\n".encode())
    assert pairs(tmp_path, data={"file": "f.in"}, format="in_out") == [
        (f"a{character}b", f"x{character}y"),
        ("c", "z"),
    ]


@odd
def test_the_character_is_kept_in_parallel_files(character, tmp_path):
    (tmp_path / "s").write_bytes(f"a{character}b\nc\n".encode())
    (tmp_path / "t").write_bytes(f"x\r\ny{character}z\r\n".encode())
    data = {"source_file": "s", "target_file": "t"}
    assert pairs(tmp_path, data=data) == [(f"a{character}b", "x"), ("c", f"y{character}z")]


@pytest.mark.parametrize("character", [c for c in NO_LINE_ENDS.values() if c != "\r"], ids=ascii)
def test_the_character_is_kept_in_a_csv_cell(character, tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes(f'note,y\n"a{character}b",1\r\na{character}b,2\n'.encode())
    assert read_columns(path, {"y": "column"}, "file").values.tolist() == [[1.0], [2.0]]


def test_a_lone_carriage_return_in_a_csv_file_is_an_error(tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes(b"note,y\na,1\na\rb,2\n")
    with pytest.raises(DataErrors, match="carriage return") as caught:
        read_columns(path, {"y": "column"}, "file")
    assert caught.value.errors[0].line == 3


# --- errors -------------------------------------------------------------------------------------------------

BAD = {
    "NUL": (b"a\0b", "character 2 of the line is NUL"),
    "byte order mark": (f"{BOM}a".encode(), "byte order mark"),
    "Latin-1": ("aé".encode("latin-1"), "not UTF-8 (byte 0xe9 at byte 2 of the line)"),
    "UTF-16": ("a".encode("utf-16"), "not UTF-8 (byte 0xff at byte 1 of the line)"),
    "a surrogate": (b"\xed\xa0\x80", "not UTF-8 (byte 0xed at byte 1 of the line)"),
}
bad = pytest.mark.parametrize(("line", "message"), BAD.values(), ids=BAD)


@bad
def test_errors_of_bad_lines(line, message):
    with pytest.raises(BadLineError) as caught:
        decode_line(line)
    assert message in str(caught.value)
    assert decode_lines([b"a", line]) is None


@bad
@pytest.mark.parametrize("packed", [False, True])
def test_errors_name_the_bad_line_of_every_kind_of_data_file(line, message, packed, tmp_path):
    end, pack = (".gz", gzip.compress) if packed else ("", bytes)
    files = {
        "f.tsv": b"a\tb\n" + line + b"\tb\n",
        "f.in": b"IN: a OUT: b\n" + line + b"IN: a OUT: b\n",
        "f.dict": b"fox F AA1 K S\n" + line + b" F\n",
        "s": b"a\n" + line + b"\n",
        "t": b"x\ny\n",
        "f.csv": b"note,y\n" + line + b",2\n",
    }
    for name, content in files.items():
        (tmp_path / f"{name}{end}").write_bytes(pack(content))
    given = [
        {"data": {"file": f"f.tsv{end}"}},
        {"data": {"file": f"f.in{end}"}, "format": "in_out"},
        {"data": {"file": f"f.dict{end}"}, "format": "cmudict"},
        {"data": {"source_file": f"s{end}", "target_file": f"t{end}"}},
    ]
    for keys in given:
        ((_, number, complaint),) = complaints(tmp_path, **keys)
        assert number == 2, keys
        assert message in complaint, keys
    with pytest.raises(DataErrors) as caught:
        read_columns(tmp_path / f"f.csv{end}", {"y": "column"}, "file")
    assert [error.line for error in caught.value.errors] == [2]
    assert message in caught.value.errors[0].message


def test_a_byte_order_mark_within_a_line_is_text(tmp_path):
    (tmp_path / "f.tsv").write_bytes(f"{BOM}a{BOM}b\tx\n".encode())
    assert pairs(tmp_path) == [(f"a{BOM}b", "x")]


def test_two_byte_order_marks_at_the_start_are_an_error(tmp_path):
    (tmp_path / "f.tsv").write_bytes(f"{BOM}{BOM}a\tx\n".encode())
    ((_, number, message),) = complaints(tmp_path)
    assert number == 1
    assert "byte order mark" in message
