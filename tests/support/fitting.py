"""Fit small models."""

from dataclasses import asdict

import keras

from job.models.kernels import choose_kernel
from job.models.seq2seq import build_training_model
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.training.batch_groups import CallLimits
from job.training.compiled_loop import compile_loop
from job.training.fit import fit

PLAIN = OptimizerSpec(learning_rate=0.01, schedule="constant", warmup_fraction=0.0)
COPY = CopySpec(kind="copy", source_length=2, cardinality=6)


def trained(
    problem,
    spec,
    *,
    model=ModelSpec(units=8),
    prepare=lambda _: None,
    validation_examples=20,
    seed=3,
    on_progress=lambda _: None,
    limits=CallLimits(),
    measure=None,
):
    """Fit a fresh model; return it and what `fit` returned."""
    keras.utils.set_random_seed(seed)
    sizes = len(problem.source_vocabulary), len(problem.target_vocabulary)
    built = build_training_model(
        model, *sizes, masked=not problem.fixed_length, kernel=choose_kernel(model, gpu=False)
    )
    prepare(built)
    loop = compile_loop(built, problem, spec)
    validation = problem.examples("validation", validation_examples)
    return built, fit(loop, problem, spec, validation, on_progress, limits=limits, measure=measure)


def without_seconds(history):
    return [{k: v for k, v in asdict(row).items() if k != "seconds"} for row in history]


USUAL = TrainingSpec(examples=96, batch_size=16, optimizer=OptimizerSpec(learning_rate=0.01))
