"""Call what an entry point of another package offers, and turn what it raises into errors of the spec."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from importlib.metadata import EntryPoint
from typing import Any

from job.errors import ChangedDataError, DataError, DataErrors
from job.spec import entry_points
from job.spec.entry_points import Group
from job.spec.file_locations import changed_data

_LONGEST = 400
"""Maximum length of the message of another package's exception."""


class BrokenPromiseError(Exception):
    """An object of another package that does not implement its interface; the message says what is wrong."""


def require(condition: bool, otherwise: str) -> None:
    """Raise `BrokenPromiseError` with a message if a condition of an interface is not met."""
    if not condition:
        raise BrokenPromiseError(otherwise)


def call_factory(group: Group, name: str, options: Mapping[str, Any], *arguments: object) -> Any:
    """Load the factory that an entry point names, and call it; to be called in `reporting_bugs`.

    Args:
        group: the group of the entry point.
        name: its name.
        options: the options in the spec; the factory receives a copy as its first argument.
        arguments: further arguments of the factory.

    Raises:
        DataErrors: there is no such entry point, or the factory rejects its options.
        Exception: the factory cannot be loaded, or has a bug.
    """
    try:
        factory = entry_points.find(group, name).load()
    except DataError as error:
        raise DataErrors([error]) from None
    try:
        return factory(deepcopy(dict(options)), *arguments)
    except ValueError as error:
        raise DataErrors([DataError(str(error), key=_option_key(str(error), options))]) from error
    except DataError as error:
        raise DataErrors([_option_error(error)]) from error
    except DataErrors as errors:
        raise DataErrors([_option_error(error) for error in errors.errors]) from errors


@contextmanager
def reporting_bugs(group: Group, name: str) -> Iterator[None]:
    """Turn the exceptions of another package's code in the block into a `DataErrors` that names the package.

    A `DataError` is no bug, but what the code has to say to the user.

    Args:
        group, name: the entry point whose code runs in the block.
    """
    try:
        yield
    except (DataErrors, ChangedDataError):
        raise
    except DataError as error:
        raise DataErrors([error]) from error
    except Exception as error:  # the code of another package can raise anything
        raise DataErrors([_bug_error(error, group, entry_points.find(group, name))]) from error


def check_package(group: Group, name: str, planned: Mapping[str, str]) -> None:
    """Check that a package is the one that a batch was planned with.

    Args:
        group, name: the entry point.
        planned: its `entry_points.identity` then; empty to accept any.

    Raises:
        ChangedDataError: it has changed.
    """
    found = entry_points.identity(group, name)
    for key, expected in planned.items():
        if found[key] != expected:
            what = f"the package of {group.kind} {name!r} ({found['distribution']})"
            raise changed_data(what, expected, found[key])


def _bug_error(error: Exception, group: Group, entry: EntryPoint) -> DataError:
    what, where = str(error), ""
    if not isinstance(error, BrokenPromiseError):
        what, where = f"{type(error).__name__}: {_one_line(error)}", f" ({_place(error, entry)})"
    owner = entry_points.owner(entry)
    return DataError(
        f"{group.kind} {entry.name!r} ({entry.value} of {owner}) has a bug: {what}{where}", key="name"
    )


def _one_line(error: Exception) -> str:
    """Return an exception's message without colours, line ends and the arguments that Keras lists."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).partition("\n\nArguments received")[0]
    return " ".join(text.split())[:_LONGEST]


def _place(error: Exception, entry: EntryPoint) -> str:
    """Return the last line of the package's own code on the way of an exception, else the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = {str(path) for path in entry_points.python_files(entry)}
    last = next((frame for frame in reversed(frames) if frame.filename in own), frames[-1])
    return f"{last.filename}:{last.lineno}"


def _option_error(error: DataError) -> DataError:
    key = f"options.{error.key}" if error.key else "options"
    return DataError(error.message, file=error.file, line=error.line, key=key)


def _option_key(message: str, options: Mapping[str, Any]) -> str:
    """Return the key of the option that is the first word of a message; `options` if there is none."""
    word = message.partition(" ")[0]
    return f"options.{word}" if word in options else "options"
