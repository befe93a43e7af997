import math

import pytest
from sample_jobs import job_result, job_spec

from job.batch.cost_estimate import JOB_SECONDS, estimate_costs, estimate_seconds
from job.batch.measured_costs import measured_costs, measured_evaluations
from job.batch.other_work import other_work
from job.batch.resume import read_recorded_result
from job.problems import build_problem
from job.results.data_facts import DataFacts
from job.spec.evaluation_section import EvaluationSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.training_section import TrainingSpec

MANY_CLASSES = CopySpec(kind="copy", source_length=6, cardinality=500)


def cost(directory, *, problem=None, **sections):
    job = job_spec("a", **sections)
    job = job.model_copy(update={"problem": problem or job.problem})
    return estimate_costs([job], {"a": build_problem(job.problem, job.seed, directory)})["a"]


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"model": ModelSpec(units=512)}, {"model": ModelSpec(units=128)}),
        ({"model": ModelSpec(layers=2)}, {}),
        ({"model": ModelSpec(recurrent_dropout=0.1)}, {}),
        (
            {"problem": MANY_CLASSES, "model": ModelSpec(units=32, attention="monotonic")},
            {"problem": MANY_CLASSES, "model": ModelSpec(units=32, attention="luong_general")},
        ),
        ({"training": TrainingSpec(epochs=3)}, {}),
        ({"training": TrainingSpec(examples=200_000)}, {}),
        ({"training": TrainingSpec(batch_size=16)}, {}),
        ({"evaluation": EvaluationSpec(decoder="beam", beam_width=8)}, {}),
        ({"evaluation": EvaluationSpec(examples=100_000)}, {}),
    ],
)
def test_more_work_costs_more(tmp_path, more, less):
    assert cost(tmp_path, **more) > 1.02 * cost(tmp_path, **less)


def test_an_estimate_is_the_sum_of_its_parts(tmp_path):
    """By hand: one LSTM layer of 4 units in encoder and decoder, 3 positions each, 6 classes and the end."""
    job = job_spec(
        "a",
        model=ModelSpec(units=4),
        training=TrainingSpec(examples=1000, epochs=2, batch_size=10),
        evaluation=EvaluationSpec(examples=50, validation_examples=20),
    )
    problem = build_problem(job.problem, job.seed, tmp_path)
    classes = len(problem.target_vocabulary)
    recurrent = 4 * 4 * (4 + 1)  # gates, units, and inputs without the one-hot ones
    forward = 2 * (recurrent * 3 + recurrent * 3 + 4 * classes * 3)
    operations = forward * (3 * 2 * 1000 + 2 * 20 + 50 + 20)
    expected = JOB_SECONDS + operations / 8e10 + 200 * 6 * 1e-4
    # the model has weights in its output layer's bias too, which multiply nothing
    assert math.isclose(estimate_seconds(job, problem, (3.0, 3.0)), expected, abs_tol=0.001)


def test_the_estimate_is_the_same_whatever_was_asked_of_the_problem_before(tmp_path):
    job = job_spec("a", training=TrainingSpec(examples=640, epochs=2, batch_size=16))
    problem = build_problem(job.problem, job.seed, tmp_path)
    first = estimate_costs([job], {"a": problem})
    problem.batch(1, 3, 8, 640)
    assert estimate_costs([job], {"a": problem}) == first


def test_a_problem_that_raises_is_estimated_all_the_same(tmp_path):
    class Raising:
        target_kind, max_target_length = "tokens", 5
        target_vocabulary = source_vocabulary = range(7)

        def examples_per_epoch(self, asked):
            return 100

        def batch(self, *arguments):
            raise ValueError("not now")

    assert estimate_costs([job_spec("a")], {"a": Raising()})["a"] > JOB_SECONDS


# --- measured -----------------------------------------------------------------------------------------------


def leave(output, job, seconds, **changes):
    paths = output.job(job.name)
    paths.directory.mkdir(parents=True)
    spec = {**job.model_dump(mode="json"), **changes}
    result = job_result(job.name, spec=spec, timings={"total_seconds": seconds})
    paths.result.write_text(result.to_json())


def test_measured_seconds_take_the_place_of_estimates_and_scale_the_others(output):
    jobs = [job_spec(name) for name in ("a", "b", "c")]
    leave(output, jobs[0], 30.0)
    assert measured_costs(jobs, {"a": 10.0, "b": 20.0, "c": 1.0}, output) == {"a": 30.0, "b": 60.0, "c": 3.0}


@pytest.mark.parametrize(
    ("changes", "counts"),
    [({"gate": {"min_sequence_accuracy": 0.9}}, True), ({"seed": 8}, True), ({"training": {}}, False)],
)
def test_a_measurement_counts_if_what_decides_the_time_is_unchanged(output, changes, counts):
    jobs = [job_spec("a")]
    leave(output, jobs[0], 30.0, **changes)
    assert measured_costs(jobs, {"a": 10.0}, output) == {"a": 30.0 if counts else 10.0}


def test_a_damaged_or_failed_result_measures_nothing(output):
    jobs = [job_spec("a"), job_spec("b")]
    for name, text in (("a", "{"), ("b", job_result("b", "failed").to_json())):
        output.job(name).directory.mkdir()
        output.job(name).result.write_text(text)
    assert measured_costs(jobs, {"a": 1.0, "b": 2.0}, output) == {"a": 1.0, "b": 2.0}


def test_an_earlier_evaluation_is_measured_in_training_steps(output):
    jobs = [job_spec(name) for name in ("a", "b", "c", "d")]
    timings = {"total_seconds": 9.0, "train_seconds": 5.0, "evaluate_seconds": 4.0}
    for job, facts in (("a", DataFacts(steps=50)), ("b", DataFacts(steps=50, resumed_from_step=20))):
        spec = job_spec(job).model_dump(mode="json")
        output.job(job).directory.mkdir()
        result = job_result(job, spec=spec, timings=timings, data=facts)
        output.job(job).result.write_text(result.to_json())
    leave(output, jobs[2], 30.0)
    # 40 steps of a tenth of a second
    earlier = [(job, read_recorded_result(output.job(job.name))[0]) for job in jobs]
    assert measured_evaluations(earlier) == {"a": pytest.approx(40 / other_work(jobs[0]).evaluation)}
