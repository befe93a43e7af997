"""Run one job: build its data and model, train, save, evaluate."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import yaml

from job.evaluation.outcome import Evaluation
from job.models.kernels import choose_kernel
from job.models.seq2seq import Models
from job.problems import build_problem
from job.process.stopping import Stop
from job.results.records import Progress
from job.results.trained_job import TrainedJob
from job.running.evaluators import evaluator_for
from job.running.history_files import write_history
from job.running.machine import check_device, has_gpu, reset_peak_rss
from job.running.model_cache import CompiledModel, ModelCache
from job.running.record import trained_job
from job.running.result_checks import check_trained, check_weights
from job.running.task import Task
from job.running.timings import StageClock
from job.storage import artifacts
from job.training.checkpoints import Checkpoints
from job.training.fit import fit


def run_job(
    task: Task,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stop: Stop | None = None,
    cache: ModelCache | None = None,
) -> TrainedJob:
    """Train and evaluate one job, from its last checkpoint if there is one.

    Writes all files of the job directory except `result.json` and the drawings. Jobs that ran in this process
    before do not affect them.

    Args:
        task: the job and its directory.
        on_progress: called with the progress of training.
        stop: requests to stop; training stops after a step and leaves a checkpoint.
        cache: models that this process has compiled.

    Returns:
        the job without a verdict.

    Raises:
        JobError: training cannot continue, or the job's device is not available.
        ChangedDataError: a data file has changed since the batch was planned.
        DataError, DataErrors: data cannot be used.
        ResultError: a number in the result is not finite, or its leading metric is missing.
        OSError: a file cannot be written.
        Stopped: the job was asked to stop.
    """
    job, stop = task.job, stop or Stop()
    clock = StageClock(stop)
    reset_peak_rss()
    gpu = has_gpu()
    check_device(job.device, gpu=gpu, cuda=tf.test.is_built_with_cuda())
    # TensorFlow's own seed is not used: setting it would trace the cached functions again.
    random.seed(job.seed)
    np.random.seed(job.seed)  # for plugins
    with clock.stage("data"):
        problem = build_problem(job.problem, job.seed, task.directory, task.data)
        validation = problem.examples("validation", job.evaluation.validation_examples)
    with clock.stage("build"):
        kernel = choose_kernel(job.model, gpu=gpu)
        compiled = (cache or ModelCache()).prepare(problem, job, kernel)
        evaluator = evaluator_for(task, problem, compiled)
    artifacts.write_text(task.paths.spec, yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False))
    with clock.stage("fit"), compiled.strategy.scope():
        fitted = fit(
            compiled.loop,
            problem,
            job.training,
            validation,
            on_progress,
            checkpoints=_checkpoints(task),
            stop=stop,
            in_background=evaluator.compile,
        )
    write_history(task, fitted.history)
    with clock.stage("save"):
        _save(compiled, evaluator.model_record, task)
    with clock.stage("evaluate"):
        evaluation = evaluator.evaluate(fitted.epochs)
        _write_evaluation(task, evaluation)
    parameters = compiled.models.train.count_params()
    trained = trained_job(
        task, problem, fitted, evaluation, clock=clock, kernel=kernel, parameters=parameters
    )
    check_trained(trained)
    return trained


def _checkpoints(task: Task) -> Checkpoints:
    return Checkpoints(task.paths.checkpoint, task.fingerprint, 60 * task.job.training.checkpoint_minutes)


def _save(compiled: CompiledModel, record: dict[str, Any], task: Task) -> None:
    """Write the trained model to the model directory.

    Raises:
        ResultError: a weight is not finite.
    """
    weights = compiled.loop.model.get_weights()
    check_weights(weights)
    compiled.models.train.set_weights(weights)
    save_models(compiled.models, record, task.paths.model)


def save_models(models: Models, record: dict[str, Any], directory: Path) -> None:
    """Write the three models and `vocabulary.json` to a model directory, each file atomically.

    Args:
        models: the models.
        record: content of `vocabulary.json`, JSON values.
        directory: the model directory; made if it does not exist.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, model in vars(models).items():
        with artifacts.replacing(directory / f"{name}.keras") as temporary:
            model.save(temporary)
    text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    artifacts.write_text(directory / "vocabulary.json", text + "\n")


def _write_evaluation(task: Task, evaluation: Evaluation) -> None:
    """Write `predictions.jsonl` and, if there are any, `contexts.json`."""
    lines = "".join(prediction.to_line() + "\n" for prediction in evaluation.predictions)
    artifacts.write_text(task.paths.predictions, lines)
    if evaluation.contexts:
        artifacts.write_text(task.paths.contexts, json.dumps(evaluation.contexts, allow_nan=False) + "\n")
