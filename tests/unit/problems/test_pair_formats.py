from text_pair_problems import epoch_of, explicit, spec_of

from job.problems import build_problem
from job.spec.text_pairs_section import PairFiles


def test_parallel_files_with_words_as_tokens(tmp_path):
    (tmp_path / "en").write_bytes(b"jump  twice\r\n\r\nrun\r\n")
    (tmp_path / "act").write_text("JUMP JUMP\n \nRUN")
    files = PairFiles(source_file="en", target_file="act")
    spec = spec_of(train=files, validation=files, test=files, source_tokens="words", target_tokens="words")
    problem = build_problem(spec, 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("jump twice", "JUMP JUMP"), ("run", "RUN")]
    assert problem.source_vocabulary.tokens[4:] == ("jump", "run", "twice")
    assert problem.max_target_length == 3


def test_blank_lines_outer_spaces_and_carriage_returns_are_ignored(tmp_path):
    (tmp_path / "train.tsv").write_bytes(b"\xef\xbb\xbf a \tx\r\n\n  \r\nb c\ty \n\n")
    problem = explicit(tmp_path, (tmp_path / "train.tsv").read_bytes().decode())
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("a", "x"), ("b c", "y")]


def test_only_a_newline_ends_a_line(tmp_path):
    problem = explicit(tmp_path, "a\x85b\u2028c\x0cd\tx\n")
    assert epoch_of(problem, 0, 1, 1) == [("a\x85b\u2028c\x0cd", "x")]


def test_in_out_format(tmp_path):
    (tmp_path / "f").write_text(
        "IN: jump twice OUT: I_JUMP I_JUMP\n\n"
        "  IN:  run   left\tOUT:   I_TURN_LEFT I_RUN \r\n"
        "IN: OUT of OUT: X\n"
    )
    files = PairFiles(file="f")
    words = {"source_tokens": "words", "target_tokens": "words"}
    spec = spec_of(train=files, validation=files, test=files, format="in_out", **words)
    problem = build_problem(spec, 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 3, 3)) == [
        ("OUT of", "X"),
        ("jump twice", "I_JUMP I_JUMP"),
        ("run left", "I_TURN_LEFT I_RUN"),
    ]


def test_cmudict_format(tmp_path):
    (tmp_path / "train").write_text(
        ";;; comment\n"
        "fox F AA1 K S\n"
        "\n"
        "read R EH1 D # the past\n"
        "read(2)  R IY1 D\n"
        "read(3) R IY0 D#again\n"
        "a.m.  EY2 EH1 M\r\n"
    )
    (tmp_path / "test").write_text("read R EH1 D\nread(2) R IY1 D\nread(3) R IY2 D\nd IY1\n")
    groups = {side: PairFiles(file="train") for side in ("train", "validation")}
    spec = spec_of(**groups, test=PairFiles(file="test"), format="cmudict", target_tokens="words")
    problem = build_problem(spec, 7, tmp_path)
    train = [("a.m.", "EY EH M"), ("fox", "F AA K S"), ("read", "R EH D"), ("read", "R IY D")]
    assert sorted(epoch_of(problem, 0, 4, 4)) == train
    assert set(problem.examples("test", 9).references) == {("R EH D", "R IY D"), ("IY",)}
    assert problem.describe()["pairs"]["repeated"] == 3  # one in each file
