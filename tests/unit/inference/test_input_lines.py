"""What `predict` and `encode` read: as training reads it, as soon as it is there, in bounded memory."""

import gzip
import io
import os
import sys
import threading

import pytest

from job.errors import InputError
from job.inference import input_lines
from job.inference.input_lines import MAX_LINE_BYTES, ByteSource, Chunk, open_source, read_chunks
from job.problems.text_lines import decode_line, split_lines

BOM = "\ufeff"


def blocks(*given):
    """Return a source of blocks of bytes; nothing more is ready after an empty one."""
    rest = list(given)

    def read():
        while rest and rest[0] == b"":
            rest.pop(0)
        return rest.pop(0) if rest else b""

    return ByteSource(read, lambda: not rest or rest[0] != b"")


def read(*given):
    return list(read_chunks(blocks(*given), "in.txt"))


def lines_of(content):
    return [line for chunk in read(content) for line in chunk.lines]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\n\na\n\n", ["", "", "a", ""]),
        (f"{BOM}a\nb".encode(), ["a", "b"]),
        (BOM.encode(), []),
        ("a\u2028b\x85c\x0cd\x1ce\rf\n".encode(), ["a\u2028b\x85c\x0cd\x1ce\rf"]),
    ],
)
def test_lines_are_those_that_training_would_read(content, lines):
    assert lines_of(content) == lines
    of_training = split_lines(content.removeprefix(BOM.encode()))
    if lines:
        assert [decode_line(line).removesuffix("\r") for line in of_training] == lines


def test_lines_do_not_depend_on_where_blocks_end():
    content = f"{BOM}\u00e9\u2028a\r\n\nb\rc\nlast".encode()
    expected = lines_of(content)
    for size in (1, 2, 3, 5):
        parts = [content[i : i + size] for i in range(0, len(content), size)]
        assert [line for chunk in read(*parts) for line in chunk.lines] == expected


def test_lines_that_have_arrived_are_a_chunk():
    assert read(b"a\nb\n", b"", b"c\n", b"d\n", b"", b"e") == [
        Chunk(1, ["a", "b"]),
        Chunk(3, ["c", "d"]),
        Chunk(5, ["e"]),
    ]


def test_a_whole_line_does_not_wait_for_the_end_of_the_next():
    chunks = read_chunks(blocks(b"a\nb", b"", b"c\n"), "in.txt")
    assert next(chunks) == Chunk(1, ["a"])
    assert next(chunks) == Chunk(2, ["bc"])


def test_a_chunk_has_a_bounded_number_of_lines_and_bytes(monkeypatch):
    monkeypatch.setattr(input_lines, "MAX_CHUNK_LINES", 3)
    assert read(b"1\n2\n3\n4\n", b"5\n") == [Chunk(1, ["1", "2", "3"]), Chunk(4, ["4", "5"])]
    monkeypatch.setattr(input_lines, "MAX_CHUNK_BYTES", 4)
    assert [len(chunk.lines) for chunk in read(b"123\n4\n5\n67890\n1\n")] == [2, 2, 1]


@pytest.mark.parametrize(
    ("content", "number", "message"),
    [
        (b"a\nb\0c\nd\n", 2, "character 2 of the line is NUL"),
        (f"{BOM}a\n{BOM}b\n".encode(), 2, "byte order mark"),
        (f"{BOM}{BOM}a\n".encode(), 1, "byte order mark"),
        (b"a\nb\n\xe9t\xe9\n", 3, "not UTF-8 (byte 0xe9 at byte 1 of the line); save the file as UTF-8"),
        ("a".encode("utf-16"), 1, "not UTF-8"),
        (b"a\n" + (MAX_LINE_BYTES + 1) * b"x" + b"\n", 2, "longer than 1,048,576 bytes"),
        (b"a\n" + (MAX_LINE_BYTES + 1) * b"x", 2, "longer than 1,048,576 bytes"),
    ],
)
def test_lines_before_one_that_cannot_be_read_are_read(content, number, message):
    chunks, found = read_chunks(blocks(content), "in.txt"), []
    with pytest.raises(InputError, match=rf"^in\.txt:{number}: ") as caught:
        found.extend(chunks)
    assert message in str(caught.value)
    assert sum(len(chunk.lines) for chunk in found) == number - 1


def test_a_line_without_end_is_not_kept_to_its_end():
    taken = []

    def endless():
        taken.append(1)
        return b"x" * 65536

    with pytest.raises(InputError, match="longer than"):
        list(read_chunks(ByteSource(endless, lambda: True), "in.txt"))
    assert len(taken) <= MAX_LINE_BYTES // 65536 + 1


# --- sources ------------------------------------------------------------------------------------------------


def opened(name):
    with open_source(str(name)) as source:
        return list(read_chunks(source, str(name)))


def test_a_file_is_read_in_whole_chunks(tmp_path):
    path = tmp_path / "in.txt"
    path.write_bytes(b"12345678\n" * 20_000)
    assert [len(chunk.lines) for chunk in opened(path)] == [16_384, 20_000 - 16_384]


def test_a_gz_file_is_unpacked(tmp_path):
    path = tmp_path / "in.txt.gz"
    path.write_bytes(gzip.compress(f"{BOM}a\r\n".encode()) + gzip.compress(b"b\n"))
    assert opened(path) == [Chunk(1, ["a", "b"])]


def test_a_gz_file_that_is_cut_short_is_an_error(tmp_path):
    path = tmp_path / "in.txt.gz"
    path.write_bytes(gzip.compress(os.urandom(200_000).hex().encode())[:-30_000])
    with pytest.raises(InputError, match=r"in\.txt\.gz:1: the input cannot be read from here on"):
        opened(path)
    path.write_bytes(b"no gzip data")
    with pytest.raises(InputError, match=r"in\.txt\.gz:1: the input cannot be read from here on"):
        opened(path)


def test_a_line_in_a_pipe_is_read_before_the_next_is_written(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    answered = threading.Event()

    def write():
        with path.open("wb", buffering=0) as pipe:
            pipe.write(b"first\n")
            assert answered.wait(30)
            pipe.write(b"second\nthird\n")

    writer = threading.Thread(target=write)
    writer.start()
    with open_source(str(path)) as source:
        chunks = read_chunks(source, "pipe")
        assert next(chunks) == Chunk(1, ["first"])
        answered.set()
        assert list(chunks) == [Chunk(2, ["second", "third"])]
    writer.join()


def test_standard_input_is_read_as_bytes_whatever_its_text_encoding_is(monkeypatch):
    given = io.TextIOWrapper(io.BytesIO("é\u2028\n".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", given)
    assert opened("-") == [Chunk(1, ["é\u2028"])]
