from text_pair_problems import epoch_of, errors_of, explicit, held_out, spec_of

from job.problems import build_problem
from job.spec.text_pairs_section import ColumnsSpec, PairFiles


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


def test_columns_of_a_table(tmp_path):
    lines = "Hund\tHunde\tN;NOM;PL\tx\n\nHund\tHund\t N ; NOM ;\tx\n"
    columns = ColumnsSpec(source=1, target=2, features=3)
    problem = explicit(tmp_path, lines, "Hund\tHund\tV\n", "Hund\tHund\t\n", columns=columns)
    assert set(epoch_of(problem, 0, 2, 2)) == {("Hund\tN;NOM;PL", "Hunde"), ("Hund\tN;NOM", "Hund")}
    assert {"\tN", "\tNOM", "\tPL", "N"} - set(problem.source_vocabulary.tokens) == {"N"}
    assert problem.examples("validation", 1).sources == ("Hund\tV",), "no pair of training has this feature"
    assert held_out(problem, "test") == [("Hund", "Hund")]
    assert problem.describe()["longest"] == {"source": 7, "target": 5}


def test_columns_in_another_order_and_another_separator(tmp_path):
    columns = ColumnsSpec(source=3, target=1, features=2)
    problem = explicit(
        tmp_path, "x\tA, B\ty\n", "x\t\ty\n", "x\t\ty\n", columns=columns, features_separator=","
    )
    assert epoch_of(problem, 0, 1, 1) == [("y\tA,B", "x")]


def test_lines_with_too_few_columns_and_empty_sides(tmp_path):
    (tmp_path / "pairs.tsv").write_text("a\tb\nc\t\td\n")
    spec = spec_of(data=PairFiles(file="pairs.tsv"), columns=ColumnsSpec(features=3))
    few, empty = errors_of(spec, tmp_path)
    assert (few.line, few.message) == (1, "expected at least 3 columns, but found 2")
    assert (empty.line, empty.message) == (2, "the target is empty; expected text in the columns 1 and 2")
