"""Saved models that decode together: an ensemble, whose directory names its members in `ensemble.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from job.errors import InputError, ModelDirectoryError
from job.inference.model_pair import ModelPair
from job.inference.number_lines import NumberLines, SavedForecaster
from job.inference.numbers import Forecast, SeriesForecaster
from job.inference.token_decoder import TokenDecoder
from job.inference.token_lines import SavedTokenModel, TokenLines
from job.problems.windows import Values
from job.results.checksums import sha256_of
from job.results.ensemble_records import EnsembleModels
from job.storage.documents import read_regular, why


@dataclass(frozen=True)
class TokenEnsemble(TokenDecoder):
    """Token models that decode together: the probability of a token is the mean of theirs."""

    members: tuple[SavedTokenModel, ...]

    @property
    def pairs(self) -> tuple[ModelPair, ...]:
        """The members."""
        return self.members


@dataclass(frozen=True)
class ForecastEnsemble(SeriesForecaster):
    """Models of numbers: each forecasts by itself, and the forecast is the mean, in the unit of the data."""

    members: tuple[SavedForecaster, ...]

    @cached_property
    def forecast(self) -> Forecast:
        """A function from histories to the mean forecasts."""

        forecasts = [member.forecast for member in self.members]

        def mean(history: Values) -> Values:
            found: Values = np.mean([forecast(history) for forecast in forecasts], axis=0)
            return found

        return mean


class SavedTokenEnsemble(TokenLines, TokenEnsemble):
    """A saved ensemble of token models, for lines of text."""

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Refuse: see `no_context`."""
        raise no_context()


class SavedForecastEnsemble(NumberLines, ForecastEnsemble):
    """A saved ensemble of models of numbers, for lines of text."""

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Refuse: see `no_context`."""
        raise no_context()


def no_context() -> InputError:
    """Return the error of an ensemble that is asked for contexts."""
    return InputError("an ensemble has no context of its own; give the directory of one of its members")


SavedEnsemble = SavedTokenEnsemble | SavedForecastEnsemble


def combine(members: Mapping[str, object]) -> SavedEnsemble:
    """Return the ensemble of loaded models.

    Args:
        members: Name -> model, as `job.inference.loading.load` returns it; at least one.

    Raises:
        ModelDirectoryError: Two members have different vocabularies, lengths or search options, or only one
            has a pointer.
    """
    models = [*members.values()]
    _check_alike({name: _facts(model) for name, model in members.items()})
    tokens = tuple(model for model in models if isinstance(model, SavedTokenModel))
    if tokens:
        for name, model in zip(members, tokens, strict=True):
            if model.copies != tokens[0].copies:
                raise ModelDirectoryError(
                    f"{next(iter(members))} and {name} cannot decode together: only one has a pointer; train "
                    "both again with one spec"
                )
        return SavedTokenEnsemble(tokens[0].facts, tokens)
    numbers = tuple(model for model in models if isinstance(model, SavedForecaster))
    return SavedForecastEnsemble(numbers[0].series, numbers)


def _facts(model: object) -> dict[str, Any]:
    if isinstance(model, SavedTokenModel):
        return model.facts.to_json()
    if isinstance(model, SavedForecaster):
        return model.to_json()
    raise TypeError(f"{type(model).__name__} is not a model of one job")


def _check_alike(facts: Mapping[str, Mapping[str, Any]]) -> None:
    (first, expected), *others = facts.items()
    for name, found in others:
        for key in {**expected, **found}:
            if expected.get(key) != found.get(key):
                what = "vocabularies" if key in ("source", "target") else f"values of {key}"
                raise ModelDirectoryError(
                    f"{first} and {name} cannot decode together: their models have different {what}"
                    f"{f' ({key})' if key in ('source', 'target') else ''}; train both again with one spec"
                )


ENSEMBLE_FILE = "ensemble.json"
"""The file of an ensemble's directory that names its members."""


def load_ensemble(directory: Path, load: Callable[[Path], object]) -> SavedEnsemble:
    """Load the members that a directory names, relative to it, and combine them.

    Args:
        directory: Directory with `ensemble.json`.
        load: Function that loads the model of a job directory.

    Raises:
        ModelDirectoryError: A file is missing, cannot be read, or is not the one that the ensemble was
            evaluated with; or the members cannot decode together.
    """
    path = directory / ENSEMBLE_FILE
    try:
        models = EnsembleModels.from_json(read_regular(path))
    except (OSError, ValueError) as error:
        raise ModelDirectoryError(
            f"{path} cannot be read ({why(error)}); run the batch of the ensemble again"
        ) from error
    members: dict[str, object] = {}
    for member in models.members:
        _check_files(directory / member.directory, member.files)
        members[member.name] = load(directory / member.directory)
        _check_files(directory / member.directory, member.files)
    return combine(members)


def _check_files(directory: Path, files: Mapping[str, str]) -> None:
    for name, expected in files.items():
        path = directory / name
        try:
            found = sha256_of(path)
        except OSError as error:
            raise ModelDirectoryError(
                f"{path} cannot be read ({why(error)}); an ensemble needs the job directories of its members"
            ) from error
        if found != expected:
            raise ModelDirectoryError(
                f"{path} is not the file that the ensemble was evaluated with; run the batch again"
            )
