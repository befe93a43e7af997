"""Lines parsed at once have the pairs that they have one by one, and errors name the same lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from text_pair_problems import errors_of, spec_of

from job.problems import build_problem
from job.problems.pair_formats import pair_parser
from job.problems.pair_lines import lines_parser
from job.problems.text_files import PART_LINES
from job.problems.text_lines import BadLineError
from job.spec.text_pairs_section import ColumnsSpec, PairFiles

DATA = PairFiles(file="pairs")
CMUDICT = {"format": "cmudict", "target_tokens": "words"}

words = st.text("ab'.-3(;\u00e9\u0662 \x0b", min_size=1, max_size=4)
phonemes = st.lists(st.text("AH012 ", max_size=4), max_size=3).map(" ".join)
entries = st.tuples(
    words,
    st.sampled_from(["", "", "(2)", "(\u0662)", "(2)(3)"]),
    st.sampled_from([" ", " ", "  ", "\t", ""]),
    phonemes | st.sampled_from(["AA1 B", "F", "AH0 N D"]),
    st.sampled_from(["", "", " # place", "#x", " ", "\r", " # \u2028\r"]),
).map("".join)
rows = st.lists(st.text("ab\u00e9\u2028 \r", max_size=3), min_size=1, max_size=5).map("\t".join)

SPECS = [
    {"format": "cmudict"},
    CMUDICT,
    {**CMUDICT, "normalize": "NFKC"},
    {},
    {"source_tokens": "words", "target_tokens": "words"},
    {"lowercase": True},
    {"columns": ColumnsSpec(source=2, target=1)},
    {"columns": ColumnsSpec(source=1, target=4), "target_tokens": "words"},
    {"columns": ColumnsSpec(source=1, target=2, features=3)},
    {"format": "in_out"},
]


def one_by_one(spec, lines):
    """Return the pairs of lines; None if one of them has none."""
    parse = pair_parser(spec)
    try:
        pairs = [parse(line) for line in lines]
    except BadLineError:
        return None
    return None if None in pairs else pairs


@pytest.mark.parametrize("fields", SPECS, ids=str)
@given(lines=st.lists(entries | rows, min_size=1, max_size=4))
def test_pairs_are_those_of_each_line(fields, lines):
    spec = spec_of(data=DATA, **fields)
    found = lines_parser(spec)(lines)
    if found is not None:
        assert found == one_by_one(spec, lines)


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        (CMUDICT, ["fox F AA1 K S", "read(2)  R IY1 D # the past", "a.m. EY2 EH1 M\r", "3d TH R IY0 D IY2"]),
        (CMUDICT, ["a AH0"]),
        ({}, ["a\tb", " c d \t\u00e9\r"]),
        ({"columns": ColumnsSpec(source=3, target=1)}, ["a\tb\tc", "d\t\te\tf"]),
    ],
)
def test_usual_lines_are_parsed_at_once(fields, lines):
    spec = spec_of(data=DATA, **fields)
    found = lines_parser(spec)(lines)
    assert found is not None
    assert found == one_by_one(spec, lines)


# --- whole files: a line that needs attention, in a part where all others are parsed at once ----------------

COUNT = 2 * PART_LINES + 10
USUAL = {
    "tsv": ({}, [f"{i}\ta" for i in range(COUNT)]),
    "cmudict": (CMUDICT, [f"w{i} AA1" for i in range(COUNT)]),
    "in_out": ({"format": "in_out"}, [f"IN: {i} OUT: a" for i in range(COUNT)]),
}


@pytest.mark.parametrize("kind", USUAL)
@pytest.mark.parametrize("number", [1, PART_LINES, PART_LINES + 1, COUNT])
@pytest.mark.parametrize(
    "bad", [b"nothing", b"\xff", b"a\0", b"\xef\xbb\xbf"], ids=["text", "latin", "NUL", "BOM"]
)
def test_an_error_names_its_line_wherever_it_is(tmp_path, kind, number, bad):
    fields, lines = USUAL[kind]
    content = [line.encode() for line in lines]
    content[number - 1] = (b"\xef\xbb\xbf" if number == 1 else b"") + bad + content[number - 1]
    if bad == b"nothing":
        content[number - 1] = bad
    (tmp_path / "pairs").write_bytes(b"\n".join(content))
    (error,) = errors_of(spec_of(data=DATA, **fields), tmp_path)
    assert (error.file, error.line) == (tmp_path / "pairs", number)


@pytest.mark.parametrize("number", [1, PART_LINES, PART_LINES + 1, COUNT])
@pytest.mark.parametrize("bad", [b"", b"\xff", b"a\0"], ids=["blank", "latin", "NUL"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_an_error_names_its_line_of_the_right_one_of_two_files(tmp_path, number, bad, side):
    for name in ("source", "target"):
        content = [f"{i}".encode() for i in range(COUNT)]
        if name == side:
            content[number - 1] = bad
        (tmp_path / name).write_bytes(b"\n".join(content) + b"\n")
    data = PairFiles(source_file="source", target_file="target")
    (error,) = errors_of(spec_of(data=data), tmp_path)
    assert (error.file, error.line) == (tmp_path / side, number)


@pytest.mark.parametrize("kind", USUAL)
def test_blank_lines_comments_and_repeated_pairs_change_no_other_pair(tmp_path, kind):
    fields, lines = USUAL[kind]
    (tmp_path / "pairs").write_text("\n".join(lines))
    plain = build_problem(spec_of(data=DATA, **fields), 7, tmp_path)
    more = [*lines[:1500], "", ";;; comment" if kind == "cmudict" else " ", *lines[1500:]]
    repeated = lines[:1200] if kind == "cmudict" else []
    (tmp_path / "pairs").write_text("\n".join([*more, *repeated]))
    other = build_problem(spec_of(data=DATA, **fields), 7, tmp_path)
    (read, facts), (read_other, facts_other) = map(_pairs_and_facts, (plain, other))
    assert read == read_other
    assert facts_other == {**facts, "read": facts["read"] + len(repeated), "repeated": len(repeated)}


def _pairs_and_facts(problem):
    count = problem.examples_per_epoch("all")
    sides = [side.tolist() for side in problem.batch(0, 0, count, count)]
    return (sides, problem.source_vocabulary, problem.target_vocabulary), problem.describe()["pairs"]
