"""Decode the test examples of a job with the models of all its seeds together, and score them."""

from __future__ import annotations

import math
import time

from job.errors import ResultError
from job.evaluation.forecast_evaluation import (
    forecast_predictions,
    forecast_spread,
    score_forecasts,
)
from job.evaluation.recorded_examples import RecordedProblem, recorded_examples, recorded_windows
from job.evaluation.timed_decoding import ALONE, decode_timed
from job.evaluation.token_evaluation import score_tokens
from job.inference.ensembles import combine
from job.inference.loading import load_single
from job.inference.numbers import SeriesForecaster
from job.inference.token_decoder import TokenDecoder
from job.results.predictions import Prediction
from job.running.ensemble_task import DecodedEnsemble, Decoding, EnsembleTask
from job.running.machine import require_device
from job.running.shared_parts import SharedParts

SEEN_UNKNOWN = "for an ensemble it is not determined which sources its members were trained on"
"""Why an ensemble has no `unseen_sequence_accuracy`."""


def decode_ensemble(task: EnsembleTask) -> DecodedEnsemble:
    """Load the members of an ensemble, decode and score the test examples.

    If several processes share the decoding, each returns the same.

    Raises:
        ModelDirectoryError: a model cannot be loaded, or the members cannot decode together.
        ResultError: a metric is not finite.
        DeviceError: the job's device is not available.
        OSError, ValueError: the predictions with the test examples cannot be read.
    """
    require_device(task.job.device)
    recorded = [Prediction.from_line(line) for line in task.test.read_bytes().splitlines()]
    members = {name: load_single(directory) for name, directory in task.members.items()}
    ensemble = combine(members)
    words = task.job.problem.target_words
    return DecodedEnsemble(
        together=_decode(ensemble, recorded, words, _shared(task, "together")),
        alone={
            name: _decode(members[name], recorded, words, _shared(task, f"alone-{name}"))
            for name in task.decoded_alone
        },
    )


def _shared(task: EnsembleTask, name: str) -> SharedParts | None:
    return None if task.parts is None else SharedParts(task.parts / name)


def _decode(
    model: object, recorded: list[Prediction], words: bool | None, shared: SharedParts | None
) -> Decoding:
    if isinstance(model, TokenDecoder):
        found = _decode_tokens(model, recorded, words, shared)
    else:
        assert isinstance(model, SeriesForecaster)
        found = _decode_numbers(model, recorded, shared)
    for metric, value in found.metrics.items():
        if not math.isfinite(value):
            raise ResultError(f"{metric} of the ensemble is not a finite number")
    return found


def _decode_tokens(
    model: TokenDecoder, recorded: list[Prediction], words: bool | None, shared: SharedParts | None
) -> Decoding:
    problem = RecordedProblem(model.facts.source, model.facts.target)
    examples = recorded_examples(problem, recorded)
    decoded = decode_timed(model.decode, examples.source, shared or ALONE)
    scores = score_tokens(problem, examples, decoded.ids, words=words)
    return Decoding(
        predictions=scores.predictions,
        metrics=scores.metrics,
        signatures=scores.signatures,
        not_measured={**scores.not_measured, "unseen_sequence_accuracy": SEEN_UNKNOWN},
        seconds=decoded.seconds if shared is None else shared.seconds,
    )


def _decode_numbers(
    model: SeriesForecaster, recorded: list[Prediction], shared: SharedParts | None
) -> Decoding:
    windows = recorded_windows(model.series, recorded)
    model.forecast(windows.history[:1])  # compiles it
    began = time.perf_counter()
    predicted = forecast_spread(model, windows.history, shared or ALONE)
    seconds = time.perf_counter() - began if shared is None else shared.seconds
    predictions = forecast_predictions(model.series, windows, predicted)
    metrics = score_forecasts(windows, predicted)
    return Decoding(predictions=predictions, metrics=metrics, signatures={}, not_measured={}, seconds=seconds)
