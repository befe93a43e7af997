import csv
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from job.errors import DeviceError, ResultError
from job.process.stopping import Stop, Stopped
from job.results.records import JobResult
from job.running import run_job as module
from job.running.result_checks import check_contexts, check_result
from job.running.run_job import history_columns, run_job, speed_ranges
from job.running.task import Task
from job.spec.evaluation_section import EvaluationSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec
from job.spec.training_section import TrainingSpec
from job.storage.artifacts import JobPaths
from job.training.state import HistoryRow

ACCURACIES = ("loss", "token_accuracy", "sequence_accuracy")


@pytest.fixture(autouse=True)
def eagerly():
    """Without compiling: these jobs are too small for it to pay."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def make_task(tmp_path):
    def make(directory, seed=7, **options):
        job = JobSpec(
            name="copy",
            seed=seed,
            problem=CopySpec(kind="copy", source_length=2, cardinality=6),
            model=ModelSpec(units=4, inputs="embedding", embedding_size=4, dropout=0.2),
            training=TrainingSpec(examples=64, batch_size=16, epochs=2),
            evaluation=EvaluationSpec(examples=20, validation_examples=10),
        )
        paths = JobPaths(tmp_path / directory)
        paths.directory.mkdir(exist_ok=True)
        return Task(job, "f" * 64, tmp_path, paths, commit=None, **options)

    return make


def bits(task, result):
    """What a job came to, times and how it came there apart."""
    predictions = task.paths.predictions.read_bytes()
    history = [line.rpartition(",")[0] for line in task.paths.history.read_text().splitlines()]
    data = {key: value for key, value in result.data.items() if key != "resumed_from_step"}
    return result.metrics, data, result.samples, predictions, history


def test_what_the_process_did_before_makes_no_difference(make_task):
    tasks = [make_task("other", seed=8), make_task("first"), make_task("again")]
    other, first, again = (bits(task, run_job(task)) for task in tasks)
    assert first == again
    assert first != other


def test_stopped_while_it_decodes_a_job_goes_on_after_its_training(make_task, monkeypatch):
    whole = make_task("whole")
    expected = run_job(whole)
    task, real = make_task("cut", attempt=2), module.evaluate

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments, **options)

    stop = Stop()
    with monkeypatch.context() as patch, stop.listening():
        patch.setattr(module, "evaluate", interrupted)
        with pytest.raises(Stopped):
            run_job(task, stop=stop)
    assert not task.paths.predictions.exists()
    assert expected.data["resumed_from_step"] is None
    steps = []
    result = run_job(task, lambda progress: steps.append(progress.step))
    assert steps == []
    assert result.data["resumed_from_step"] == result.data["steps"] == 8
    assert (expected.attempts, result.attempts) == (1, 2)
    assert bits(task, result) == bits(whole, expected)
    assert not {"history.csv", "predictions.jsonl"} - {artifact.path for artifact in result.artifacts}
    assert result.timings["fit_seconds"] >= result.timings["train_seconds"]


def test_asked_before_it_begins_a_job_does_nothing(make_task):
    task, stop = make_task("never"), Stop(limit_seconds=0)
    with pytest.raises(Stopped):
        run_job(task, stop=stop)
    assert [*task.paths.directory.iterdir()] == []


def test_a_job_that_asks_for_a_gpu_fails_at_once_where_there_is_none(make_task):
    task = make_task("gpu")
    task = replace(task, job=task.job.model_copy(update={"device": "gpu"}))
    with pytest.raises(DeviceError):
        run_job(task)
    assert not task.paths.spec.exists()  # which is written before training


def test_a_result_keeps_what_its_curves_are_drawn_from(make_task):
    task = make_task("curves")
    history = run_job(task).history
    rows = list(csv.DictReader(task.paths.history.read_text().splitlines()))
    names = ["step"] + [f"{side}{name}" for side in ("", "val_") for name in ACCURACIES]
    assert list(history) == names
    for name in names:
        written = [float(row[name]) if row[name] else None for row in rows]
        assert history[name] == [None if v is None else pytest.approx(v, rel=1e-5) for v in written]
    assert None in history["val_loss"]
    assert isinstance(history["val_loss"][-1], float)


def test_numbers_that_json_does_not_have_and_columns_without_any_are_left_out_of_the_history():
    row = HistoryRow(
        step=1_234_567, epoch=1, examples=2, loss=2 / 3, learning_rate=1, gradient_norm=1, seconds=1
    )
    worse = replace(row, step=1_234_568, loss=float("inf"))
    assert history_columns((row, worse)) == {"step": [1_234_567, 1_234_568], "loss": [0.666667, None]}


# --- numbers that are not finite ----------------------------------------------------------------------------


def spoil(monkeypatch, **fields):
    """Have the evaluation come to something else than it did."""
    real = module.evaluate
    monkeypatch.setattr(
        module, "evaluate", lambda *args, **options: replace(real(*args, **options), **fields)
    )


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"metrics": {}}, "the evaluation gave no sequence_accuracy, by which the job is judged"),
        (
            {"metrics": {"sequence_accuracy": math.nan}},
            "sequence_accuracy is not a finite number after training: lower training.optimizer.learning_rate",
        ),
        ({"metrics": {"sequence_accuracy": 1.0, "edit_rate": math.inf}}, "edit_rate is not a finite number"),
        ({"decode_seconds": math.nan}, "timings.decode_seconds is not a finite number"),
        ({"analysis": {"by_position": [{"accuracy": math.nan}]}}, "analysis.by_position[0].accuracy is not"),
        ({"attention": ({"weights": [[math.nan]]},)}, "attention[0].weights[0][0] is not a finite number"),
    ],
)
def test_a_number_that_is_missing_or_not_finite_fails_the_job_and_is_named(
    make_task, monkeypatch, fields, sentence
):
    spoil(monkeypatch, **fields)
    with pytest.raises(ResultError) as caught:
        run_job(make_task("spoilt"))
    assert str(caught.value).startswith(sentence)
    assert caught.value.exit_code == 1


def test_a_metric_at_other_sizes_that_is_not_finite_fails_the_job(make_task, monkeypatch):
    elsewhere = {"sizes": {"source_length": 3}, "examples": 1, "metrics": {"edit_rate": math.nan}}
    monkeypatch.setattr(module, "evaluate_at", lambda *arguments: elsewhere)
    task = make_task("elsewhere")
    evaluation = task.job.evaluation.model_copy(update={"also": [{"source_length": 3}]})
    task = replace(task, job=task.job.model_copy(update={"evaluation": evaluation}))
    with pytest.raises(ResultError, match=r"^also\[0\]\.metrics\.edit_rate is not a finite number"):
        run_job(task)


def test_a_weight_that_is_not_finite_fails_the_job(make_task, monkeypatch):
    real = module.fit

    def fit(loop, *arguments, **options):
        fitted = real(loop, *arguments, **options)
        loop.model.set_weights([weight * math.nan for weight in loop.model.get_weights()])
        return fitted

    monkeypatch.setattr(module, "fit", fit)
    with pytest.raises(
        ResultError, match=r"^a weight of the model is not a finite number after training: lower"
    ):
        run_job(make_task("weights"))


def test_a_context_that_is_not_finite_fails_the_job():
    with pytest.raises(ResultError, match=r"^the context vector of a test source is not finite: lower"):
        check_contexts({"h1": np.array([[0.0, 1.0]]), "c1": np.array([[math.inf, 1.0]])})


@pytest.mark.parametrize(
    ("described", "sentence"),
    [
        ({"noise": math.nan}, "data.noise is not a finite number after training: the problem's describe() "),
        ({"noise": object()}, "the result cannot be written as JSON: "),
        ({"noise": np.float32(1)}, "the result cannot be written as JSON: "),
    ],
)
def test_what_a_problem_describes_fails_the_job_where_json_cannot_hold_it(described, sentence):
    result = JobResult(
        name="own",
        status="passed",
        fingerprint="f" * 64,
        seed=1,
        spec={"problem": {"kind": "plugin"}},
        metrics={"sequence_accuracy": 1.0},
        data=described,
    )
    with pytest.raises(ResultError) as caught:
        check_result(result)
    assert str(caught.value).startswith(sentence)


# --- how fast training was in its parts ---------------------------------------------------------------------


def rows(*times_and_examples):
    return [
        HistoryRow(step=i, epoch=1, examples=n, loss=1.0, learning_rate=0.1, gradient_norm=1.0, seconds=t)
        for i, (t, n) in enumerate(times_and_examples)
    ]


def test_the_range_of_speeds_leaves_out_compilation_and_the_odd_row():
    times = [(3.0 + i, 100 + 100 * i) for i in range(11)]
    assert speed_ranges(rows(*times), ()) == {"train_examples_per_second": (100.0, 100.0)}
    pause = [*times, (50.0, 1200)]
    assert speed_ranges(rows(*pause), ()) == {"train_examples_per_second": (100.0, 100.0)}
    assert speed_ranges(rows(*times[:8]), [1.0] * 7) == {}


def test_the_range_of_decoding_speeds_is_of_most_of_its_parts():
    speeds = [100.0, 1000.0, *[500.0] * 7]
    assert speed_ranges((), speeds) == {"decoded_sequences_per_second": (420.0, 600.0)}
    assert speed_ranges((), [*[500.0] * 11, 1.0]) == {"decoded_sequences_per_second": (500.0, 500.0)}


def test_rows_of_one_time_count_as_one():
    halves = [row for i in range(11) for row in [(3.0 + i, 50 + 100 * i), (3.0 + i, 100 + 100 * i)]]
    assert speed_ranges(rows(*halves), ()) == {"train_examples_per_second": (100.0, 100.0)}
