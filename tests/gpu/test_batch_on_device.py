"""Batches on GPUs: a job that does not fit, and workers of which each sees a GPU of its own."""

import json
import resource

import pytest
from offered import install

pytestmark = pytest.mark.gpu

LIMIT_BYTES = 64 << 30
"""Of the address space of a process on the CPU: what is too large fails before it fills the memory."""

GREEDY = """\
version: 1
defaults:
  evaluation: {examples: 20, validation_examples: 10}
jobs:
  - name: greedy
    problem: {kind: copy, source_length: 3, cardinality: 400000}
    model: {units: 2}
    training: {examples: 65536, batch_size: 65536}
    retries: 0
  - name: modest
    problem: {kind: copy, source_length: 2, cardinality: 6}
    model: {units: 4}
    training: {examples: 320, batch_size: 32}
"""
"""The logits of a batch of the first job have 315 GB."""

LETTERS = """\
import os
from job.problems.generated import GeneratedProblem
from job.problems.vocabulary import Vocabulary

class Letters(GeneratedProblem):
    fixed_length = True
    source_space = 4**3
    max_target_length = 3

    def __init__(self, options, seed, directory):
        super().__init__(seed)
        self.source_vocabulary = self.target_vocabulary = Vocabulary.learn("abcd", "", closed=True)

    def draw(self, generator, count):
        source = generator.integers(1, 5, (count, 3)).astype("int32")
        return source, source[:, ::-1].copy()

    def describe(self):
        return {"visible": os.environ.get("CUDA_VISIBLE_DEVICES")}
"""
"""A problem whose facts say which GPUs its worker sees."""

SHARED = """\
version: 1
defaults:
  problem: {kind: plugin, name: letters}
  model: {units: 4}
  training: {examples: 320, batch_size: 32}
  evaluation: {examples: 20, validation_examples: 10}
jobs:
  - {name: letters, matrix: {seed: SEEDS}}
"""


def limit_address_space():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))


def results(directory):
    paths = (directory / "output" / "jobs").glob("*/result.json")
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in paths}


def test_a_job_that_needs_more_memory_fails_by_name_and_the_next_is_trained(
    batch, device, tmp_path, record_property
):
    done = batch(GREEDY, "--workers", "1", limit=limit_address_space if device == "CPU" else None)
    assert done.returncode == 1, done.stdout + done.stderr
    found = results(tmp_path)
    assert found["modest"]["status"] in ("passed", "done")
    assert found["greedy"]["status"] == "failed"
    error = found["greedy"]["error"]
    record_property("figure", error["type"])
    said = f"{error['type']}: {error['message']}"
    assert any(word in said for word in ("ResourceExhausted", "out of memory", "OOM")), said


def test_each_worker_sees_a_gpu_of_its_own(batch, gpus, tmp_path, record_property):
    install(tmp_path / "site", "letters_package", LETTERS, name="letters", target="Letters")
    seeds = [*range(1, len(gpus) + 1)]
    done = batch(SHARED.replace("SEEDS", str(seeds)), "--workers", "auto", path=[tmp_path / "site"])
    assert done.returncode == 0, done.stdout + done.stderr
    visible = [found["data"]["visible"] for found in results(tmp_path).values()]
    record_property("figure", f"{len(gpus)} workers")
    assert sorted(visible) == sorted(gpus)
