"""Evaluate the saved model of a finished job again, after its `evaluation` section has changed."""

from __future__ import annotations

from job.evaluation.attention_samples import MAX_SAMPLES
from job.evaluation.outcome import Evaluation
from job.problems import build_problem
from job.process.stopping import Stop
from job.results.job_result import JobResult
from job.results.trained_job import TrainedJob
from job.running.evaluators import evaluator_for
from job.running.inference_model import load_inference_model
from job.running.machine import (
    environment_record,
    peak_rss_bytes,
    require_device,
    reset_peak_rss,
    seed_generators,
)
from job.running.outputs import write_evaluation, write_model_record, write_spec
from job.running.record import with_evaluation
from job.running.result_checks import check_trained
from job.running.task import Task
from job.running.timings import StageClock, speed_ranges_evaluated_again, timings_evaluated_again


def evaluate_again(task: Task, recorded: JobResult, stop: Stop) -> TrainedJob:
    """Evaluate a saved model as if its job had just been trained; everything that training left is kept.

    Writes the files of an evaluation to the job directory, which already has those of training.

    Args:
        task: the job and its directory.
        recorded: the finished result of the training.
        stop: requests to stop.

    Raises:
        ModelDirectoryError: the model cannot be loaded.
        Exception: see `run_job`.
    """
    job = task.job
    clock = StageClock(stop)
    reset_peak_rss()
    require_device(job.device)
    seed_generators(job.seed)
    with clock.stage("data"):
        problem = build_problem(job.problem, job.seed, task.directory, task.data)
    with clock.stage("build"):
        evaluator = evaluator_for(task, problem, load_inference_model(task.paths.model, problem, job))
    write_spec(task)
    write_model_record(evaluator.model_record, task.paths.model)
    with clock.stage("evaluate"):
        evaluation = evaluator.evaluate(recorded.data.epochs or 0)
        write_evaluation(task, evaluation)
    trained = _evaluated_again(task, recorded, evaluation, clock)
    check_trained(trained)
    return trained


def _evaluated_again(
    task: Task, recorded: JobResult, evaluation: Evaluation, clock: StageClock
) -> TrainedJob:
    """Return the record of the training with another evaluation."""
    kernel = str(recorded.environment.get("kernel", ""))
    return TrainedJob(
        name=task.job.name,
        fingerprint=task.fingerprint,
        training_fingerprint=task.training_fingerprint,
        problem_fingerprint=task.problem_fingerprint,
        seed=task.job.seed,
        spec=task.job.model_dump(mode="json"),
        metrics=evaluation.metrics,
        data=with_evaluation(recorded.data, evaluation),
        timings=timings_evaluated_again(recorded.timings, clock, evaluation),
        speed_ranges=speed_ranges_evaluated_again(recorded.speed_ranges, evaluation),
        peak_rss_bytes=max(recorded.peak_rss_bytes, peak_rss_bytes()),
        parameters=recorded.parameters,
        history=recorded.history,
        samples=evaluation.predictions[:MAX_SAMPLES],
        analysis=evaluation.analysis,
        also=evaluation.also,
        attention=evaluation.attention,
        environment={**recorded.environment, "evaluation": environment_record(task, kernel)},
        attempts=task.attempt,
        validation=evaluation.validation.result,
    )
