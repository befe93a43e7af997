import csv
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from job.errors import DeviceError, ResultError, TrainingError
from job.evaluation.outcome import DecodedValidation
from job.problems import pair_cache
from job.problems.example_texts import example_texts, target_separator
from job.problems.integers import Copy
from job.process.stopping import Stop, Stopped
from job.results.job_result import Decoding
from job.results.predictions import Prediction
from job.results.scored_examples import fingerprint_examples
from job.results.validation_result import ValidationResult
from job.running import token_evaluator, training_stage
from job.running.run_job import run_job
from job.running.task import Task
from job.spec.evaluation_section import EvaluationSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec
from job.spec.time_series_section import TimeSeriesSpec
from job.spec.training_section import EarlyStoppingSpec, OptimizerSpec, TrainingSpec
from job.storage.artifacts import JobPaths

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
    data = replace(result.data, resumed_from_step=None)
    return result.metrics, data, result.samples, predictions, history


def test_earlier_jobs_of_the_process_make_no_difference(make_task):
    tasks = [make_task("other", seed=8), make_task("first"), make_task("again")]
    other, first, again = (bits(task, run_job(task)) for task in tasks)
    assert first == again
    assert first != other


def test_a_job_stopped_while_it_decodes_resumes_after_its_training(make_task, monkeypatch):
    whole = make_task("whole")
    expected = run_job(whole)
    task, real = make_task("cut", attempt=2), token_evaluator.evaluate_tokens

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments, **options)

    stop = Stop()
    with monkeypatch.context() as patch, stop.handling_signals():
        patch.setattr(token_evaluator, "evaluate_tokens", interrupted)
        with pytest.raises(Stopped):
            run_job(task, stop=stop)
    assert not task.paths.predictions.exists()
    assert expected.data.resumed_from_step is None
    reports = []
    result = run_job(task, reports.append)
    assert {type(report) for report in reports} <= {Decoding}  # no step is taken again
    assert result.data.resumed_from_step == result.data.steps == 8
    assert (expected.attempts, result.attempts) == (1, 2)
    assert bits(task, result) == bits(whole, expected)
    assert task.paths.history.exists()
    assert result.timings["fit_seconds"] >= result.timings["train_seconds"]


def test_pairs_from_the_cache_make_no_difference(make_task, tmp_path, monkeypatch):
    monkeypatch.setattr(pair_cache, "MIN_CACHED_BYTES", 0)
    (tmp_path / "pairs.tsv").write_text("".join(f"{i}\t{'ab' * (i % 3)}c\n" for i in range(200)))
    problem = TextPairsSpec(kind="text_pairs", data=PairFiles(file="pairs.tsv"))
    found = []
    for name, cache in (("memory", None), ("cached", tmp_path / "cache")):
        task = make_task(name, cache=cache)
        task = replace(task, job=task.job.model_copy(update={"problem": problem}))
        found.append(bits(task, run_job(task)))
    assert found[0] == found[1]
    assert len([*(tmp_path / "cache").iterdir()]) == 1


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


# --- validation ---------------------------------------------------------------------------------------------


def test_validation_examples_are_decoded_like_the_test_and_recorded(make_task):
    task = make_task("validated")
    validation = run_job(task).validation
    lines = task.paths.validation_predictions.read_text("utf-8").splitlines()
    predictions = [Prediction.from_line(line) for line in lines]
    problem = Copy(task.job.problem, task.job.seed)
    expected = problem.examples("validation", 10)
    assert [p.source for p in predictions] == [" ".join(map(str, row)) for row in expected.source]
    assert validation.examples == len(predictions) == 10
    assert validation.fingerprint == fingerprint_examples(
        example_texts(problem, expected), target_separator(problem)
    )
    right = [p.predicted == p.target == p.source for p in predictions]
    assert [p.correct for p in predictions] == right
    assert validation.metrics["sequence_accuracy"] == np.mean(right)
    assert validation.metrics.keys() >= {"token_accuracy", "edit_rate"}
    trained = {
        row.tobytes() for epoch in range(2) for i in range(4) for row in problem.batch(epoch, i, 16, 64)[0]
    }
    assert validation.seen_in_training == sum(row.tobytes() in trained for row in expected.source)


def test_the_test_is_the_same_whatever_is_validated(make_task):
    first, second = make_task("few"), make_task("many")
    more = second.job.evaluation.model_copy(update={"validation_examples": 15})
    second = replace(second, job=second.job.model_copy(update={"evaluation": more}))
    few, many = run_job(first), run_job(second)
    assert (few.validation.examples, many.validation.examples) == (10, 15)
    assert (few.metrics, few.data.seen_in_training) == (many.metrics, many.data.seen_in_training)


def by_metric(task, metric, **evaluation):
    stopping = EarlyStoppingSpec(metric=metric, patience=5)
    fast = OptimizerSpec(learning_rate=0.05, schedule="constant")
    training = task.job.training.model_copy(
        update={"early_stopping": stopping, "epochs": 3, "optimizer": fast}
    )
    update = {"training": training, "evaluation": task.job.evaluation.model_copy(update=evaluation)}
    return replace(task, job=task.job.model_copy(update=update))


def decoded_column(task, metric):
    rows = csv.DictReader(task.paths.history.read_text().splitlines())
    return [float(value) for row in rows if (value := row[f"val_decoded_{metric}"])]


@pytest.mark.parametrize("metric", ["token_accuracy", "edit_rate"])
def test_the_kept_weights_are_those_of_the_epoch_best_by_a_decoded_metric(make_task, metric):
    task = by_metric(make_task("kept"), metric)
    result = run_job(task)
    values = decoded_column(task, metric)
    best = max(values) if metric == "token_accuracy" else min(values)
    assert len(values) == result.data.epochs == 3
    assert len(set(values)) > 1
    assert result.data.best_epoch == 1 + values.index(best)
    assert result.validation.metrics[metric] == best  # decoded again at the end, with the kept weights


def test_epochs_are_compared_by_greedy_decoding_whatever_the_evaluation_uses(make_task):
    tasks = [make_task("greedy"), make_task("beam")]
    greedy, beam = by_metric(tasks[0], "edit_rate"), by_metric(tasks[1], "edit_rate", decoder="beam")
    run_job(greedy)
    run_job(beam)
    assert decoded_column(greedy, "edit_rate") == decoded_column(beam, "edit_rate")


def test_the_kept_weights_of_a_series_are_those_of_the_best_error(make_task, tmp_path):
    tf.config.run_functions_eagerly(False)  # a forecast is computed in compiled batches alone
    (tmp_path / "y.csv").write_text("y\n" + "".join(f"{(0, 3, 9, 3)[t % 4]}\n" for t in range(30)))
    problem = TimeSeriesSpec(
        kind="time_series",
        file="y.csv",
        column="y",
        source_length=3,
        target_length=2,
        validation=5,
        test=5,
    )
    task = by_metric(make_task("series"), "rmse")
    model, training = ModelSpec(units=4), task.job.training.model_copy(update={"examples": "all"})
    update = {"problem": problem, "model": model, "training": training}
    task = replace(task, job=task.job.model_copy(update=update))
    result = run_job(task)
    values = decoded_column(task, "rmse")
    assert result.data.best_epoch == 1 + values.index(min(values))
    assert result.validation.metrics["rmse"] == min(values)
    assert result.validation.examples == 5


def test_a_metric_that_is_not_defined_fails_the_job_before_training(tmp_path, make_task):
    (tmp_path / "pairs.tsv").write_text("".join(f"{n}\t{n % 7} {n % 3}\n" for n in range(300)))
    problem = TextPairsSpec(
        kind="text_pairs", data=PairFiles(file="pairs.tsv"), source_tokens="characters", target_tokens="words"
    )
    task = by_metric(make_task("short"), "bleu")
    task = replace(task, job=task.job.model_copy(update={"problem": problem}))
    with pytest.raises(TrainingError, match="metric is bleu, which is not defined for the validation exam"):
        run_job(task)
    assert not task.paths.history.exists()


def test_a_problem_without_validation_examples_says_so(make_task, monkeypatch):
    real = Copy.examples
    monkeypatch.setattr(
        Copy, "examples", lambda self, split, count: real(self, split, 0 if split == "validation" else count)
    )
    task = make_task("unvalidated")
    assert run_job(task).validation == ValidationResult(reason="the problem has no validation examples")
    assert not task.paths.validation_predictions.exists()


# --- the problem's description ------------------------------------------------------------------------------


def test_a_description_has_its_own_key_and_replaces_no_fact(make_task, monkeypatch):
    described = {"test_examples": "lots", "seen_in_training": "all", "signatures": "none", "sizes": {1: [2]}}
    monkeypatch.setattr(Copy, "describe", lambda self: described)
    data = run_job(make_task("described")).data
    assert data.problem == {**described, "sizes": {"1": [2]}}
    assert (data.test_examples, data.signatures) == (20, {})
    record = data.to_record()
    assert record["test_examples"] == 20
    assert record["seen_in_training"] == data.seen_in_training
    assert record["sizes"] == {"1": [2]}


@pytest.mark.parametrize("described", ["a text", ["a list"], {"array": np.float32(1)}])
def test_a_description_that_is_no_mapping_of_json_values_fails_the_job(make_task, monkeypatch, described):
    monkeypatch.setattr(Copy, "describe", lambda self: described)
    with pytest.raises(ResultError, match=r"^the problem's describe\(\) must return "):
        run_job(make_task("described"))


# --- numbers that are not finite ----------------------------------------------------------------------------


def spoil(monkeypatch, **fields):
    """Have the evaluation come to something else than it did."""
    real = token_evaluator.evaluate_tokens
    monkeypatch.setattr(
        token_evaluator, "evaluate_tokens", lambda *args, **options: replace(real(*args, **options), **fields)
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
    monkeypatch.setattr(token_evaluator, "evaluate_other_sizes", lambda *arguments: elsewhere)
    task = make_task("elsewhere")
    evaluation = task.job.evaluation.model_copy(update={"also": [{"source_length": 3}]})
    task = replace(task, job=task.job.model_copy(update={"evaluation": evaluation}))
    with pytest.raises(ResultError, match=r"^also\[0\]\.metrics\.edit_rate is not a finite number"):
        run_job(task)


def test_a_metric_of_validation_that_is_not_finite_fails_the_job(make_task, monkeypatch):
    spoilt = DecodedValidation(result=ValidationResult(metrics={"edit_rate": math.inf}))
    monkeypatch.setattr(token_evaluator, "evaluate_validation", lambda *arguments, **options: spoilt)
    with pytest.raises(ResultError, match=r"^validation\.metrics\.edit_rate is not a finite number"):
        run_job(make_task("validation"))


def test_a_weight_that_is_not_finite_fails_the_job(make_task, monkeypatch):
    real = training_stage.fit

    def fit(loop, *arguments, **options):
        fitted = real(loop, *arguments, **options)
        loop.model.set_weights([weight * math.nan for weight in loop.model.get_weights()])
        return fitted

    monkeypatch.setattr(training_stage, "fit", fit)
    with pytest.raises(
        ResultError, match=r"^a weight of the model is not a finite number after training: lower"
    ):
        run_job(make_task("weights"))
