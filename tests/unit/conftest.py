"""TensorFlow computes as it does in a worker; a trained job that several packages test."""

import os
from dataclasses import dataclass

import pytest
from worker_fixtures import make_task, output, stand_in  # noqa: F401 - fixtures

from job.gating.gates import judge_trained
from job.process.tensorflow_loading import VARIABLES
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.spec.evaluation_section import EvaluationSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import AdditionSpec
from job.spec.schema import JobSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.storage.artifacts import JobPaths

os.environ.update(VARIABLES)


@dataclass(frozen=True)
class RunJob:
    """A job that was run in this process; it gets some of its 300 test examples right and others wrong."""

    task: Task
    result: TrainedJob

    @property
    def paths(self):
        return self.task.paths

    @property
    def judged(self):
        return judge_trained(self.result, self.task.job.gate)


@pytest.fixture(scope="session")
def trained_job(tmp_path_factory):
    """Varying lengths, two directions, attention, an embedding: all that a saved model can have."""
    from job.running.run_job import run_job

    job = JobSpec(
        name="sums",
        problem=AdditionSpec(kind="addition", digits=1),
        model=ModelSpec(
            units=16, bidirectional=True, attention="luong_general", inputs="embedding", embedding_size=8
        ),
        training=TrainingSpec(
            examples=6400, batch_size=64, optimizer=OptimizerSpec(learning_rate=0.02, warmup_fraction=0.1)
        ),
        evaluation=EvaluationSpec(examples=300, validation_examples=50),
    )
    paths = JobPaths(tmp_path_factory.mktemp("trained") / "sums")
    paths.directory.mkdir()
    task = Task(job=job, fingerprint="f" * 64, directory=paths.directory, paths=paths, commit=None)
    return RunJob(task, run_job(task))


@pytest.fixture
def eagerly():
    """Without compiling: what is computed is the same, and for a few steps compiling does not pay."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
