"""Load a saved model and open its input, for `predict` and `encode`.

These are the only commands that load TensorFlow in the command's own process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from job.process.standard_streams import was_closed

if TYPE_CHECKING:
    from job.inference.input_lines import Chunk
    from job.inference.loading import LoadedModel

PredictLines = Callable[[Iterable[str], str, int | None, int], Iterator[str]]
"""The signature of `LoadedModel.predict_lines`."""


def load_model(directory: Path) -> LoadedModel:
    """Load a saved model with TensorFlow set up as in a worker, so that predictions equal the evaluation's.

    Args:
        directory: a job directory, or its `model` directory.
    """
    from job.process.quiet_loading import load_tensorflow_quietly

    load_tensorflow_quietly()
    from job.inference import loading

    return loading.load(directory)


def json_lines(model: LoadedModel) -> PredictLines:
    """Return a function like `LoadedModel.predict_lines` that yields each prediction as a JSON object."""
    from job.inference.python_loading import python_model

    python = python_model(model)

    def lines(lines: Iterable[str], name: str, n_best: int | None, first: int = 1) -> Iterator[str]:
        for prediction in python.predictions(lines, name, n_best, first=first):
            yield json.dumps(prediction.to_json(), ensure_ascii=False, allow_nan=False)

    return lines


@contextmanager
def open_input(name: str) -> Iterator[Iterator[Chunk]]:
    """Open a text file, or standard input for `-`, for the block; yield chunks of its lines.

    Raises:
        typer.BadParameter: it cannot be opened.
    """
    from job.inference.input_lines import open_source, read_chunks

    if name == "-" and was_closed(0):
        text = "-: standard input is closed; give a file, or connect standard input"
        raise typer.BadParameter(text, param_hint="--input")
    with ExitStack() as opened:
        try:
            source = opened.enter_context(open_source(name))
        except OSError as error:
            raise typer.BadParameter(f"{name}: {error.strerror or error}", param_hint="--input") from error
        yield read_chunks(source, name)
