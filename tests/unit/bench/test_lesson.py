import numpy as np
import pytest

from benchmarks.programs.lesson import Lesson, after_end, in_chunks, steady_rate, trimmed
from benchmarks.workload import write_workload
from job.problems import build_problem
from job.spec.spec_loading import load_spec

SPEC = {
    "version": 1,
    "seed": 3,
    "jobs": [
        {
            "name": "small",
            "problem": {"kind": "reversed_prefix", "source_length": 4, "target_length": 2, "cardinality": 9},
            "training": {"examples": 300, "batch_size": 128},
            "evaluation": {"examples": 20},
        }
    ],
}


def test_lesson_has_the_very_examples_that_the_job_draws(tmp_path):
    lesson = write_workload(tmp_path / "w", SPEC)
    (job,) = load_spec(tmp_path / "w" / "jobs.yaml").jobs
    problem = build_problem(job.problem, job.seed, tmp_path)
    source, target = problem.batch(0, 2, 128, 300)
    assert np.array_equal(lesson.source[256:], source)
    assert np.array_equal(lesson.target[256:], target)
    assert np.array_equal(lesson.test_source, problem.examples("test", 20).source)
    assert (lesson.steps, lesson.source_size, lesson.columns, lesson.end) == (3, 9, 2, None)


def test_lesson_is_read_as_it_was_written(tmp_path):
    written, read = write_workload(tmp_path / "w", SPEC), Lesson.read(tmp_path / "w")
    for name, value in vars(written).items():
        assert np.array_equal(getattr(read, name), value), name


def test_workload_takes_jobs_of_one_epoch_alone(tmp_path):
    (job,) = SPEC["jobs"]
    twice = {**SPEC, "jobs": [{**job, "training": {"examples": 300, "epochs": 2}}]}
    with pytest.raises(ValueError, match="one epoch"):
        write_workload(tmp_path / "w", twice)


def test_rates_are_those_of_the_job(tmp_path):
    from job.training.optimizers import learning_rate

    lesson = write_workload(tmp_path / "w", SPEC)
    (job,) = load_spec(tmp_path / "w" / "jobs.yaml").jobs
    wanted = [float(learning_rate(job.training.optimizer, np.float32(step), 3)) for step in range(3)]
    assert [lesson.rate(step) for step in range(3)] == pytest.approx(wanted)


def test_steady_rate_leaves_out_the_first_tenth():
    assert steady_rate([(10, 100.0), (60, 101.0), (100, 101.5)]) == pytest.approx(60.0)


def test_training_that_is_never_steady_is_refused():
    with pytest.raises(ValueError, match="before it is steady"):
        steady_rate([(100, 1.0)])


def test_trimmed_leaves_a_column_of_padding_alone():
    assert trimmed(np.array([[1, 0, 0], [1, 2, 0]], np.int32)).shape == (2, 2)
    assert trimmed(np.zeros((2, 3), np.int32)).shape == (2, 1)


def test_after_end_keeps_the_end_itself():
    ids = np.array([[5, 2, 7, 2], [5, 6, 7, 8]], np.int32)
    assert after_end(ids, 2).tolist() == [[5, 2, 0, 0], [5, 6, 7, 8]]
    assert after_end(ids, None) is ids


def test_chunks_have_one_shape_and_lose_no_row(monkeypatch):
    monkeypatch.setattr("benchmarks.programs.lesson.ROWS", 4)
    shapes = []

    def decode(chunk):
        shapes.append(chunk.shape)
        return chunk * 2

    sources = np.arange(12, dtype=np.int32).reshape(6, 2)
    assert np.array_equal(in_chunks(decode, sources), sources * 2)
    assert shapes == [(4, 2), (4, 2)]
