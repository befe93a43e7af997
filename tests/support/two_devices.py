"""Trains jobs on one device and on two, and some that are stopped and go on: `two_devices.py DIR`.

A process of its own: TensorFlow must hear of two logical CPU devices before it starts. The package of
examples/custom_model is installed there.
"""

import sys
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from job.gating.gates import judge_trained
from job.process.stopping import Request, Stop, Stopped
from job.running.run_job import run_job
from job.running.task import Task
from job.spec.evaluation_section import EvaluationSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import AdditionSpec, CopySpec
from job.spec.schema import JobSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.storage.artifacts import JobPaths

# The last batch has one row: less than there are devices.
TRAINING = TrainingSpec(
    examples=20 * 32 + 1, batch_size=32, epochs=2, optimizer=OptimizerSpec(learning_rate=0.02)
)
TOKENS = TrainingSpec(
    examples=20 * 32 + 1, tokens_per_batch=160, epochs=1, optimizer=OptimizerSpec(learning_rate=0.02)
)
EVALUATION = EvaluationSpec(examples=50, validation_examples=20)


def plugin(**options):
    return ModelSpec(architecture="plugin", name="gated_convolutions", options=options)


JOBS = {
    "fixed": (CopySpec(kind="copy", source_length=3, cardinality=8), ModelSpec(units=12)),
    "masked": (
        AdditionSpec(kind="addition", digits=1),
        ModelSpec(
            units=12,
            bidirectional=True,
            attention="luong_general",
            inputs="embedding",
            embedding_size=8,
            pointer=True,
        ),
    ),
    "tokens": (
        TextPairsSpec(kind="text_pairs", data=PairFiles(file="pairs.tsv")),
        ModelSpec(units=12, inputs="embedding", embedding_size=8),
    ),
    "monotonic": (
        AdditionSpec(kind="addition", digits=1),
        ModelSpec(units=12, attention="monotonic", inputs="embedding", embedding_size=8),
    ),
    "plugin": (AdditionSpec(kind="addition", digits=1), plugin(units=8, layers=1)),
    "plugin-dropped": (
        AdditionSpec(kind="addition", digits=1),
        plugin(units=8, layers=1, dropout=0.2),
    ),
    "dropped": (
        CopySpec(kind="copy", source_length=2, cardinality=8),
        ModelSpec(cell="gru", units=8, dropout=0.2, recurrent_dropout=0.2),
    ),
}


class AfterAWhile(Stop):
    """Asked to stop after the first calls of the compiled loop."""

    looks = 0

    @property
    def request(self):
        self.looks += 1
        return Request("SIGTERM", 143) if self.looks > 5 else None


def task(root, name, distribution, folder):
    problem, model = JOBS[name]
    training = (TOKENS if name == "tokens" else TRAINING).model_copy(update={"distribution": distribution})
    job = JobSpec(name=name, problem=problem, model=model, training=training, evaluation=EVALUATION)
    paths = JobPaths(root / folder)
    paths.directory.mkdir(exist_ok=True)
    return Task(job=job, fingerprint="f" * 64, directory=root, paths=paths, commit=None)


def leave(task, **options):
    result = judge_trained(run_job(task, **options), task.job.gate)
    task.paths.result.write_text(result.to_json())
    return result


def main(root):
    cpu = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    lines = [f"{i}\t{chr(97 + i % 26) * (1 + i % 7)}\n" for i in range(1000)]
    (root / "pairs.tsv").write_text("".join(lines))
    for name in ("fixed", "masked", "tokens", "monotonic", "plugin"):
        for distribution in ("none", "mirrored"):
            leave(task(root, name, distribution, f"{name}-{distribution}"))
    for name in ("dropped", "plugin-dropped"):
        leave(task(root, name, "mirrored", f"{name}-mirrored"))
        stopped = task(root, name, "mirrored", f"{name}-stopped")
        try:
            run_job(stopped, stop=AfterAWhile())
        except Stopped:
            leave(replace(stopped, attempt=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
