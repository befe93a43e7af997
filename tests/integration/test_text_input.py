"""`predict` and `encode`: UTF-8 in and out in every locale, without delay, in bounded memory."""

import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from in_process import run_in_process

import job

PAIRS = [("ab", "é\u2028x"), ("ba", "ß"), ("abb", "é"), ("bab", "x\u2028x"), ("a\x85b", "ß\u2028é")]
SPEC = """
version: 1
jobs:
  - name: text
    problem:
      {kind: text_pairs, train: {file: f.tsv}, validation: {file: f.tsv}, test: {file: f.tsv},
       source_tokens: characters, target_tokens: characters, lowercase: true, normalize: NFC}
    model: {units: 32, cell: gru, inputs: embedding, embedding_size: 8, attention: luong_dot}
    training: {epochs: 150, batch_size: 5, optimizer: {learning_rate: 0.02}}
"""
LOCALES = {
    "POSIX": {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
    "UTF-16": {"PYTHONIOENCODING": "utf-16"},
}


def variables(**others):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SEQ2SEQ_JOB_", "LC_", "LANG"))}
    return {**kept, "PYTHONPATH": str(Path(job.__file__).parents[1]), **others}


def command(*arguments):
    return [sys.executable, "-m", "job", *map(str, arguments)]


def run(*arguments, cwd, given=b"", **others):
    return subprocess.run(
        command(*arguments), cwd=cwd, input=given, capture_output=True, env=variables(**others), check=False
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with a job that has learned its five pairs."""
    directory = tmp_path_factory.mktemp("text")
    (directory / "jobs.yaml").write_text(SPEC, "utf-8")
    (directory / "f.tsv").write_bytes("".join(f"{s}\t{t}\n" for s, t in PAIRS).encode())
    done = run(cwd=directory)
    assert done.returncode == 0, done.stderr.decode()
    lines = (directory / "output/jobs/text/predictions.jsonl").read_bytes().split(b"\n")[:-1]
    assert sum(json.loads(line)["correct"] for line in lines) == len(PAIRS)
    return directory


SOURCES = "".join(f"{source}\r\n" for source, _ in PAIRS)
TARGETS = "".join(f"{target}\n" for _, target in PAIRS).encode()


@pytest.mark.parametrize("locale", LOCALES)
def test_text_is_utf8_whatever_the_locale_is(trained, locale):
    done = run("predict", "output/jobs/text", cwd=trained, given=SOURCES.encode(), **LOCALES[locale])
    assert (done.returncode, done.stdout) == (0, TARGETS), done.stderr


def test_a_file_is_read_as_training_data_is(trained, capfdbinary, monkeypatch):
    monkeypatch.chdir(trained)
    content = ("\ufeff" + SOURCES.upper().removesuffix("\r\n")).encode()
    Path("in.txt").write_bytes(content)
    Path("in.txt.gz").write_bytes(gzip.compress(content))
    for name in ("in.txt", "in.txt.gz"):
        code = run_in_process("predict", "output/jobs/text", "--input", name)
        out, err = capfdbinary.readouterr()
        assert (code, out) == (0, TARGETS), err
        assert run_in_process("encode", "output/jobs/text", "--input", name, "--output", "c.npz") == 0
        with np.load("c.npz") as arrays:
            assert arrays["ids"].tolist() == [0, 1, 2, 3, 4]


BAD = {
    "wrong encoding": (b"ab\nba\n\xe9\nab\n", ":3: the line is not UTF-8"),
    "NUL": (b"ab\nba\na\0b\n", ":3: character 2 of the line is NUL"),
    "joined files": ("\ufeffab\nba\n\ufeffab\n".encode(), ":3: the line begins with a byte order mark"),
    "too long": (
        b"ab\nba\n" + 40_000 * b"a" + b"\n",
        ":3: 40,000 tokens, but a line may have 32,768 at most",
    ),
    "endless": (b"ab\nba\n" + 2_000_000 * b"a", ":3: the line is longer than 1,048,576 bytes"),
}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("way", ["file", "standard input"])
def test_lines_before_an_invalid_line_are_answered_and_the_error_names_it(
    trained, fault, way, capfdbinary, monkeypatch
):
    content, message = BAD[fault]
    monkeypatch.chdir(trained)
    Path("bad.txt").write_bytes(content)
    name = "bad.txt" if way == "file" else "-"
    commands = {
        "predict": ((), "é\u2028x\nß\n".encode()),
        "encode": (("--output", "e.npz"), b""),
    }
    for command_name, (options, answers) in commands.items():
        with open("bad.txt") as given:
            monkeypatch.setattr(sys, "stdin", given)
            code = run_in_process(command_name, "output/jobs/text", "--input", name, *options)
        out, err = capfdbinary.readouterr()
        assert (code, out) == (2, answers)
        (line,) = err.decode().splitlines()
        assert line.startswith(f"error: {name}{message}")
    assert not Path("e.npz").exists()


def test_a_process_names_a_line_that_cannot_be_read(trained):
    content, message = BAD["wrong encoding"]
    done = run("predict", "output/jobs/text", cwd=trained, given=content)
    assert (done.returncode, done.stdout) == (2, "é\u2028x\nß\n".encode())
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"error: -{message}")


def test_a_long_line_takes_little_memory_and_changes_no_other_answer(trained):
    given = SOURCES.encode() + b"ab" * 10_000 + b"\n" + SOURCES.encode()
    peak = (
        "import os, resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); "
        "sys.exit(done.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", peak, *command("predict", "output/jobs/text")],
        cwd=trained, input=given, capture_output=True, env=variables(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = done.stdout[: len(TARGETS)], done.stdout[-len(TARGETS) :]
    assert before == after == TARGETS
    assert int(done.stderr.split()[-1]) < 1_500_000  # kB; TensorFlow alone takes a third of it


def test_a_pipe_that_writes_a_line_and_waits_gets_its_answer(trained):
    process = subprocess.Popen(
        command("predict", "output/jobs/text"),
        cwd=trained,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=variables(),
    )
    timer = threading.Timer(120, process.kill)
    timer.start()
    try:
        for source, target in PAIRS:
            process.stdin.write(f"{source}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline() == f"{target}\n".encode()
        process.stdin.close()
        assert process.wait() == 0
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
