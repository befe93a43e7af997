"""A second job of one shape: nothing is compiled again, and nothing of the first one is left in it."""

import io
import zipfile

import h5py
import pytest

from job.inference import token_search
from job.inference.numbers import Forecaster
from job.inference.token_decoder import TokenDecoder
from job.problems import build_problem
from job.running.model_cache import ModelCache
from job.running.run_job import run_job
from job.running.task import Task
from job.spec.schema import JobSpec
from job.storage.artifacts import JobPaths
from job.training.compiled_loop import CompiledLoop

TRAINING = {"examples": 64, "batch_size": 16, "epochs": 2}
TESTING = {"examples": 20, "validation_examples": 10}
COPY = {
    "problem": {"kind": "copy", "source_length": 2, "cardinality": 6},
    "model": {"units": 4, "inputs": "embedding", "embedding_size": 4, "dropout": 0.2},
    "training": {**TRAINING, "early_stopping": {"patience": 1}},
    "evaluation": TESTING,
}
LOOPED = {**COPY, "model": {"units": 4, "recurrent_dropout": 0.2, "attention": "bahdanau"}}
ADDITION = {
    "problem": {"kind": "addition", "digits": 2},
    "model": {"units": 4},
    "training": TRAINING,
    "evaluation": {**TESTING, "also": [{"digits": 3}]},
}
TRANSFORMER = {"architecture": "transformer", "units": 8, "heads": 2, "dropout": 0.2}
SERIES = {
    "problem": {
        "kind": "time_series",
        "file": "series.csv",
        "column": "y",
        "source_length": 4,
        "target_length": 2,
        "test": 6,
    },
    "model": {"units": 4},
    "training": TRAINING,
}


def trained_weights(file):
    """Return the bytes of each weight, and of each state of random numbers, in a model file."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with zipfile.ZipFile(file) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as weights:
        weights.visititems(note)
    return found


@pytest.fixture
def run(tmp_path):
    (tmp_path / "series.csv").write_text("y\n" + "".join(f"{n * n % 17}\n" for n in range(60)))

    def run(cache, job, seed):
        spec = JobSpec.model_validate({"name": "job", "seed": seed, **job})
        paths = JobPaths(tmp_path / f"{len([*tmp_path.iterdir()])}")
        paths.directory.mkdir()
        result = run_job(Task(spec, "f" * 64, tmp_path, paths, None), cache=cache)
        history = [line.rpartition(",")[0] for line in paths.history.read_text().splitlines()]
        weights = trained_weights(paths.model / "train.keras")
        return result.metrics, history, result.also, paths.predictions.read_bytes(), weights

    return run


@pytest.fixture
def compilations(monkeypatch):
    """The names of the functions that were compiled, each as often as it was."""
    names = []
    compiled = [
        (CompiledLoop, "_train"),
        (CompiledLoop, "_validate"),
        (token_search, "greedy"),
        (Forecaster, "_rollout"),
    ]
    for owner, name in compiled:
        usual = getattr(owner, name)
        monkeypatch.setattr(
            owner,
            name,
            lambda *args, usual=usual, name=name, **options: names.append(name) or usual(*args, **options),
        )
    return names


@pytest.mark.parametrize(
    ("job", "functions"),
    [
        (LOOPED, ["_train", "_validate", "greedy"]),
        (ADDITION, ["_train", "_validate", "greedy", "greedy"]),
        (SERIES, ["_train", "_rollout"]),
        pytest.param({**SERIES, "model": TRANSFORMER}, ["_train", "_rollout"], marks=pytest.mark.exhaustive),
        ({**COPY, "model": TRANSFORMER}, ["_train", "_validate", "greedy"]),
    ],
    ids=["looped", "addition", "series", "transformer_series", "transformer"],
)
def test_a_second_job_of_the_same_shape_reuses_the_compiled_model_and_gives_the_same_bits(
    run, compilations, job, functions
):
    cache = ModelCache()
    other = run(cache, job, 8)
    assert sorted(compilations) == sorted(functions)
    second = run(cache, job, 7)
    assert sorted(compilations) == sorted(functions)
    assert second == run(ModelCache(), job, 7)
    assert second != other


def test_one_source_is_decoded_to_compile_for_the_first_job_only(run, monkeypatch):
    """It takes as long as a whole batch."""
    counts, usual = [], TokenDecoder.batches
    monkeypatch.setattr(
        TokenDecoder,
        "batches",
        lambda self, sources, *args: counts.append(len(sources)) or usual(self, sources, *args),
    )
    cache = ModelCache()
    run(cache, COPY, 8)
    assert sorted(counts) == [1, 1, 10, 20, 20]  # decoding, and the context vectors of the test
    counts.clear()
    run(cache, COPY, 7)
    assert sorted(counts) == [10, 20, 20]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"seed": 8, "gate": {"max_edit_rate": 0.5}}, True),
        ({"problem": {**COPY["problem"], "kind": "reverse"}}, True),
        ({"problem": {**COPY["problem"], "source_length": 3}}, False),
        ({"model": {**COPY["model"], "units": 5}}, False),
        ({"training": {**COPY["training"], "optimizer": {"learning_rate": 0.5}}}, False),
        ({"training": {**COPY["training"], "examples": 80}}, False),  # the schedule goes by it
        ({"evaluation": {**TESTING, "decoder": "beam"}}, False),
    ],
)
def test_a_model_is_compiled_again_only_for_a_change_that_affects_it(tmp_path, change, same):
    cache = ModelCache()
    jobs = [JobSpec.model_validate({"name": "job", **COPY, **changed}) for changed in ({}, change)]
    problems = [build_problem(job.problem, job.seed, tmp_path) for job in jobs]
    first, second = (cache.prepare(*each, "fused") for each in zip(problems, jobs, strict=True))
    assert (second is first) is same


def test_a_schedule_goes_by_the_steps_of_the_data(tmp_path):
    """With `tokens_per_batch` the same number of pairs may be another number of steps."""
    cache, compiled = ModelCache(), []
    for name, target in (("short", "x"), ("also", "y"), ("long", "xxxxxx")):
        lines = "".join(f"{i:03}\t{'xyxyxy' if i % 2 else target}\n" for i in range(40))
        (tmp_path / name).write_text(lines)
        files = {"file": name}
        problem = {"kind": "text_pairs", "train": files, "validation": files, "test": files}
        training = {"examples": "all", "tokens_per_batch": 40}
        job = {"name": "job", "problem": problem, "model": {"units": 4}, "training": training}
        spec = JobSpec.model_validate(job)
        compiled.append(cache.prepare(build_problem(spec.problem, 7, tmp_path), spec, "fused"))
    assert compiled[0] is compiled[1] is not compiled[2]


def test_each_kernel_has_its_own_compiled_model(tmp_path):
    cache, job = ModelCache(), JobSpec.model_validate({"name": "job", **COPY})
    problem = build_problem(job.problem, job.seed, tmp_path)
    assert cache.prepare(problem, job, "keras") is not cache.prepare(problem, job, "fused")
