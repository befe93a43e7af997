"""One `JobSpec` -> one `JobResult`: the only file that names all the stages."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow as tf
import yaml

from job.evaluation import context_projection as projection
from job.evaluation.forecast_evaluation import evaluate_forecasts
from job.evaluation.token_evaluation import SAMPLES, evaluate, evaluate_at
from job.inference.model_pair import Contexts
from job.inference.numbers import Forecaster
from job.inference.tokens import TrainedModel
from job.models.kernels import choose_kernel
from job.models.seq2seq import Models
from job.problems import build_problem
from job.problems.base import Examples, Ids, Problem, TokenProblem, Windows
from job.problems.overlap import count_seen
from job.process import environment
from job.process.stopping import Stop
from job.results.job_files import list_files
from job.results.records import Evaluation, JobResult, Progress
from job.running.device import check_device
from job.running.model_cache import Compiled, Workbench
from job.running.result_checks import check_contexts, check_result, check_weights
from job.running.task import Task
from job.running.tensorboard_events import write_events
from job.spec import entry_points as plugins
from job.spec.other_sizes import resized
from job.spec.problem_sections import PluginSpec
from job.spec.schema import JobSpec
from job.storage import artifacts
from job.training.checkpoints import Checkpoints
from job.training.fit import Fitted, fit
from job.training.state import HistoryRow

LEAST_PARTS = 8
"""Of a job, whose speeds tell how much they vary; a test of 10,000 examples has nine that are full."""

MANY = 10**18
"""A source space of this size or more is recorded as this: JSON readers do not take every integer."""


class _Clock:
    """Seconds of each stage, by name; no stage begins once somebody asked to stop."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._stop.check()
        began = time.perf_counter()
        yield
        self.seconds[f"{name}_seconds"] = time.perf_counter() - began


def run_job(
    task: Task,
    watch: Callable[[Progress], None] = lambda _: None,
    stop: Stop | None = None,
    workbench: Workbench | None = None,
) -> JobResult:
    """Train and evaluate one job, from its last checkpoint if there is one; leaves all its files but
    `result.json`. What this process did before makes no difference to them.

    Args:
        task: what, and where.
        watch: called as training goes on.
        stop: whether to stop; training does so after a step, and leaves a checkpoint.
        workbench: what this process compiled before.

    Returns:
        the result with status `passed` and no gates; `job.gating.gates` judges it.

    Raises:
        JobError: training cannot go on, or the job's device is not there.
        ChangedDataError: a data file is not what it was when the batch was planned.
        DataError, DataErrors: data cannot be used.
        ResultError: a number that the job came to is not finite, or its leading metric is missing.
        OSError: a file cannot be written.
        Stopped: it was asked to stop.
    """
    job, stop = task.job, stop or Stop()
    clock = _Clock(stop)
    _reset_peak_rss()
    gpu = bool(tf.config.list_physical_devices("GPU"))
    check_device(job.device, gpu=gpu, cuda=tf.test.is_built_with_cuda())
    # Not TensorFlow's seed, which nothing here goes by: setting it has what is compiled set up again.
    random.seed(job.seed)
    np.random.seed(job.seed)  # for plugins
    with clock.stage("data"):
        problem = build_problem(job.problem, job.seed, task.directory, task.data)
        validation = problem.examples("validation", job.evaluation.validation_examples)
    with clock.stage("build"):
        kernel = choose_kernel(job.model, gpu=gpu)
        compiled = (workbench or Workbench()).prepare(problem, job, kernel)
        use = _use_of(problem, compiled, task)
    artifacts.write_text(task.paths.spec, yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False))
    with clock.stage("fit"), compiled.strategy.scope():
        checkpoints = Checkpoints(
            task.paths.checkpoint, task.fingerprint, 60 * job.training.checkpoint_minutes
        )
        aside: dict[str, Any] = {"checkpoints": checkpoints, "stop": stop, "meanwhile": use.prepare}
        fitted = fit(compiled.loop, problem, job.training, validation, watch, **aside)
    _write_history(task, fitted.history)
    with clock.stage("save"):
        weights = compiled.loop.model.get_weights()
        check_weights(weights)
        compiled.models.train.set_weights(weights)
        save_models(compiled.models, use.facts, task.paths.model)
    with clock.stage("evaluate"):
        evaluation = use.evaluate(fitted)
        _write_evaluation(task, evaluation)
    result = replace(
        _result(task, problem, fitted, evaluation),
        timings=_timings(clock, fitted, evaluation),
        speed_ranges=speed_ranges(fitted.history, evaluation.decode_speeds),
        parameters=compiled.models.train.count_params(),
        environment=_environment(task, kernel),
    )
    check_result(result)
    return result


def _result(task: Task, problem: Problem, fitted: Fitted, evaluation: Evaluation) -> JobResult:
    return JobResult(
        name=task.job.name,
        status="passed",
        fingerprint=task.fingerprint,
        seed=task.job.seed,
        spec=task.job.model_dump(mode="json"),
        metrics=evaluation.metrics,
        data=_data(problem, task.job, fitted, evaluation),
        peak_rss_bytes=_peak_rss_bytes(),
        history=history_columns(fitted.history),
        samples=evaluation.predictions[:SAMPLES],
        artifacts=list_files(task.paths.directory),
        analysis=evaluation.analysis,
        also=evaluation.also,
        attention=evaluation.attention,
        attempts=task.attempt,
        problem_fingerprint=task.problem_fingerprint,
    )


def _environment(task: Task, kernel: str) -> dict[str, Any]:
    described = {**environment.describe(_devices(), task.commit), "kernel": kernel}
    if isinstance(task.job.problem, PluginSpec):  # which version made the examples
        described["problem"] = plugins.owner(plugins.find(task.job.problem.name))
    return described


@dataclass(frozen=True)
class _Use:
    """What is done with a trained model, which differs with what its targets are.

    Args:
        facts: the content of `vocabulary.json`.
        prepare: compiles what `evaluate` will run; may be called before the weights are there.
        evaluate: tests the model.
    """

    facts: dict[str, Any]
    prepare: Callable[[], object]
    evaluate: Callable[[Fitted], Evaluation]


def _use_of(problem: Problem, compiled: Compiled, task: Task) -> _Use:
    job = task.job
    trained, test = compiled.trained, problem.examples("test", job.evaluation.examples)
    if isinstance(trained, Forecaster):
        windows = cast(Windows, test)
        return _Use(trained.to_json(), lambda: None, lambda _: evaluate_forecasts(trained, windows))
    of_tokens, examples = cast(TokenProblem, problem), cast(Examples, test)
    return _Use(
        trained.facts.to_json(),
        lambda: [compile(examples.source[:1]) for compile in (trained.decode, trained.states)],
        lambda fitted: _evaluate_tokens(compiled, trained, of_tokens, task, examples, fitted),
    )


def _evaluate_tokens(
    compiled: Compiled,
    trained: TrainedModel,
    problem: TokenProblem,
    task: Task,
    test: Examples,
    fitted: Fitted,
) -> Evaluation:
    job = task.job
    families = job.problem.families
    evaluation = evaluate(
        trained.decode,
        problem,
        test,
        _seen(problem, job, fitted, test),
        words="words" in families if "text" in families else None,
        attention=trained.attention if trained.attends else None,
    )
    also = []
    for sizes in job.evaluation.also:
        resized_problem = resized(job.problem, sizes)
        other = cast(TokenProblem, build_problem(resized_problem, job.seed, task.directory, task.data))
        longer = compiled.writing(other.max_target_length).decode
        also.append(evaluate_at(longer, other, sizes, job.evaluation.examples))
    contexts = _contexts(trained.states, problem, job, test, evaluation)
    return replace(evaluation, also=tuple(also), contexts=contexts)


def _contexts(
    states: Callable[[Ids], Contexts], problem: TokenProblem, job: JobSpec, test: Examples, done: Evaluation
) -> dict[str, Any]:
    shown = done.predictions[: projection.MOST]
    found = states(test.source[: projection.MOST])
    check_contexts(found)
    return projection.contexts(
        job.problem.kind,
        [prediction.id for prediction in shown],
        [problem.source_vocabulary.split(prediction.source) for prediction in shown],
        found,
    )


def _seen(problem: TokenProblem, job: JobSpec, fitted: Fitted, test: Examples) -> Any:
    examples = problem.examples_per_epoch(job.training.examples)
    return count_seen(problem, test.source, fitted.epochs, job.training.batch_size, examples)


def _write_evaluation(task: Task, evaluation: Evaluation) -> None:
    lines = "".join(prediction.to_line() + "\n" for prediction in evaluation.predictions)
    artifacts.write_text(task.paths.predictions, lines)
    if evaluation.contexts:
        artifacts.write_text(task.paths.contexts, json.dumps(evaluation.contexts, allow_nan=False) + "\n")


def _write_history(task: Task, history: tuple[HistoryRow, ...]) -> None:
    artifacts.write_text(task.paths.history, history_csv(history))
    if task.tensorboard:
        began_at = time.time() - history[-1].seconds
        write_events([asdict(row) for row in history], task.paths.tensorboard, began_at=began_at)


def history_csv(history: tuple[HistoryRow, ...]) -> str:
    """Return the text of `history.csv`; numbers are written so that reading them gives them back exactly."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(HistoryRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in asdict(row).items()} for row in history)
    return text.getvalue()


def history_columns(history: tuple[HistoryRow, ...]) -> dict[str, list[int | float | None]]:
    """Return a result's `history`: the steps, and the losses and accuracies that there are."""
    names = [f.name for f in fields(HistoryRow) if f.name == "step" or f.name.endswith(("loss", "accuracy"))]
    columns = {name: [_six_digits(getattr(row, name)) for row in history] for name in names}
    return {name: column for name, column in columns.items() if any(value is not None for value in column)}


def _six_digits(value: int | float | None) -> int | float | None:
    """Return a number as `history` has it; whole ones, the steps, as they are."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def save_models(models: Models, facts: dict[str, Any], directory: Path) -> None:
    """Write the three models, and `facts` as `vocabulary.json`; each file whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, model in vars(models).items():
        with artifacts.replacing(directory / f"{name}.keras") as temporary:
            model.save(temporary)
    text = json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False)
    artifacts.write_text(directory / "vocabulary.json", text + "\n")


def _data(problem: Problem, job: JobSpec, fitted: Fitted, evaluation: Evaluation) -> dict[str, Any]:
    """Return a result's `data`: what a problem says of itself cannot replace what was measured."""
    return {
        **problem.describe(),
        "train_examples": fitted.examples,
        "epochs": fitted.epochs,
        "steps": fitted.steps,
        "stopped_early": fitted.stopped_early,
        "best_epoch": fitted.best_epoch,
        "resumed_from_step": fitted.resumed_from_step,
        "test_examples": len(evaluation.predictions),
        **_overlap(evaluation),
        **({"signatures": evaluation.signatures} if evaluation.signatures else {}),
        **({"not_measured": evaluation.not_measured} if evaluation.not_measured else {}),
        **evaluation.tokens,
    }


def _overlap(evaluation: Evaluation) -> dict[str, Any]:
    """Return how much of the test also stood in training; nothing where sources are numbers."""
    seen, space = evaluation.seen_in_training, evaluation.source_space
    if seen is None:
        return {}
    return {"seen_in_training": seen, "source_space": None if space is None else min(space, MANY)}


def _timings(clock: _Clock, fitted: Fitted, evaluation: Evaluation) -> dict[str, float]:
    timings = {
        **clock.seconds,
        "fit_seconds": clock.seconds["fit_seconds"] + fitted.earlier_seconds,
        "train_compile_seconds": fitted.compile_seconds,
        "train_seconds": fitted.train_seconds,
        "decode_compile_seconds": evaluation.compile_seconds,
        "decode_seconds": evaluation.decode_seconds,
        "total_seconds": time.perf_counter() - clock.began + fitted.earlier_seconds,
    }
    if evaluation.decode_seconds:
        timings["decoded_sequences_per_second"] = len(evaluation.predictions) / evaluation.decode_seconds
    if fitted.train_seconds:
        timings["train_examples_per_second"] = fitted.timed_examples / fitted.train_seconds
    return {name: round(seconds, 4) for name, seconds in timings.items()}


def speed_ranges(
    history: Sequence[HistoryRow], decode_speeds: Sequence[float]
) -> dict[str, tuple[float, float]]:
    """Return the range in which the middle 80 % of the speeds of a job's parts lie; none of few parts.

    Of training those are the speeds between rows. The first row, which holds compilation, only begins the
    second. Rows that one call of the training loop gave have one time, and count as one.
    """
    last = {row.seconds: row.examples for row in history}
    speeds = {
        "train_examples_per_second": [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(last.items())],
        "decoded_sequences_per_second": decode_speeds,
    }
    return {name: _middle(parts) for name, parts in speeds.items() if len(parts) >= LEAST_PARTS}


def _middle(speeds: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(speeds, [0.1, 0.9]).round(2).tolist()
    return low, high


def _reset_peak_rss() -> None:
    """Forget the peak of the jobs that this process did before (Linux only, see proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_rss_bytes() -> int:
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _devices() -> list[str]:
    names = []
    for device in tf.config.list_logical_devices():
        physical = tf.config.list_physical_devices(device.device_type)
        details = tf.config.experimental.get_device_details(physical[0]) if physical else {}
        names.append(details.get("device_name", device.name))
    return names
