"""A saved model of any kind, as `predict` and `encode` use it: lines of text in, lines of text out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from job.errors import ModelDirectoryError
from job.inference.model_pair import read_record
from job.inference.numbers import load_forecaster
from job.inference.tokens import load_model


class Usable(Protocol):
    """What every trained model can do. `name` is the input's, for errors; a bad line is an `InputError`."""

    def predict_lines(
        self, lines: Iterable[str], name: str, n_best: int | None, first: int = 1
    ) -> Iterator[str]:
        """Yield a target for each source, in order; an empty line for an empty line.

        With `n_best` yield so many lines for each source: its number, score and target, by tabs. `first` is
        the number of the first of the lines. What precedes a bad line is yielded before its error.
        """

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Write the context of each source to a `.npz` file; return how many there were."""


_LOADERS: dict[str, Callable[[Path], Usable]] = {"tokens": load_model, "numbers": load_forecaster}


def load(directory: Path) -> Usable:
    """Load what a job saved in its `model/` directory (or the job's directory itself).

    Raises:
        ModelDirectoryError: it holds no trained model that this version can use.
    """
    kind = str(read_record(directory).get("target_kind", "tokens"))
    if kind not in _LOADERS:
        raise ModelDirectoryError(
            f"{directory}: a model of {kind!r} is not known here; use the version of seq2seq-job that made it"
        )
    return _LOADERS[kind](directory)
