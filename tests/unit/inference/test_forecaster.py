import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from job.errors import InputError, ModelDirectoryError
from job.evaluation.forecast_evaluation import evaluate_forecasts, forecast_validation, persistence
from job.inference import loading as use
from job.inference import number_lines, numbers
from job.inference.number_lines import SavedForecaster, load_forecaster, read_histories
from job.models.parameter_count import count_parameters
from job.problems import build_problem
from job.problems.base import Windows
from job.problems.windows import Series
from job.running.run_job import run_job
from job.running.task import Task
from job.spec.model_section import ModelSpec
from job.spec.schema import JobSpec
from job.spec.time_series_section import TimeSeriesSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.storage.artifacts import JobPaths

PLAIN = Series(
    columns=("y",),
    unit="",
    source_length=2,
    target_length=3,
    logarithm=False,
    differencing=0,
    centers=(0.0,),
    scales=(1.0,),
    decimals=3,
)
PAIR = Series(**{**vars(PLAIN), "columns": ("y", "a"), "centers": (0.0, 0.0), "scales": (1.0, 1.0)})
LOGARITHMIC = Series(**{**vars(PLAIN), "logarithm": True})


# --- scores -----------------------------------------------------------------------------------------------


class Stub(SavedForecaster):
    """Forecasts the last value plus 1, 2 and 3."""

    @property
    def forecast(self):
        return lambda history: history[:, -1, :1] + np.arange(1.0, 4.0)


class Diverging(SavedForecaster):
    """Forecasts a value, then nothing that is a number."""

    @property
    def forecast(self):
        return lambda history: history[:, -1, :1] + np.array([1.0, math.nan, math.inf])


def test_scores_by_hand_over_all_that_the_series_still_has():
    history = np.array([[[0.0], [1.0]], [[1.0], [5.0]]])
    future = np.array([[5.0, 2.0, 8.0], [2.0, math.nan, math.nan]])
    windows = Windows(PLAIN.sources(history), PLAIN.targets(history, future), history, future)
    found = evaluate_forecasts(Stub(None, None, PLAIN), windows)
    errors = np.array([2 - 5, 3 - 2, 4 - 8, 6 - 2])
    naive = np.array([1 - 5, 1 - 2, 1 - 8, 5 - 2])
    assert found.metrics == pytest.approx(
        {
            "rmse": math.sqrt(np.mean(errors**2)),
            "persistence_rmse": math.sqrt(np.mean(naive**2)),
            "mae": np.mean(np.abs(errors)),
            "persistence_mae": np.mean(np.abs(naive)),
        }
    )
    assert [(p.source, p.target, p.predicted, p.correct) for p in found.predictions] == [
        ("0.0 1.0", "5.0 2.0 8.0", "2.0 3.0 4.0", None),
        ("1.0 5.0", "2.0", "6.0", None),
    ]
    assert found.seen_in_training is None
    assert found.source_space is None


def test_validation_windows_are_forecast_and_scored_like_the_test():
    history = np.array([[[0.0], [1.0]], [[1.0], [5.0]]])
    future = np.array([[5.0, 2.0, 8.0], [2.0, math.nan, math.nan]])
    windows = Windows(PLAIN.sources(history), PLAIN.targets(history, future), history, future)
    test = evaluate_forecasts(Stub(None, None, PLAIN), windows)
    found = forecast_validation(Stub(None, None, PLAIN), windows)
    assert (found.result.examples, found.result.metrics) == (2, test.metrics)
    assert found.predictions == test.predictions


def test_without_validation_rows_there_is_a_reason():
    none = np.zeros((0, 2, 1)), np.zeros((0, 3))
    windows = Windows(PLAIN.sources(none[0]), PLAIN.targets(*none), *none)
    found = forecast_validation(Stub(None, None, PLAIN), windows)
    assert (found.result.examples, found.result.reason) == (0, "problem.validation is 0")
    assert found.predictions == ()


def test_persistence_repeats_the_last_value_of_the_first_column():
    history = np.array([[[1.0, 7.0], [2.0, 8.0]]])
    assert persistence(history, 3).tolist() == [[2, 2, 2]]


# --- reading ----------------------------------------------------------------------------------------------


def test_lines_are_rows_of_columns():
    found = list(read_histories(["1 2 3 4\n", " \n", "5\t-6e1  .5 0"], PAIR, "in.txt"))
    assert found[1] is None
    assert found[0].tolist() == [[1, 2], [3, 4]]
    assert found[2].tolist() == [[5, -60], [0.5, 0]]
    assert found[0].dtype == np.float64


@pytest.mark.parametrize(
    ("series", "lines", "message"),
    [
        (PLAIN, ["1 2", "", "1 x"], "in.txt:3: 'x' is not a number that the model can read"),
        (PLAIN, ["1 nan"], "in.txt:1: 'nan' is not a number that the model can read"),
        (PLAIN, ["1 1e999"], "in.txt:1: '1e999' is not a number that the model can read"),
        (PLAIN, ["1 2", "1 -2e150"], "in.txt:2: -2e150 is too large; expected a magnitude of 1e+150 at most"),
        (
            PLAIN,
            ["1 2e16"],
            "in.txt:1: a number is too large for this model; expected numbers like the training data's",
        ),
        (PLAIN, ["1 2 3"], "in.txt:1: 3 numbers, but this model reads exactly 2"),
        (PAIR, ["1 2"], "in.txt:1: 2 numbers, but this model reads exactly 4 (2 rows of y, a)"),
        (LOGARITHMIC, ["1 2", "3 0"], "in.txt:2: y is 0, which has no logarithm; expected numbers above 0"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(series, lines, message):
    with pytest.raises(InputError) as caught:
        list(read_histories(lines, series, "in.txt"))
    assert str(caught.value) == message


def test_a_forecast_that_is_not_finite_is_an_error_and_no_line():
    with pytest.raises(
        InputError, match=r"^in\.txt:2: the forecast is not a finite number; expected numbers"
    ):
        list(Diverging(None, None, PLAIN).predict_lines(["", "1 2"], "in.txt"))


# --- a trained model --------------------------------------------------------------------------------------

ROWS = 160


@pytest.fixture(scope="module")
def sine(tmp_path_factory):
    """A job run in this process: a sine of mean 10 and its cosine beside it, changes forecast 3 ahead."""
    directory = tmp_path_factory.mktemp("sine")
    angles = np.arange(ROWS) * 0.5
    rows = zip(np.round(10 + 5 * np.sin(angles), 4), np.round(np.cos(angles), 4), strict=True)
    (directory / "sine.csv").write_text("y,beside\n" + "".join(f"{y},{c}\n" for y, c in rows))
    spec = JobSpec(
        name="sine",
        problem=TimeSeriesSpec(
            kind="time_series",
            file="sine.csv",
            column="y",
            covariates=["beside"],
            source_length=6,
            target_length=3,
            differencing=1,
            validation=20,
            test=40,
        ),
        model=ModelSpec(units=16, attention="luong_general", bidirectional=True, inputs="embedding"),
        training=TrainingSpec(
            examples="all", epochs=40, batch_size=16, optimizer=OptimizerSpec(learning_rate=0.01)
        ),
    )
    paths = JobPaths(directory / "job")
    paths.directory.mkdir()
    task = Task(job=spec, fingerprint="f" * 64, directory=directory, paths=paths, commit=None)
    return task, run_job(task)


@pytest.fixture(scope="module")
def evaluated(sine):
    """The lines of `predictions.jsonl`."""
    return [json.loads(line) for line in sine[0].paths.predictions.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def model(sine):
    return load_forecaster(sine[0].paths.directory)


def test_a_sine_is_learned(sine):
    metrics = sine[1].metrics
    assert metrics.keys() == {"rmse", "persistence_rmse", "mae", "persistence_mae"}
    assert metrics["rmse"] < 0.15
    assert metrics["mae"] <= metrics["rmse"]
    assert metrics["persistence_rmse"] > 3


def test_the_metrics_are_those_of_the_written_predictions(sine, evaluated):
    errors = [
        float(p) - float(t)
        for line in evaluated
        for p, t in zip(line["predicted"].split(), line["target"].split(), strict=True)
    ]
    assert len(errors) == 40 * 3 - 3
    assert sine[1].metrics["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), abs=1e-6)
    assert sine[1].metrics["mae"] == pytest.approx(np.mean(np.abs(errors)), abs=1e-6)
    assert {line["correct"] for line in evaluated} == {None}


def test_the_history_has_losses_and_no_accuracies(sine):
    rows = list(csv.DictReader(io.StringIO(sine[0].paths.history.read_text())))
    assert {row["token_accuracy"] + row["val_sequence_accuracy"] for row in rows} == {""}
    losses = [float(row["val_loss"]) for row in rows if row["val_loss"]]
    assert len(losses) == 40
    assert losses[-1] < 0.01 < losses[0]


def test_the_result_of_a_series_counts_rows_and_has_no_facts_of_tokens(sine):
    data = sine[1].data
    assert data.test_examples == 40
    assert data.problem["rows"] == {"train": 100, "validation": 20, "test": 40}
    assert not {"seen_in_training", "source_space", "vocabulary"} & data.to_record().keys()


def test_the_plan_counts_the_weights_right(sine):
    task, result = sine
    assert count_parameters(task.job.model, 2, 1, numbers=True) == result.parameters


def test_a_loaded_model_forecasts_what_the_evaluation_forecast(sine, model, evaluated):
    task, _ = sine
    windows = build_problem(task.job.problem, task.job.seed, task.directory).examples("test", 99)
    forecasts = model.forecast(windows.history)
    written = [" ".join(line["predicted"].split()) for line in evaluated]
    known = np.isfinite(windows.future)
    assert [model.series.write(row[k]) for row, k in zip(forecasts, known, strict=True)] == written


def test_a_forecast_does_not_depend_on_its_batch(sine, model, monkeypatch):
    task, _ = sine
    history = build_problem(task.job.problem, task.job.seed, task.directory).examples("test", 99).history
    together = model.forecast(history)
    alone = np.concatenate([model.forecast(history[i : i + 1]) for i in (0, 7)])
    assert np.array_equal(alone, together[[0, 7]])
    assert model.forecast(history[:0]).shape == (0, 3)
    monkeypatch.setattr(numbers, "ROWS", 16)
    np.testing.assert_allclose(replace(model).forecast(history), together, rtol=1e-6)


def test_lines_are_read_as_they_are_needed(model, evaluated, monkeypatch):
    monkeypatch.setattr(number_lines, "MAX_SOURCES", 2)
    read = []

    def endless():
        while True:
            read.append(1)
            yield "" if len(read) % 2 else evaluated[0]["source"]

    answers = replace(model).predict_lines(endless(), "in.txt")
    assert [next(answers) for _ in range(2)] == ["", evaluated[0]["predicted"]]
    assert len(read) == 2


def test_a_model_of_numbers_has_no_second_best(model):
    with pytest.raises(InputError, match="one forecast for a source"):
        list(model.predict_lines(["1"], "in.txt", 3))


def test_encode_writes_the_encoders_states(model, evaluated, tmp_path):
    lines = ["", evaluated[3]["source"], "", evaluated[0]["source"]]
    assert model.encode_lines(lines, "in.txt", tmp_path / "c.npz") == 2
    with np.load(tmp_path / "c.npz") as arrays:
        assert set(arrays.files) == {"ids", "h1", "c1"}
        assert arrays["ids"].tolist() == [1, 3]
        history = np.array(list(read_histories(lines[1::2], model.series, "")))
        h, c, _ = model.encoder(model.series.sources(history))
        for name, expected in (("h1", h), ("c1", c)):
            np.testing.assert_allclose(arrays[name], expected, atol=1e-6)
    assert model.encode_lines(["", ""], "in.txt", tmp_path / "none.npz") == 0


# --- loading ----------------------------------------------------------------------------------------------


def test_load_returns_the_kind_of_model_that_the_directory_holds(sine, trained_job, tmp_path):
    assert type(use.load(sine[0].paths.directory)).__name__ == "SavedForecaster"
    assert type(use.load(trained_job.paths.directory)).__name__ == "SavedTokenModel"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"target_kind": "pictures"}, "this version cannot load a model of 'pictures'"),
        ({"target_kind": "numbers"}, "not a trained model"),
        ({"target_kind": "numbers", "series": {"columns": []}}, "not a trained model"),
        ({"target_kind": "numbers", "series": PLAIN.to_json()}, "not a trained model"),
        ([], "not a trained model"),
    ],
)
def test_a_damaged_model_directory_is_refused(tmp_path, record, message):
    (tmp_path / "vocabulary.json").write_text(json.dumps(record))
    with pytest.raises(ModelDirectoryError, match=message):
        use.load(tmp_path)
