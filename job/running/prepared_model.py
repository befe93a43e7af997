"""Build what the training of a job needs: its data and its model, with the weights that it starts from."""

from __future__ import annotations

from dataclasses import dataclass

from job.models.kernels import choose_kernel
from job.models.recurrent import Kernel
from job.problems.base import Problem
from job.running.job_problem import build_job_problem
from job.running.machine import require_device, reset_peak_rss, seed_generators
from job.running.model_cache import CompiledModel, ModelCache
from job.running.output_bias import start_with_frequencies
from job.running.start_model import find_start
from job.running.start_weights import take_start_weights
from job.running.task import Task
from job.running.timings import StageClock
from job.spec.entry_points import MODELS
from job.spec.factories import check_package
from job.training.replicas import waiting_for_others
from job.training.waiting import FIRST_WAIT_SECONDS


@dataclass(frozen=True, kw_only=True)
class PreparedModel:
    """The data and the model of a job, before its training.

    Args:
        problem: the source of its examples.
        compiled: its model.
        kernel: the recurrent kernel of training.
    """

    problem: Problem
    compiled: CompiledModel
    kernel: Kernel


def prepare_model(task: Task, cache: ModelCache, clock: StageClock) -> PreparedModel:
    """Build the data and the model of a job; random numbers begin anew.

    Args:
        task: the job.
        cache: models that this process has compiled.
        clock: the time of the job's stages.

    Raises:
        DeviceError: the job's device is not available.
        ChangedDataError: a data file, or the package of the model, has changed since the batch was planned.
        DataError, DataErrors: data cannot be used, or the model of another package has a bug.
        TrainingError: the model that training starts from cannot be used.
        Stopped: the job was asked to stop.
    """
    job = task.job
    reset_peak_rss()
    gpu = require_device(job.device)
    seed_generators(job.seed)
    with clock.stage("data"):
        start = find_start(task)
        problem = build_job_problem(task, start.tokens if start is not None else None)
    with clock.stage("build"):
        if job.model.name is not None and task.data is not None:
            check_package(MODELS, job.model.name, task.data.model)
        kernel = choose_kernel(job.model, gpu=gpu)
        with waiting_for_others(FIRST_WAIT_SECONDS):  # the chief's initial weights are sent to all
            compiled = cache.prepare(problem, job, kernel)
        start_with_frequencies(job, problem, compiled)
        take_start_weights(job, start, problem, compiled)
    return PreparedModel(problem=problem, compiled=compiled, kernel=kernel)
