"""Load a saved model of any kind: lines of text to predictions or contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from job.errors import ModelDirectoryError
from job.inference.ensembles import ENSEMBLE_FILE, load_ensemble
from job.inference.number_lines import load_forecaster
from job.inference.pair_files import read_record
from job.inference.token_lines import load_model


class LoadedModel(Protocol):
    """Interface of a saved model of any kind: lines of text to predictions or contexts.

    `name` is the name of the input in error messages; a line that the model cannot read raises `InputError`.
    """

    def predict_lines(
        self, lines: Iterable[str], name: str, n_best: int | None, first: int = 1
    ) -> Iterator[str]:
        """Yield a target for each source, in order; an empty line for an empty line.

        With `n_best` yield at most that number of lines for each source: its number, score and target,
        separated by tabs. `first` is the number of the first line. The results of the lines before an invalid
        line are yielded before its error is raised.
        """

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Write the context of each source to a `.npz` file; return the number of contexts."""


_LOADERS: dict[str, Callable[[Path], LoadedModel]] = {"tokens": load_model, "numbers": load_forecaster}


def load(directory: Path) -> LoadedModel:
    """Load a trained model from a model directory, from a job directory that contains one, or an ensemble.

    Raises:
        ModelDirectoryError: The directory has no trained model that this version can use.
    """
    if (directory / ENSEMBLE_FILE).is_file():
        return load_ensemble(directory, load_single)
    return load_single(directory)


def load_single(directory: Path) -> LoadedModel:
    """Load the model of one job; see `load`."""
    kind = str(read_record(directory).get("target_kind", "tokens"))
    if kind not in _LOADERS:
        raise ModelDirectoryError(
            f"{directory}: this version cannot load a model of {kind!r}; use the version of seq2seq-job that "
            "made it"
        )
    return _LOADERS[kind](directory)
