"""Documents from elsewhere end in a value or in one clause, whatever they hold."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job.storage.documents import DocumentError, open_regular, parse_json, read_regular, why
from job.storage.file_names import check_inner_path, check_job_name

DEEP = 200_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[" * DEEP, "nested more than 100 levels"),
        (b"[" * DEEP + b"]" * DEEP, "nested more than 100 levels"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "nested more than 100 levels"),
        (b"[NaN]", "NaN, which is not a finite number"),
        (b"[-Infinity]", "-Infinity, which is not a finite number"),
        (b"[1e999]", "1e999, which is not a finite number"),
        (b"1e999", "1e999, which is not a finite number"),
        (b'{"a":-1.5E+400, "b": "1e1"}', "-1.5E[+]400, which is not a finite number"),
        (b"[0,\n\t12e308]", "12e308, which"),
        (b"[" + b"9" * 250 + b"e99]", f"{'9' * 60}, which is not a finite number"),
        (b"9" * 5000, "a number of 5,000 digits"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'"\x00"', "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "not UTF-8"),
        ('"ä"'.encode("latin-1"), "not UTF-8"),
    ],
)
def test_what_is_no_strict_json_is_refused_in_one_clause(text, reason):
    with pytest.raises(DocumentError, match=reason) as refused:
        parse_json(text)
    assert len(str(refused.value).splitlines()) == 1


def test_brackets_in_text_are_no_nesting():
    assert parse_json(b'["' + b"[" * DEEP + b'\\""]') == ["[" * DEEP + '"']


def test_a_document_may_be_a_hundred_levels_deep():
    assert parse_json(b"[" * 100 + b"]" * 100)


@given(texts=st.lists(st.text('[]{}"\\a:,\n'), min_size=1, max_size=8), depth=st.sampled_from([90, 100, 300]))
def test_text_does_not_change_how_deep_a_document_is(texts, depth):
    value = {"a": [*texts, *["[{"] * 60, {text: text for text in texts}], "b": "}"}
    for _ in range(depth - 3):
        value = [value, "]"]
    if depth <= 100:
        assert parse_json(json.dumps(value)) == value
    else:
        with pytest.raises(DocumentError, match="nested more than 100 levels"):
            parse_json(json.dumps(value))


@pytest.mark.parametrize("text", ['["1e999", "Infinity"]', "[1.5e300, 1E-999, -0.0]", '{"3e123": 4e123}'])
def test_numbers_that_only_look_too_large_are_taken(text):
    assert parse_json(text) == json.loads(text)


def test_pipes_devices_and_directories_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "absent", os.devnull):
        with pytest.raises(OSError, match=r"pipe|directory") as refused:
            open_regular(path)
        assert why(refused.value)


def test_a_file_is_read_up_to_a_size(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(tmp_path / "file", 4)


@pytest.mark.parametrize("name", ["a", "A.b_c-1", "a" * 100])
def test_names_that_a_spec_may_have_are_taken(name):
    assert check_job_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "../../.ssh", "a/b", "/etc", "a\n", "\0", "-a", "a" * 101])
def test_names_that_a_spec_may_not_have_are_refused(name):
    with pytest.raises(ValueError, match="not a valid job name"):
        check_job_name(name)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\\b", "\0", "a/"])
def test_paths_that_lead_elsewhere_are_refused(path):
    with pytest.raises(ValueError, match="not the path of a file"):
        check_inner_path(path)


def test_paths_below_the_job_are_taken():
    assert check_inner_path("model/train.keras") == "model/train.keras"
