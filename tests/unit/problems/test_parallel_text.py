import gzip

from text_pair_problems import EVEN, epoch_of, spec_of

from job.problems import build_problem
from job.spec.file_locations import checksum
from job.spec.text_pairs_section import PairFiles


def test_files_of_a_list_are_read_in_order(tmp_path):
    (tmp_path / "a").write_text("a\tx\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfb\ty\r\na\tz"))
    files = PairFiles(file=["a", "b.gz"])
    problem = build_problem(spec_of(train=files, validation=files, test=files), 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 3, 3)) == [("a", "x"), ("a", "z"), ("b", "y")]
    assert sorted(problem.examples("test", 9).references) == [("x", "z"), ("y",)]
    assert problem.describe()["files"] == {name: checksum(tmp_path / name) for name in ("a", "b.gz")}


def test_parallel_files_of_lists_are_paired_in_order(tmp_path):
    for name, text in [("s1", "a\nb"), ("s2", "c\n"), ("t1", "x\ny\n")]:
        (tmp_path / name).write_text(text)
    (tmp_path / "t2.gz").write_bytes(gzip.compress(b"z\n"))
    files = PairFiles(source_file=["s1", "s2"], target_file=["t1", "t2.gz"])
    problem = build_problem(spec_of(train=files, validation=files, test=files), 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 3, 3)) == [("a", "x"), ("b", "y"), ("c", "z")]


def test_a_list_of_one_file_equals_the_file(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{i}\t{i}\n" for i in range(100)))
    one, listed = (
        build_problem(spec_of(data=PairFiles(file=name), split=EVEN), 7, tmp_path)
        for name in ("pairs.tsv", ["pairs.tsv"])
    )
    assert one.describe() == listed.describe()


def test_a_last_line_without_line_end_is_a_line(tmp_path):
    (tmp_path / "source").write_text("a\nb")
    (tmp_path / "target").write_text("x\ny\n")
    files = PairFiles(source_file="source", target_file="target")
    problem = build_problem(spec_of(train=files, validation=files, test=files), 7, tmp_path)
    assert problem.examples_per_epoch("all") == 2
