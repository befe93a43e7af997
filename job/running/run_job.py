"""Run one job: build its data and model, train, save, evaluate, export."""

from __future__ import annotations

from collections.abc import Callable

from job.process.stopping import Stop
from job.results.job_result import Decoding, Progress
from job.results.trained_job import TrainedJob
from job.running.evaluate_again import evaluate_again
from job.running.evaluator import evaluator_of
from job.running.exporting import export_trained
from job.running.history_files import write_history
from job.running.model_cache import ModelCache
from job.running.outputs import save_trained_model, write_evaluation, write_spec
from job.running.prepared_model import prepare_model
from job.running.record import record_training, trained_job
from job.running.result_checks import check_trained
from job.running.task import Task
from job.running.timings import StageClock
from job.running.training_stage import train


def run_job(
    task: Task,
    on_progress: Callable[[Progress | Decoding], None] = lambda _: None,
    stop: Stop | None = None,
    cache: ModelCache | None = None,
) -> TrainedJob:
    """Train and evaluate one job, from its last checkpoint if there is one, or evaluate its model again.

    Writes all files of the job directory except `result.json` and the drawings. Jobs that ran in this process
    before do not affect them.

    Args:
        task: the job and its directory.
        on_progress: called with the progress of training, then with that of the evaluation.
        stop: requests to stop; training stops after a step and leaves a checkpoint.
        cache: models that this process has compiled.

    Returns:
        the job without a verdict.

    Raises:
        JobError: training cannot continue, or the job's device is not available.
        ChangedDataError: a data file has changed since the batch was planned.
        DataError, DataErrors: data cannot be used.
        ExportError: an export cannot be made, or predicts something else than the model.
        ResultError: a number in the result is not finite, or its leading metric is missing.
        LeaseLostError: another machine has taken the job over; nothing more is written.
        OSError: a file cannot be written.
        Stopped: the job was asked to stop.
    """
    stop = stop or Stop()
    if task.trained is not None:
        return evaluate_again(task, task.trained, stop, on_progress)
    clock = StageClock(stop)
    prepared = prepare_model(task, cache or ModelCache(), clock)
    problem, compiled = prepared.problem, prepared.compiled
    with clock.stage("build"):
        evaluator = evaluator_of(task, prepared, stop)
    write_spec(task)
    with clock.stage("fit"):
        fitted = train(
            task,
            problem,
            evaluator.validation,
            compiled,
            on_progress=on_progress,
            stop=stop,
            in_background=evaluator.compile,
        )
    task.check_lease()
    write_history(task, fitted.history)
    with clock.stage("save"):
        save_trained_model(task, compiled, evaluator.model_record)
    with clock.stage("evaluate"):
        evaluation = evaluator.evaluate(fitted.epochs, lambda share: on_progress(Decoding(share)))
        task.check_lease()
        write_evaluation(task, evaluation)
    exports = export_trained(task, evaluator, clock, stop)
    training = record_training(task, prepared, fitted, evaluation, clock=clock)
    trained = trained_job(task, training, evaluation, exports)
    check_trained(trained)
    return trained
