"""Load a model pair from the files of a model directory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import job.models.seq2seq  # noqa: F401 - registers this package's layers with Keras
from job.errors import ModelDirectoryError
from job.inference.model_files import load_model_file
from job.inference.model_pair import ModelPair
from job.results.checksums import CheckedFiles
from job.storage.documents import read_json, why

Pair = TypeVar("Pair", bound=ModelPair)


def read_record(directory: Path) -> dict[str, Any]:
    """Return the content of a model's `vocabulary.json`; arguments and errors: see `load_pair`."""
    with _load_errors(_model_directory(directory)) as inner, CheckedFiles(inner) as files:
        record = read_json(files.check("vocabulary.json"))
        if not isinstance(record, dict):
            raise TypeError("vocabulary.json holds no JSON object")
        return record


def load_pair(directory: Path, read: Callable[[dict[str, Any]], Any], build: Callable[..., Pair]) -> Pair:
    """Load a saved model from its encoder, its decoder and `vocabulary.json`.

    Args:
        directory: Model directory, or the job directory that contains it.
        read: Function that parses the content of `vocabulary.json`; may raise any exception.
        build: Function that makes the model from the encoder, the decoder and the result of `read`.

    Raises:
        ModelDirectoryError: A file is missing, cannot be read, or does not match its recorded checksum.
    """
    record = read_record(directory)
    with _load_errors(_model_directory(directory)) as inner, CheckedFiles(inner) as files:
        facts = read(record)
        encoder, decoder = (
            load_model_file(files.check(f"{name}.keras"))
            for name in ("inference_encoder", "inference_decoder")
        )
        model = build(encoder, decoder, facts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns about sources of one token
            model.check()
    return model


def _model_directory(directory: Path) -> Path:
    return directory / "model" if (directory / "model").is_dir() else directory


@contextmanager
def _load_errors(directory: Path) -> Iterator[Path]:
    """Convert any exception in the block to a `ModelDirectoryError` that names the directory."""
    try:
        yield directory
    except ModelDirectoryError:
        raise
    except Exception as error:  # of a damaged file Keras, HDF5 and TensorFlow raise almost anything
        reason = f"{type(error).__name__}: {why(error)[:300]}"
        raise ModelDirectoryError(
            f"{directory}: not a trained model ({reason}); expected the model/ "
            "directory of a finished job, with inference_encoder.keras, inference_decoder.keras and "
            "vocabulary.json"
        ) from error
