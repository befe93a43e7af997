"""Evaluate the saved model of a finished job again, after its `evaluation` section has changed."""

from __future__ import annotations

from collections.abc import Callable

from job.process.stopping import Stop
from job.results.job_result import Decoding, JobResult
from job.results.trained_job import TrainedJob
from job.running.evaluator import Evaluator, evaluator_of_saved
from job.running.exporting import export_trained
from job.running.inference_model import load_inference_model
from job.running.job_problem import build_job_problem
from job.running.machine import require_device, reset_peak_rss, seed_generators
from job.running.outputs import write_evaluation, write_model_record, write_spec
from job.running.record import recorded_training, trained_job
from job.running.result_checks import check_trained
from job.running.start_model import own_tokens_of
from job.running.task import Task
from job.running.timings import StageClock


def evaluate_again(
    task: Task, recorded: JobResult, stop: Stop, on_progress: Callable[[Decoding], None] = lambda _: None
) -> TrainedJob:
    """Evaluate a saved model as if its job had just been trained; everything that training left is kept.

    Writes the files of an evaluation to the job directory, which already has those of training.

    Args:
        task: the job and its directory.
        recorded: the finished result of the training.
        stop: requests to stop.
        on_progress: called with the progress of decoding.

    Raises:
        ModelDirectoryError: the model cannot be loaded.
        Exception: see `run_job`.
    """
    clock = StageClock(stop)
    evaluator = _evaluator_of_saved(task, clock, stop)
    write_spec(task)
    write_model_record(evaluator.model_record, task.paths.model)
    with clock.stage("evaluate"):
        evaluation = evaluator.evaluate(recorded.data.epochs or 0, lambda share: on_progress(Decoding(share)))
        write_evaluation(task, evaluation)
    exports = export_trained(task, evaluator, clock, stop)
    training = recorded_training(task, recorded, evaluation, clock)
    trained = trained_job(task, training, evaluation, exports)
    check_trained(trained)
    return trained


def evaluate_part(task: Task, stop: Stop) -> None:
    """Compute this process's share of `evaluate_again`, which the chief of its cluster calls; write nothing.

    Args:
        task: the job; its paths have the model that the chief evaluates.
        stop: requests to stop: all processes then do.

    Raises:
        ModelDirectoryError: the model cannot be loaded.
        Exception: see `run_part`.
    """
    _evaluator_of_saved(task, StageClock(stop), stop).take_part()


def _evaluator_of_saved(task: Task, clock: StageClock, stop: Stop) -> Evaluator:
    """Return the evaluator of a saved model, by all processes of the cluster if there is one."""
    job = task.job
    reset_peak_rss()
    require_device(job.device)
    seed_generators(job.seed)
    with clock.stage("data"):
        problem = build_job_problem(task, own_tokens_of(task))
    with clock.stage("build"):
        inference = load_inference_model(task.paths.model, problem, job)
        return evaluator_of_saved(task, problem, inference, stop)
