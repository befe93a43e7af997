"""This project's own training and decoding, in one process: what a worker computes with, without the rest.

Start it with the environment variables of a worker (`job.workers.worker_handle.VARIABLES`). The lesson
determines the sizes; the job of `jobs.yaml` next to it determines the problem, which draws the same examples
that the other programs read.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import keras
import tensorflow as tf

from benchmarks.programs import lesson as told
from benchmarks.programs.lesson import Figures, Lesson
from benchmarks.workload import read_job
from job.inference.model_facts import ModelFacts, Search
from job.inference.tokens import TrainedModel
from job.models.kernels import choose_kernel
from job.models.seq2seq import build_models, build_training_model
from job.problems import build_problem
from job.problems.base import Examples, TokenProblem
from job.process.tensorflow_loading import check_tensorflow
from job.results.job_result import Progress
from job.training.compiled_loop import compile_loop
from job.training.fit import fit


def program(lesson: Lesson, threads: int, decoding: bool) -> Figures:
    """Train, and decode if asked to."""
    check_tensorflow(threads)
    keras.utils.set_random_seed(lesson.seed)
    job = read_job(lesson.directory)
    problem: Any = build_problem(job.problem, job.seed, lesson.directory)
    sizes: dict[str, Any] = {
        "source_size": lesson.source_size,
        "target_size": lesson.target_size,
        "masked": lesson.masked,
    }
    gpu = bool(tf.config.list_physical_devices("GPU"))
    model = build_training_model(job.model, **sizes, kernel=choose_kernel(job.model, gpu=gpu))
    clock = told.Clock(lesson)

    def watch(progress: Progress) -> None:
        clock.mark(progress.step)

    nothing = Examples(lesson.test_source[:0], lesson.test_target[:0])  # to validate on, as the others
    fit(compile_loop(model, problem, job.training), problem, job.training, nothing, watch)
    figures: dict[str, Any] = {}
    if decoding:
        models = build_models(job.model, **sizes)
        models.train.set_weights(model.get_weights())
        pair = models.inference_encoder, models.inference_decoder
        searches = Search("greedy"), Search("beam", told.BEAM_WIDTH, length_penalty=0.0)
        decoders = [TrainedModel(*pair, _facts(problem, lesson, s)).decode for s in searches]
        figures = told.decoded(lesson, *decoders)
    return Figures(
        parameters=model.count_params(),
        examples=len(lesson.source),
        fit_seconds=clock.marks[-1][1],
        examples_per_second=told.steady_rate(clock.marks),
        device="gpu" if gpu else "cpu",
        versions={"tensorflow": tf.__version__},
        **figures,
    )


def _facts(problem: TokenProblem, lesson: Lesson, search: Search) -> ModelFacts:
    return ModelFacts(
        source=problem.source_vocabulary,
        target=problem.target_vocabulary,
        fixed_length=not lesson.masked,
        source_length=None if lesson.masked else lesson.source.shape[1],
        max_target_length=lesson.columns,
        search=search,
    )


if __name__ == "__main__":
    told.run(program)
    sys.stdout.flush()
    os._exit(0)  # as a worker leaves
