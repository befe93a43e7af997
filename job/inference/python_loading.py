"""`job.load`: a saved model for Python code. Importing this module loads neither TensorFlow nor NumPy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from job.errors import ModelDirectoryError, StoreError
from job.process.quiet_loading import load_tensorflow_quietly
from job.storage.local_paths import is_address, refusal
from job.storage.store_address import is_store, with_addresses

if TYPE_CHECKING:
    from job.inference.loading import LoadedModel
    from job.inference.python_model import Model


def load(directory: str | os.PathLike[str]) -> Model:
    """Load the trained model of a finished job.

    The first call imports TensorFlow, which takes seconds, and sets it up as for the command `predict`: one
    thread for each operation, so that predictions are equal to the bit. A program that has used TensorFlow
    before keeps its own settings, and the last digits of scores can differ.

    Args:
        directory: The job's directory, such as `output/jobs/tutorial`, or its `model` directory; or the URL
            of one in a store of `--store`, such as `s3://bucket/run/jobs/tutorial`, which is fetched to a
            temporary directory and verified.

    Returns:
        The model; its files were verified against the checksums of the job's `result.json`, if it is there.

    Raises:
        ModelDirectoryError: The directory is missing, or has no trained model that this version can use.
        DependencyError: TensorFlow or Keras is missing, too old or broken.
    """
    name = os.fspath(directory)
    path = _place(name)
    try:
        check_directory(path)
        load_tensorflow_quietly(parallel=True)
        from job.inference import loading

        return python_model(loading.load(path))
    except ModelDirectoryError as error:  # the user knows the URL, not the copy
        error.args = (with_addresses(str(error)),)
        raise


def _place(name: str) -> Path:
    """Return the path of a directory, or of a copy of one in a store."""
    if not is_store(name):
        if is_address(name):
            raise ModelDirectoryError(refusal(name))
        return Path(name)
    from job.storage.fetched_places import fetch_model

    try:
        return fetch_model(name)
    except StoreError as error:
        raise ModelDirectoryError(str(error)) from error


def check_directory(path: Path) -> None:
    """Raise `ModelDirectoryError` if a directory does not exist, or is that of a job without a model yet."""
    if not path.is_dir():
        found = "not a directory" if path.exists() else "no such directory"
        raise ModelDirectoryError(f"{path}: {found}; expected the directory of a finished job")
    if (path / "spec.yaml").is_file() and not (path / "model" / "vocabulary.json").is_file():
        raise ModelDirectoryError(
            f"{path}: the job has no trained model yet; run the batch until the job is finished"
        )


def python_model(loaded: LoadedModel) -> Model:
    """Return a loaded model with the interface for Python code."""
    from job.inference.number_lines import NumberLines
    from job.inference.python_numbers import NumberModel
    from job.inference.python_tokens import TokenModel
    from job.inference.token_lines import TokenLines

    if isinstance(loaded, NumberLines):
        return NumberModel(loaded)
    if isinstance(loaded, TokenLines):
        return TokenModel(loaded)
    raise TypeError(f"{type(loaded).__name__} has no interface for Python code")
