"""Options and arguments that several commands share, and how their values are checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from job.errors import BaselineError, StoreError
from job.storage.local_paths import is_address, refusal
from job.storage.store_address import is_store

DEFAULT_SPEC = Path("jobs.yaml")
DEFAULT_OUTPUT = Path("output")


# --- checks -------------------------------------------------------------------------------------------------


def local_name(name: str) -> str:
    """Return the name of a local file or directory unchanged.

    Raises:
        typer.BadParameter: the name is empty, or the address of something on another machine.
    """
    if not name.strip():
        raise typer.BadParameter("the name is empty; expected a path")
    if is_address(name):
        raise typer.BadParameter(refusal(name))
    return name


def local_path(name: str | Path) -> Path:
    """Return the path of a local file or directory; raises as `local_name` does."""
    return name if isinstance(name, Path) else Path(local_name(name))


def output_place(name: str | Path, *, whole: bool = False) -> Path:
    """Return the path of an output directory or a report, or of a copy of one in a store.

    Args:
        name: the path, or the URL of the store.
        whole: whether a copy has everything, models and checkpoints too.

    Raises:
        typer.BadParameter: the name is empty, or the address of something that is no store.
        StoreError: the store cannot be read.
    """
    if isinstance(name, Path) or not is_store(name):
        return local_path(name)
    from job.storage.fetched_places import fetch_output

    return fetch_output(name, whole=whole)


def gathered_place(name: str | Path) -> Path:
    """Return the path of an output directory, or of a copy of a whole one in a store, as `output_place`."""
    return output_place(name, whole=True)


def model_place(name: str | Path) -> Path:
    """Return the path of a job directory, or of a copy of one in a store, as `output_place`."""
    if isinstance(name, Path) or not is_store(name):
        return local_path(name)
    from job.storage.fetched_places import fetch_model

    return fetch_model(name)


def local_or_stored(name: str) -> str:
    """Return a name that is the URL of a store unchanged, and any other as `local_name` does."""
    return name if is_store(name) else local_name(name)


def baseline_place(name: str | Path) -> Path:
    """Return the path of a baseline, as `output_place` does; raises `BaselineError` if a store has none."""
    try:
        return output_place(name)
    except StoreError as error:
        raise BaselineError(f"baseline {error}") from error


def local_file(name: str | Path) -> Path:
    """Return the path of a file to write, after checking early that it can be written.

    Raises:
        typer.BadParameter: no file can be written there.
    """
    path = local_path(name)
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a directory; expected the name of a file to write")
    if path.exists() and not path.is_file():  # a rename would put a file in the place of a device or a pipe
        raise typer.BadParameter(f"{path} is not a regular file; expected the name of a file to write")
    if not path.parent.is_dir():
        raise typer.BadParameter(
            f"{path}: there is no directory {path.parent}; create it, or choose another path"
        )
    if not os.access(path.parent, os.W_OK):
        raise typer.BadParameter(f"{path}: the directory {path.parent} is not writable; choose another path")
    return path


def choice(option: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return an option's value; raises `typer.BadParameter` unless it is one of those allowed."""
    if value not in allowed:
        raise typer.BadParameter(f"{value!r}: expected one of {', '.join(allowed)}", param_hint=option)
    return value


# --- options ------------------------------------------------------------------------------------------------

SpecOption = Annotated[
    Path,
    typer.Option(
        "--spec", parser=local_path, metavar="PATH", envvar="SEQ2SEQ_JOB_SPEC", help="The spec file."
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output-dir",
        parser=local_path,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_OUTPUT_DIR",
        help="The directory to write reports and models to.",
    ),
]
InputOption = Annotated[
    str,
    typer.Option(
        "--input",
        parser=local_name,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_INPUT",
        help="A text file, or - for standard input.",
    ),
]
ModelArgument = Annotated[
    Path,
    typer.Argument(
        parser=model_place,
        metavar="MODEL_DIR",
        help="The job directory of a finished job, its model directory, or the URL of one in a store.",
    ),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        parser=baseline_place,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_BASELINE",
        help="The output directory of an earlier run, its report.json, or the URL of a store. A job fails if "
        "it is worse than in that run by more than chance.",
    ),
]
UpdateOption = Annotated[
    bool,
    typer.Option(
        "--update-baseline",
        envvar="SEQ2SEQ_JOB_UPDATE_BASELINE",
        help="If the exit code is 0, replace the baseline's results with these; replaced directories are "
        "moved to superseded/.",
    ),
]
