"""Export a job's trained model for other runtimes."""

from __future__ import annotations

import shutil

from job.inference.export.export_model import export_model
from job.inference.tokens import TrainedModel
from job.process.stopping import Stop
from job.results.export_result import ExportResult
from job.running.evaluator import Evaluator
from job.running.inference_model import load_inference_model
from job.running.task import Task
from job.running.timings import StageClock
from job.running.token_evaluator import TokenEvaluator
from job.storage.moving import replace_directory, temporary_path


def export_trained(
    task: Task, evaluator: Evaluator, clock: StageClock, stop: Stop
) -> tuple[ExportResult, ...]:
    """Write a job's `export/`, with formats that are checked in their runtimes; remove it if there are none.

    Args:
        task: the job.
        evaluator: has its model and its test examples.
        clock: the time of the job's stages.
        stop: requests to stop.

    Raises:
        ExportError: an export cannot be made, or predicts something else than the model.
        LeaseLostError: another machine has taken the job over.
        OSError: a file cannot be written.
        Stopped: the job was asked to stop.
    """
    place = task.paths.export
    if not task.job.export:
        if place.exists():
            shutil.rmtree(place)
        return ()
    assert isinstance(evaluator, TokenEvaluator)  # the schema refuses `export` for numbers
    with clock.stage("export"):
        return _export(task, evaluator, stop)


def _export(task: Task, evaluator: TokenEvaluator, stop: Stop) -> tuple[ExportResult, ...]:
    place = task.paths.export
    # The model as it was saved: variables of a training on several devices cannot be exported.
    model = load_inference_model(task.paths.model, evaluator.problem, task.job).trained
    assert isinstance(model, TrainedModel)
    temporary = temporary_path(place)
    try:
        temporary.mkdir()
        exports = export_model(
            model,
            task.job.export,
            evaluator.test.source,
            temporary,
            score=evaluator.score_test,
            threads=task.threads,
            stop=stop,
        )
        task.check_lease()
        replace_directory(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return exports
