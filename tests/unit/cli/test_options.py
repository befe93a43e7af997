"""Options with wrong values, and paths that are none."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nope"], "No such option: --nope"),
        (["nope"], "No such command 'nope'"),
        (["validate", "extra"], "unexpected extra argument"),
        (["jobs.yaml"], "To name the spec, write --spec jobs.yaml."),
        (["validate", "jobs.yaml"], "To name the spec, write --spec jobs.yaml."),
        (["plan", "other.yml"], "To name the spec, write --spec other.yml."),
        (["report"], "Missing argument"),
        (["predict"], "Missing argument"),
        (["--workers", "0"], "--workers: '0': expected a number from 1 to 1024, or auto"),
        (["--workers", "-1"], "--workers: '-1': expected a number from 1 to 1024, or auto"),
        (["--workers", "many"], "--workers: 'many': expected a number from 1 to 1024, or auto"),
        (["--workers", "9" * 5000], "expected a number from 1 to 1024, or auto"),
        (["--workers", "1e9"], "--workers: '1e9': expected a number from 1 to 1024, or auto"),
        (["--time-limit", "0"], "--time-limit: 0: expected a number of minutes above 0"),
        (["--time-limit", "nan"], "--time-limit: nan: expected a number of minutes above 0"),
        (["--log-format", "xml"], "--log-format: 'xml': expected one of text, json"),
        (
            ["--only", "none*"],
            "--only: 'none*' matches no job; the spec has tiny, sums-digits-1, sums-digits-2",
        ),
        (["--only", "tiny", "--only", "Tiny"], "--only: 'Tiny' matches no job"),
        (["--spec", "gone.yaml"], "gone.yaml: "),
        (["--spec", "."], "error: .: "),
        (["--output-dir", "jobs.yaml"], "output directory jobs.yaml is a file"),
        (["--output-dir", "jobs.yaml/inside"], "output directory jobs.yaml/inside has a file in its path"),
        (["report", "gone"], "gone holds no batch"),
        (["report", "jobs.yaml"], "jobs.yaml holds no batch"),
        (["predict", "gone"], "gone: not a trained model"),
        (["encode", "gone"], "gone: not a trained model"),
        (["encode", "gone", "--output", "."], ". is a directory; expected the name of a file to write"),
        (["encode", "gone", "--output", "none/x.npz"], "none/x.npz: there is no directory none"),
        (["encode", "gone", "--output", "/dev/null"], "/dev/null is not a regular file"),
        (["trend", ".", "--output", "/dev/zero"], "/dev/zero is not a regular file"),
        (["trend", ".", "--output", ".."], ".. is a directory; expected the name of a file to write"),
        (["trend", ".", "--output", "jobs.yaml/x"], "jobs.yaml/x: there is no directory jobs.yaml"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(command, here, arguments, sentence):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert sum(sentence in line for line in err.splitlines()) == 1
    assert "Traceback" not in err
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


@pytest.mark.parametrize("address", ["s3://bucket/x", "gs://b", "file:///x", "HTTP://x", "s3:/b", "s3://"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--spec", "{}"],
        ["--output-dir", "{}"],
        ["validate", "--spec", "{}"],
        ["plan", "--spec", "{}"],
        ["plan", "--output-dir", "{}"],
        ["report", ".", "--output-dir", "{}"],
        ["trend", ".", "--output", "{}"],
        ["predict", ".", "--input", "{}"],
        ["encode", ".", "--input", "{}"],
        ["encode", ".", "--output", "{}"],
    ],
    ids=" ".join,
)
def test_an_address_is_refused_wherever_a_path_is_expected(command, here, arguments, address):
    code, out, err = command(*[argument.format(address) for argument in arguments])
    assert (code, out) == (2, "")
    assert f"{address!r} is an address, but only files on this machine are read and written" in err
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


@pytest.mark.parametrize("address", ["HTTP://x", "s3:/b", "ftp://host/x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--baseline", "{}"],
        ["report", ".", "--baseline", "{}"],
        ["compare", "{}", "."],
        ["compare", ".", "{}"],
        ["report", ".", "{}"],
        ["rank", "{}"],
        ["trend", ".", "{}"],
        ["status", ".", "{}"],
        ["predict", "{}"],
        ["encode", "{}"],
    ],
    ids=" ".join,
)
def test_an_address_of_no_store_is_refused_where_one_may_be_given(command, here, arguments, address):
    test_an_address_is_refused_wherever_a_path_is_expected(command, here, arguments, address)


@pytest.mark.parametrize(
    ("variable", "arguments"),
    [
        ("SPEC", []),
        ("SPEC", ["validate"]),
        ("OUTPUT_DIR", []),
        ("OUTPUT_DIR", ["report", "."]),
        ("INPUT", ["predict", "."]),
        ("OUTPUT", ["trend", "."]),
        ("OUTPUT", ["encode", "."]),
    ],
)
def test_an_address_in_a_variable_is_refused(command, here, monkeypatch, variable, arguments):
    monkeypatch.setenv(f"SEQ2SEQ_JOB_{variable}", "s3://bucket")
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert f"Invalid value for '--{variable.lower().replace('_', '-')}'" in err
    assert "'s3://bucket' is an address" in err
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


@pytest.mark.parametrize(
    "problem",
    [
        "{kind: text_pairs, data: {file: 'http://b/x.tsv'}, source_tokens: words, target_tokens: words}",
        "{kind: text_pairs, data: {file: [x, 'http://b/x.tsv']}, source_tokens: words, target_tokens: words}",
        "{kind: text_pairs, data: {source_file: x, target_file: 'http://b/x.tsv'}, "
        "source_tokens: words, target_tokens: words}",
        "{kind: time_series, file: 'http://b/x.tsv', column: a, source_length: 2, target_length: 1, "
        "validation: 5, test: 5}",
    ],
)
def test_an_address_in_a_spec_is_refused_at_its_line(command, here, problem):
    (here / "x").write_text("a\tb\n")
    (here / "bad.yaml").write_text(f"version: 1\njobs:\n  - name: a\n    problem: {problem}\n")
    code, _, err = command("validate", "--spec", "bad.yaml")
    assert code == 2
    (line,) = [line for line in err.splitlines() if "is an address" in line]
    assert line.startswith("error: bad.yaml:4: jobs[0].problem.")


@pytest.mark.parametrize("directory", ["./s3:/x", "a:/b", "out/s3:/x"])
def test_a_path_with_a_colon_is_a_path(command, here, directory):
    assert command("plan", "--output-dir", directory)[0] == 0


@pytest.mark.parametrize("option", ["--spec", "--output-dir", "--baseline"])
def test_an_empty_path_is_not_the_working_directory(command, here, option):
    code, _, err = command(option, "")
    assert code == 2
    assert "the name is empty; expected a path" in err
