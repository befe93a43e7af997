"""Files of every kind that a command reads, damaged in every way that hypothesis finds.

Whatever a file holds, a command ends with one of its exit codes and sentences: no traceback, nothing that is
called a bug. The examples are the same in every run.
"""

import contextlib
import copy
import gzip
import hashlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording import a_job, leave, right_and_wrong
from sample_results import TUTORIAL

from job.cli import app as cli
from job.gating.plan_file import PlanEntry, write_entries
from job.results.job_result import GateOutcome
from job.spec.gate_section import GateSpec
from job.storage.artifacts import OutputPaths
from job.trend.runs import read_runs

few = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SPEC = """\
version: 1
seed: 3
defaults: {training: {examples: 100, batch_size: 10}}
jobs:
  - name: tiny
    problem: {kind: copy, source_length: 2, cardinality: 6}
    gate: {min_sequence_accuracy: 0.5}
  - name: words
    training: {batch_size: 2}
    matrix: {model.units: [8, 16], include: [{model.units: 32}]}
    problem:
      kind: text_pairs
      train: {file: train.tsv.gz}
      validation: {file: held.tsv}
      test: {source_file: a.txt, target_file: b.txt}
      source_tokens: characters
      target_tokens: words
  - name: sales
    seeds: [1, 2]
    training: {batch_size: 2}
    problem: {kind: time_series, file: sales.csv, column: sales, source_length: 2, target_length: 1,
              validation: 2, test: 2}
"""
DATA = {
    "train.tsv.gz": gzip.compress("".join(f"quelle{i}\tdas ziel {i}\n" for i in range(40)).encode(), mtime=0),
    "held.tsv": "ä\tein ziel\nb\tzwei\n".encode(),
    "a.txt": b"a\nb\nc\n",
    "b.txt": b"eins\nzwei\ndrei\n",
    "sales.csv": b"day,sales\n" + b"".join(b"%d,%d.5\n" % (i, i * i % 7) for i in range(20)),
}

HOSTILE = [
    *(None, True, -1, 0, 10**40, 1e308, -1e308, 5e-324, "", "x", "0.5", "../../.ssh", "\0", "\x1b[31m"),
    *("a" * 10_000, [], {}, [[]], [None], {"a": None}, [0, "x", {}]),
]
"""What takes the place of a part of a document."""

ENCODINGS = ["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp500"]
WHOLE = [b"", b"\0", b"\xff", b"[" * 200_000, b'{"a":' * 200_000, b"NaN", b"\x1f\x8b", b"- " * 50_000]

ends_of_bytes = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 100_000)),
    st.tuples(st.just("put"), st.tuples(st.integers(0, 100_000), st.binary(min_size=1, max_size=4))),
    st.tuples(st.just("encode"), st.sampled_from(ENCODINGS)),
    st.tuples(st.just("whole"), st.sampled_from(WHOLE)),
)
of_documents = st.tuples(
    st.integers(0, 1_000_000), st.one_of(st.sampled_from(HOSTILE), st.just("REMOVE"), st.just("TWICE"))
)


def damaged(content, damage):
    """Return bytes after one damage."""
    kind, how = damage
    if kind == "cut":
        return content[: how % (len(content) + 1)]
    if kind == "put":
        place = how[0] % (len(content) + 1)
        return content[:place] + how[1] + content[place + len(how[1]) :]
    if kind == "encode":
        return content.decode("utf-8", "replace").encode(how, "replace")
    return how


def parts(value):
    """Yield every (container, key) of a tree of JSON values."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in [*keys]:
        yield value, key
        yield from parts(value[key])


def changed(document, change):
    """Return the text of a JSON document with one part replaced, left out or given twice."""
    document = copy.deepcopy(document)
    number, value = change
    places = [*parts(document)]
    container, key = places[number % len(places)]
    if value == "REMOVE":
        del container[key]
    elif value == "TWICE":
        text = json.dumps(document)
        return text.replace("{", '{"schema_version": 1, "schema_version": 1, ', 1).encode()
    else:
        container[key] = value
    return json.dumps(document).encode()


def run(*arguments):
    """Run the command in this process; return its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    kept, sys.argv = sys.argv, ["seq2seq-job", *map(str, arguments)]
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as left,
        ):
            cli.main()
    finally:
        sys.argv = kept
    said = out.getvalue() + err.getvalue()
    assert "Traceback" not in said, said
    assert "this is a bug" not in said, said
    return left.value.code or 0, said


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("SEQ2SEQ_JOB_", "GITHUB_")):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def spec(here):
    (here / "jobs.yaml").write_text(SPEC, encoding="utf-8")
    for name, content in DATA.items():
        (here / name).write_bytes(content)
    assert run("validate") == (0, "5 jobs, OK\n") or run("validate")[0] == 0
    return here / "jobs.yaml"


@few
@given(damage=ends_of_bytes)
def test_a_damaged_spec(spec, damage):
    spec.write_bytes(damaged(SPEC.encode(), damage))
    assert run("validate")[0] in (0, 2)


@few
@given(name=st.sampled_from(sorted(DATA)), damage=ends_of_bytes)
def test_a_damaged_data_file(spec, name, damage):
    for other, content in DATA.items():
        Path(other).write_bytes(damaged(content, damage) if other == name else content)
    assert run("validate")[0] in (0, 2)


@few
@given(damage=ends_of_bytes)
def test_what_damaged_data_unpacks_to(spec, damage):
    content = damaged(gzip.decompress(DATA["train.tsv.gz"]), damage)
    Path("train.tsv.gz").write_bytes(gzip.compress(content))
    assert run("validate")[0] in (0, 2)


# --- what a batch left --------------------------------------------------------------------------------------


RECORDED = {
    "gates": (GateOutcome("sequence_accuracy", 0.5, 0.9, True),),
    "gate": {"min_sequence_accuracy": 0.5},
    **{
        key: getattr(TUTORIAL, key)
        for key in ("timings", "history", "samples", "analysis", "also", "attention")
    },
}


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """Two batches, `before` and `now`, of jobs that have all that a result can have."""
    root = tmp_path_factory.mktemp("left")
    before, now = right_and_wrong(30, range(10)), right_and_wrong(30, range(5, 15))
    for folder, predictions in ((root / "before", before), (root / "now", now)):
        leave(folder, [(a_job(name, predictions, **RECORDED), predictions) for name in NAMES])
        entries = [
            PlanEntry("a", "f" * 64, GateSpec(min_sequence_accuracy=0.5), None, 7, ()),
            *(PlanEntry(f"b-seed-{seed}", "f" * 64, GateSpec(), "b", seed, (7, 8)) for seed in (7, 8)),
        ]
        write_entries(OutputPaths(folder), entries)
        assert run("report", folder)[0] in (0, 1)
    assert run("report", root / "now", "--baseline", root / "before")[0] in (0, 3)  # with a comparison
    return root


@pytest.fixture
def batches(here, left):
    return shutil.copytree(left, here, dirs_exist_ok=True)


NAMES = ["a", "b-seed-7", "b-seed-8"]
READERS = {
    "before/report.json": ["compare before now", "report now --baseline before"],
    "now/report.json": ["compare before now", "report now"],
    "now/plan.json": ["report now", "compare before now", "report now --output-dir all"],
    "now/jobs/a/result.json": ["report now", "report now --output-dir all"],
    "now/jobs/a/predictions.jsonl": ["compare before now", "report now --baseline before"],
    "before/jobs/a/predictions.jsonl": ["compare before now"],
}
CODES = (0, 1, 2, 3, 4)
documents = pytest.mark.parametrize(
    ("file", "command"), [(file, command) for file, commands in READERS.items() for command in commands]
)


def record_checksum(path):
    """Have a job's result and its batch's report tell of a file as it is now."""
    content, result = path.read_bytes(), path.with_name("result.json")
    told = {"path": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    job = {**json.loads(result.read_bytes()), "artifacts": [told]}
    result.write_text(json.dumps(job))
    report = path.parents[2] / "report.json"
    record = json.loads(report.read_bytes())
    record["jobs"] = [job if each["name"] == job["name"] else each for each in record["jobs"]]
    report.write_text(json.dumps(record))


def check(batches, file, command, content):
    """Run a command while a file has another content."""
    path = batches / file
    original = {each: each.read_bytes() for each in [path, *batches.rglob("*.json")]}
    try:
        path.write_bytes(content)
        if path.name == "predictions.jsonl":
            record_checksum(path)
        assert run(*command.split())[0] in CODES
    finally:
        shutil.rmtree("all", ignore_errors=True)
        for each, text in original.items():
            each.write_bytes(text)


@documents
@few
@given(change=of_documents)
def test_a_changed_document(batches, file, command, change):
    lines = (batches / file).read_bytes().splitlines(keepends=True)
    first, rest = (lines[0], lines[1:]) if file.endswith("l") else (b"".join(lines), [])
    check(batches, file, command, b"".join([changed(json.loads(first), change), b"\n", *rest]))


@documents
@few
@given(damage=ends_of_bytes)
def test_a_damaged_document(batches, file, command, damage):
    check(batches, file, command, damaged((batches / file).read_bytes(), damage))


@documents
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_a_pipe_a_directory_or_a_device_in_the_place_of_a_document(batches, file, command, make):
    (batches / file).unlink()
    make(batches / file)
    assert run(*command.split())[0] in CODES


@pytest.mark.parametrize("file", ["before/report.json", "now/report.json"])
@few
@given(change=st.one_of(of_documents, ends_of_bytes))
def test_a_report_that_a_trend_is_read_from(batches, file, change):
    path = batches / file
    original = path.read_bytes()
    document = isinstance(change[0], int)
    try:
        path.write_bytes(changed(json.loads(original), change) if document else damaged(original, change))
        read_runs(["before", "now"])  # the other one can be read; what trends are made of them takes seconds
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize("content", [b"", b"[" * 200_000])
def test_a_trend_leaves_out_a_report_that_is_none(batches, content):
    (batches / "now" / "report.json").write_bytes(content)
    code, said = run("trend", "before", "now")
    assert code == 0
    assert "left out" in said
