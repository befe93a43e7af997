"""Jobs that differ in their evaluation alone, by the whole command: what they leave is, to the bit, what each
leaves that is trained by itself."""

import re
import signal

import pytest
from processes import checkpointed, ended, kill, outcome, read, start, wait_until

SPEC = """\
version: 1
defaults:
  problem: {kind: reverse, source_length: 4, cardinality: 12}
  model: {units: 16, attention: luong_dot}
  training: {examples: 3200, batch_size: 32, epochs: 10, checkpoint_minutes: 0.001, average: ema}
  evaluation: {examples: 80, validation_examples: 40, ensemble: true}
jobs:
  - {name: greedy, seeds: [1, 2]}
  - {name: beam, seeds: [1, 2], evaluation: {decoder: beam, beam_width: 3, ensemble: true}}
"""
BEAMS = ("beam-seed-1", "beam-seed-2")
MODELS = {
    "greedy-seed-1": None,
    "greedy-seed-2": None,
    "beam-seed-1": "greedy-seed-1",
    "beam-seed-2": "greedy-seed-2",
}


def run(directory, *arguments):
    code, out = ended(start(*arguments, cwd=directory))
    assert code == 0, out
    return out


def files(directory):
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def check(directory, alone):
    """Compare the jobs in an output directory with those that were trained by themselves."""
    jobs = directory / "jobs"
    assert {name: read(jobs / name / "result.json")["model_of"] for name in MODELS} == MODELS
    for name in BEAMS:
        assert outcome(jobs / name) == outcome(alone / "jobs" / name)
        assert files(jobs / name) == files(alone / "jobs" / name)
    ensembles = [output / "ensembles" / "beam" / "predictions.jsonl" for output in (directory, alone)]
    assert ensembles[0].read_bytes() == ensembles[1].read_bytes()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("shared")
    (directory / "jobs.yaml").write_text(SPEC)
    return directory


@pytest.fixture(scope="module")
def alone(directory):
    """The output directory of jobs that are trained, since nothing else is chosen."""
    run(directory, "--output-dir", "alone", "--only", "beam-*")
    assert [read(directory / "alone" / "jobs" / name / "result.json")["model_of"] for name in BEAMS] == [
        None
    ] * 2
    return directory / "alone"


def test_a_batch_trains_each_model_once(directory, alone):
    out = run(directory, "--workers", "2")
    assert "4 jobs: 4 trained; 2 trained now, 2 evaluated only" in re.sub(r"\s+", " ", out)
    check(directory / "output", alone)
    report = (directory / "output" / "report.md").read_text("utf-8")
    assert "evaluated only; the model is that of job `greedy-seed-1`." in report


def test_a_killed_batch_goes_on_and_takes_the_model_too(directory, alone):
    process = start("--output-dir", "killed", "--workers", "1", cwd=directory)
    try:
        wait_until(lambda: checkpointed(directory / "killed" / "jobs" / "greedy-seed-1"), process)
    finally:
        kill(process)
    planned = run(directory, "plan", "--output-dir", "killed")
    assert "re-evaluate beam-seed-1: the model of greedy-seed-1, once it is trained" in planned
    run(directory, "--output-dir", "killed", "--workers", "1")
    assert read(directory / "killed" / "jobs" / "beam-seed-1" / "result.json")["data"]["resumed_from_step"]
    check(directory / "killed", alone)


@pytest.mark.exhaustive
def test_a_fresh_batch_trains_each_model_once_again(directory, alone):
    run(directory, "--output-dir", "fresh")
    run(directory, "--output-dir", "fresh", "--fresh")
    check(directory / "fresh", alone)


@pytest.mark.exhaustive
def test_shards_and_nodes_of_a_queue_share_models(directory, alone):
    for options in [("--shard", "1/2"), ("--shard", "2/2")], [("--queue",), ("--queue",)]:
        output = options[0][0].strip("-")
        nodes = [start("--output-dir", output, "--workers", "1", *each, cwd=directory) for each in options]
        try:
            for node in nodes:
                code, out = ended(node)
                assert code == 0, out
        finally:
            for node in nodes:
                if node.poll() is None:
                    ended(node, signal.SIGKILL)
        check(directory / output, alone)
