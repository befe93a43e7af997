"""Recurrent models, Transformers, each search: trained by the real stages, saved, loaded elsewhere.

It takes minutes, so that it is run by `tox -e exhaustive` alone.
"""

import json
import math
import os
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest

import job
from job.process.tensorflow_loading import VARIABLES
from job.results.predictions import Prediction
from job.running.task import Task
from job.spec.evaluation_section import EvaluationSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import AdditionSpec
from job.spec.schema import JobSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.storage.artifacts import JobPaths

pytestmark = pytest.mark.exhaustive

STEPS, BATCH_SIZE, EXAMPLES = 50, 128, 50
WORKERS = 2
DECODERS = ("greedy", "beam", "sample")
ATTENTIONS = ("none", "luong_dot", "luong_general", "bahdanau", "monotonic")
RECURRENT = {
    f"{cell}-{layers}-{directions}-{attention}": {
        "cell": cell,
        "layers": layers,
        "bidirectional": directions == "two_directions",
        "attention": attention,
    }
    for (h, attention), (i, cell), (j, layers), (k, directions) in product(
        *map(enumerate, (ATTENTIONS, ("lstm", "gru"), (1, 2), ("one_direction", "two_directions")))
    )
    if (h + i + j + k) % 2 == 0
}
"""Every three choices together: of any two models that differ in one choice alone, one is here."""

POSITIONS = ("rotary", "sinusoidal", "learned")
COMBINATIONS = {
    f"{name}-{DECODERS[number % 3]}": (keys, DECODERS[number % 3])
    for number, (name, keys) in enumerate(RECURRENT.items())
} | {
    f"transformer-{1 + (i + j) % 2}-{positions}-{decoder}": (
        {"architecture": "transformer", "heads": 2, "layers": 1 + (i + j) % 2, "positions": positions},
        decoder,
    )
    for (i, positions), (j, decoder) in product(enumerate(POSITIONS), enumerate(DECODERS))
}
"""Those recurrent models with a search in turn, and every two choices of a Transformer and its search."""

COMBINATIONS |= {
    "lstm-pointer-greedy": ({"attention": "luong_general", "pointer": True}, "greedy"),
    "gru-pointer-beam": ({"cell": "gru", "attention": "bahdanau", "pointer": True}, "beam"),
    "transformer-pointer-sample": ({"architecture": "transformer", "heads": 2, "pointer": True}, "sample"),
}


def test_every_three_choices_of_a_recurrent_model_meet():
    models = [tuple(keys.values()) for keys in RECURRENT.values()]
    for places in combinations(range(4), 3):
        met = {tuple(model[place] for place in places) for model in models}
        assert len(met) == math.prod(len({model[place] for model in models}) for place in places)
    assert [len(set(choices)) for choices in zip(*models, strict=True)] == [2, 2, 2, len(ATTENTIONS)]


def test_every_attention_and_position_meets_every_search():
    met = {(keys.get("attention", keys.get("positions")), decoder) for keys, decoder in COMBINATIONS.values()}
    chosen = {pair for pair in met if pair[0] is not None}  # some leave the positions at their default
    assert len(chosen) == (5 + 3) * 3


def job_spec(name):
    model, decoder = COMBINATIONS[name]
    return JobSpec(
        name=name,
        problem=AdditionSpec(kind="addition", digits=1),
        model=ModelSpec(units=8, **model),
        training=TrainingSpec(
            examples=STEPS * BATCH_SIZE,
            batch_size=BATCH_SIZE,
            optimizer=OptimizerSpec(learning_rate=0.05, warmup_fraction=0.1),
        ),
        evaluation=EvaluationSpec(examples=EXAMPLES, validation_examples=10, decoder=decoder, beam_width=4),
    )


def train(output, names):
    """Run the jobs of some combinations, each in a directory of its own under `output`."""
    from job.running.run_job import run_job

    for name in names:
        paths = JobPaths(output / name)
        paths.directory.mkdir()
        result = run_job(Task(job_spec(name), "f" * 64, paths.directory, paths, commit=None))
        assert result.data.steps == STEPS


def predict_again(output, names):
    """Write `again.jsonl` beside each job's predictions: what its saved model predicts for their sources."""
    from job.inference.source_lines import read_sources
    from job.inference.token_lines import load_model, predict

    for directory in (output / name for name in names):
        with JobPaths(directory).predictions.open(encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        model = load_model(directory)
        found = predict(model, read_sources((r["source"] for r in records), model.facts, "predictions"))
        with (directory / "again.jsonl").open("w", encoding="utf-8") as file:
            for record, text in zip(records, found, strict=True):
                again = {**record, "predicted": text, "correct": text == record["target"]}
                file.write(Prediction(**again).to_line() + "\n")


def start(function, *arguments):
    """Call a function of this file in a new process, whose threads are as a worker's."""
    environment = {**os.environ, **VARIABLES, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    command = [sys.executable, __file__, function.__name__, *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Where all jobs were run, and where then new processes have predicted with the saved models."""
    directory, names = tmp_path_factory.mktemp("output"), list(COMBINATIONS)
    stages = [
        [(train, names[worker::WORKERS]) for worker in range(WORKERS)],
        [(predict_again, names[worker::WORKERS]) for worker in range(WORKERS)],
    ]
    for stage in stages:
        processes = [start(function, directory, *some) for function, some in stage]
        try:
            for process in processes:
                printed, _ = process.communicate()
                assert process.returncode == 0, printed
        finally:
            for process in processes:
                process.kill()
    return directory


@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_new_process_predicts_the_same_bits(output, name):
    evaluated = JobPaths(output / name).predictions.read_bytes()
    assert len(evaluated.splitlines()) == EXAMPLES
    assert (output / name / "again.jsonl").read_bytes() == evaluated


def test_what_is_predicted_depends_on_the_model(output):
    """Or the wrong model would do as well: few of them have learned the same in so few steps."""
    assert len({JobPaths(output / name).predictions.read_bytes() for name in COMBINATIONS}) > 16


if __name__ == "__main__":
    {f.__name__: f for f in (train, predict_again)}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3:])
