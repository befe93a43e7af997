"""Where this process and those that it starts import from: never the working directory.

A batch runs beside the user's files, some of which are called `random.py`, `yaml/` or `keras.py`. Python lets
them in for `python -m` and for an empty entry of `PYTHONPATH`; an entry that names a directory is respected.

Imported before anything else, so it may import only what Python itself has loaded by then.
"""

import os
import sys

import job

PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(job.__file__)))
"""The directory that holds this package."""


def named_entries(pythonpath: str) -> list[str]:
    """Return the entries of a `PYTHONPATH` that name a directory, absolute; an empty one names none."""
    return [os.path.abspath(entry) for entry in pythonpath.split(os.pathsep) if entry]


def leave_working_directory() -> None:
    """Take the working directory off `sys.path`, unless `PYTHONPATH` or the installation names it."""
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        here = ""
    given = os.environ.get("PYTHONPATH", "")
    if here in named_entries(given):
        return
    by_empty_entry = bool(given) and "" in given.split(os.pathsep)
    sys.path[:] = [
        entry
        for i, entry in enumerate(sys.path)
        if entry and not (os.path.abspath(entry) == here and (i == 0 or by_empty_entry))
    ]


def shadowing_packages() -> list[str]:
    """Return the places of other packages called `job` that `PYTHONPATH` puts in the way."""
    from importlib.machinery import PathFinder

    ours = os.path.realpath(os.path.dirname(os.path.abspath(job.__file__)))
    found = []
    for entry in named_entries(os.environ.get("PYTHONPATH", "")):
        spec = PathFinder.find_spec("job", [entry])
        if spec is None or spec.origin is None:  # a directory without __init__.py never comes first
            continue
        place = spec.submodule_search_locations[0] if spec.submodule_search_locations else spec.origin
        if os.path.realpath(place) != ours:
            found.append(place)
    return found


_START = """\
import sys
sys.path[:] = [sys.argv[1], *filter(None, sys.path)]
import job
del sys.path[0]
from job.workers.worker import serve
serve(int(sys.argv[2]))
"""
"""A worker's program: our package from where it is, everything else from where it is installed."""


def worker_command(python: str, descriptor: int) -> list[str]:
    """Return the command that starts a worker process, which reads no module from the working directory.

    Args:
        python: the interpreter.
        descriptor: of its end of the connection.
    """
    # From 3.13 Python itself imports modules for the program of -c, so -P where there is such an option.
    safe = ["-P"] if sys.version_info >= (3, 11) else []
    return [python, *safe, "-c", _START, PACKAGE_ROOT, str(descriptor)]


def worker_variables() -> dict[str, str]:
    """Return this process's environment for a worker: `PYTHONPATH` without entries that name no directory."""
    variables = dict(os.environ)
    given = variables.pop("PYTHONPATH", "")
    if entries := named_entries(given):
        variables["PYTHONPATH"] = os.pathsep.join(entries)
    return variables
