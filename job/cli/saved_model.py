"""What `predict` and `encode` share: loading a saved model, and the lines that it is given.

The only commands that load TensorFlow in this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from job.process.standard_streams import was_closed

if TYPE_CHECKING:
    from job.inference.input_lines import Chunk
    from job.inference.loading import LoadedModel


def load_model(directory: Path) -> LoadedModel:
    """Load a saved model with TensorFlow set up as in a worker, so that predictions equal the evaluation's.

    Args:
        directory: a job directory, or its `model` directory.
    """
    from job.process.installed_versions import check_versions
    from job.process.tensorflow_loading import check_tensorflow
    from job.workers.worker_handle import VARIABLES

    check_versions()
    os.environ.update({**VARIABLES, "TF_CPP_MIN_LOG_LEVEL": "3"})
    with _silent_stderr():
        check_tensorflow()
        from job.inference import loading
    return loading.load(directory)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard what TensorFlow's libraries print while they are loaded; no log level stops it."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


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
