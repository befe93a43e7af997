"""Environment variables for options, such as `SEQ2SEQ_JOB_SPEC` for `--spec`; unknown ones are errors."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from job.errors import UsageError

PREFIX = "SEQ2SEQ_JOB_"

OTHERS = frozenset({"SEQ2SEQ_JOB_GIT_COMMIT"})
"""Variables with the prefix that are not for an option."""

_FAMILY = "SEQ2SEQ"
"""The start of names whose prefix may be misspelt."""

_ALIKE = 0.9
"""Similarity (`difflib`) to a known name from which such a name counts as misspelt: `SEQ2SEQ_JOBS_SPEC`."""

_SERVICE_LINK = re.compile(
    r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?", re.ASCII
)
"""Endings of the variables that Kubernetes sets for a Service named `seq2seq-job` or `seq2seq-job-NAME`."""


def check_variables(environment: Mapping[str, str], options: Iterable[str]) -> None:
    """Check that every variable with the prefix belongs to an option, and that none is empty.

    Args:
        environment: of this process.
        options: names of the variables for the options of all commands.

    Raises:
        UsageError: variables are misspelt or empty; the message names all of them.
    """
    known = {*options, *OTHERS}
    given = [name for name in environment if _is_meant(name.upper(), known)]
    if "KUBERNETES_SERVICE_HOST" in environment:
        given = [name for name in given if not _is_service_link(name)]
    unknown = [_unknown(name, known) for name in sorted(given) if name not in known]
    empty = [
        f"{name} is empty; unset it, or give it a value"
        for name in sorted(given)
        if name in known and not environment[name].strip()
    ]
    if unknown or empty:
        raise UsageError("\n".join([*unknown, *empty]))


def _is_meant(name: str, known: Iterable[str]) -> bool:
    """Return whether a name has the prefix, or is similar to that of an option's variable."""
    if name.startswith(PREFIX) or not name.startswith(_FAMILY):
        return name.startswith(PREFIX)
    return bool(difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE))


def _is_service_link(name: str) -> bool:
    rest = name[len(PREFIX) :]
    return any(_SERVICE_LINK.fullmatch(rest, start) for start in _word_starts(rest))


def _word_starts(text: str) -> list[int]:
    return [0, *(i + 1 for i, letter in enumerate(text) if letter == "_")]


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.upper(), sorted(known), n=1)
    advice = f"did you mean {close[0]}?" if close else f"known are: {', '.join(sorted(known))}"
    return f"{name} is not read by any command; unset it or correct its name: {advice}"
