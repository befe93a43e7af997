"""A saved model evaluated again: to the bit what a new training with that evaluation would have left."""

import shutil
from dataclasses import asdict, replace

import pytest

from job.errors import ModelDirectoryError
from job.gating.gates import judge_trained
from job.results.job_result import Decoding, JobResult
from job.running import training_stage
from job.running.run_job import run_job
from job.running.task import Task
from job.spec.schema import JobSpec
from job.storage.artifacts import JobPaths

TRAINING = {"examples": 64, "batch_size": 16, "epochs": 2}
TESTING = {"examples": 20, "validation_examples": 10}
BEAM = {"decoder": "beam", "beam_width": 3}
TRANSFORMER = {
    "problem": {"kind": "copy", "source_length": 2, "cardinality": 6},
    "model": {"architecture": "transformer", "units": 8, "heads": 2},
    "training": TRAINING,
    "evaluation": TESTING,
}
SERIES = {
    "problem": {
        "kind": "time_series",
        "file": "series.csv",
        "column": "y",
        "source_length": 4,
        "target_length": 2,
        "validation": 6,
        "test": 6,
    },
    "model": {"units": 4},
    "training": TRAINING,
    "evaluation": TESTING,
}
MEASURED = ("timings", "speed_ranges", "peak_rss_bytes", "environment")
FILES = (
    "predictions.jsonl",
    "validation_predictions.jsonl",
    "contexts.json",
    "spec.yaml",
    "model/vocabulary.json",
)


@pytest.fixture
def make_task(tmp_path):
    (tmp_path / "series.csv").write_text("y\n" + "".join(f"{n * n % 17}\n" for n in range(60)))

    def make(directory, job, **fields):
        spec = JobSpec.model_validate({"name": "job", **job})
        paths = JobPaths(tmp_path / directory)
        paths.directory.mkdir(exist_ok=True)
        return Task(spec, "e" * 64, tmp_path, paths, None, training_fingerprint="f" * 64, **fields)

    return make


def recorded(trained, task):
    """A result as it is read from `result.json`."""
    return JobResult.from_json(judge_trained(trained, task.job.gate).to_json())


def files(task):
    paths = [task.paths.directory / name for name in FILES]
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def measured_apart(trained):
    return {key: value for key, value in asdict(trained).items() if key not in MEASURED}


def check_equal(make_task, monkeypatch, job, change, before):
    """Evaluate the model in the directory `first` again, and compare that with a new training.

    Return the reports of its progress.
    """
    changed = {**job, "evaluation": {**job["evaluation"], **change}}
    whole = make_task("whole", changed)
    training, evaluation = [], []
    expected = run_job(whole, training.append)
    monkeypatch.setattr(training_stage, "fit", None)  # nothing is trained from here on
    again = make_task("first", changed, trained=before)
    found = run_job(again, evaluation.append)
    assert evaluation == [report for report in training if isinstance(report, Decoding)]
    assert measured_apart(found) == measured_apart(expected)
    assert files(again) == files(whole)
    assert found.data.test_examples != before.data.test_examples
    return evaluation


def test_tokens_are_decoded_as_after_a_new_training(make_task, monkeypatch, tmp_path, trained_job):
    shutil.copytree(trained_job.paths.directory, tmp_path / "first")
    job = trained_job.task.job.model_dump(mode="json")
    before = recorded(trained_job.result, trained_job.task)
    change = {**BEAM, "also": [{"digits": 2}], "examples": 30, "max_length_factor": 0.7}
    shares = [report.share for report in check_equal(make_task, monkeypatch, job, change, before)]
    assert (shares, shares[0], shares[-1], len(shares) > 3) == (sorted(shares), 0.0, 1.0, True)


@pytest.mark.parametrize(
    ("job", "change"),
    [
        pytest.param(SERIES, {"examples": 2}, id="series"),
        pytest.param(TRANSFORMER, {**BEAM, "examples": 10}, id="t", marks=pytest.mark.exhaustive),
    ],
)
def test_others_are_evaluated_as_after_a_new_training(make_task, monkeypatch, job, change):
    first = make_task("first", job)
    check_equal(make_task, monkeypatch, job, change, recorded(run_job(first), first))


def test_what_was_measured_of_training_stays_and_decoding_is_measured_again(make_task):
    first = make_task("first", SERIES)
    before = recorded(run_job(first), first)
    before = replace(
        before,
        timings={
            **before.timings,
            "train_seconds": 123.0,
            "total_seconds": 200.0,
            "evaluate_seconds": 50.0,
            "decode_seconds": 40.0,
            "export_seconds": 30.0,  # of an export that is not asked for any more
        },
        environment={**before.environment, "processor": "another processor"},
        peak_rss_bytes=1 << 50,
    )
    found = run_job(make_task("first", SERIES, trained=before))
    assert found.history == before.history
    assert found.timings["train_seconds"] == 123.0
    evaluating = found.timings["evaluate_seconds"]
    assert evaluating != 50.0
    assert found.timings["total_seconds"] == pytest.approx(120.0 + evaluating, abs=1e-3)
    assert found.timings["decode_seconds"] != 40.0
    assert found.timings.keys() == before.timings.keys() - {"export_seconds"}
    assert found.peak_rss_bytes == 1 << 50
    assert found.environment["processor"] == "another processor"
    assert found.environment["evaluation"]["processor"] != "another processor"
    assert found.environment["evaluation"]["kernel"] == before.environment["kernel"]

    path = first.paths.model / "inference_encoder.keras"
    path.write_bytes(b"no model")
    with pytest.raises(ModelDirectoryError, match=rf"{path} cannot be loaded .*; train the job again"):
        run_job(make_task("first", SERIES, trained=before))
