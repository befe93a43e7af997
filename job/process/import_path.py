"""The import path of this process and of the workers: it never includes the working directory.

The user's working directory may contain files such as `random.py`, `yaml/` or `keras.py`. Python would import
them after `python -m` or with an empty entry in `PYTHONPATH`. Entries of `PYTHONPATH` that name a directory
are kept, even if it is the working directory.

This module is imported first, so it may only import modules that Python has loaded at startup.
"""

import os
import sys

import job

PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(job.__file__)))
"""Directory that contains this package."""


def named_entries(pythonpath: str) -> list[str]:
    """Return the entries of a `PYTHONPATH` that are not empty, as absolute paths."""
    return [os.path.abspath(entry) for entry in pythonpath.split(os.pathsep) if entry]


def remove_working_directory() -> None:
    """Remove the working directory from `sys.path`, unless `PYTHONPATH` or the installation names it."""
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
    """Return the paths of other packages named `job` that a directory in `PYTHONPATH` contains."""
    from importlib.machinery import PathFinder

    ours = os.path.realpath(os.path.dirname(os.path.abspath(job.__file__)))
    found = []
    for entry in named_entries(os.environ.get("PYTHONPATH", "")):
        spec = PathFinder.find_spec("job", [entry])
        if (
            spec is None or spec.origin is None
        ):  # no package, or a namespace package, which never takes precedence
            continue
        path = spec.submodule_search_locations[0] if spec.submodule_search_locations else spec.origin
        if os.path.realpath(path) != ours:
            found.append(path)
    return found


_START = """\
import sys
sys.path[:] = [sys.argv[1], *filter(None, sys.path)]
import job
del sys.path[0]
"""
"""Beginning of a program: it imports this package from its own directory and others from where they are
installed."""

_WORKER = "from job.workers.worker import serve; serve(int(sys.argv[2]))"


def worker_command(python: str, descriptor: int) -> list[str]:
    """Return the command that starts a worker process.

    Args:
        python: Path of the interpreter.
        descriptor: File descriptor of the worker's end of the connection.
    """
    return program_command(python, _WORKER, str(descriptor))


def program_command(python: str, program: str, *arguments: str) -> list[str]:
    """Return the command of a process of this package without the working directory in its import path.

    Args:
        python: Path of the interpreter.
        program: What it runs; `sys` is imported, and `sys.argv[2]` is the first of the arguments.
        arguments: Of the program.
    """
    # Since 3.13 Python imports modules before it runs the program of -c; the option -P exists since 3.11.
    safe = ["-P"] if sys.version_info >= (3, 11) else []
    return [python, *safe, "-c", f"{_START}{program}\n", PACKAGE_ROOT, *arguments]


def worker_variables() -> dict[str, str]:
    """Return this process's environment variables for a worker, without empty entries of `PYTHONPATH`."""
    variables = dict(os.environ)
    given = variables.pop("PYTHONPATH", "")
    if entries := named_entries(given):
        variables["PYTHONPATH"] = os.pathsep.join(entries)
    return variables
