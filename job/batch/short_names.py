"""Short forms of the names of a batch's jobs, for a narrow terminal."""

from __future__ import annotations

from collections.abc import Collection

MARK = "…"
"""Stands where a part of a name is left out."""

_SEPARATORS = "-_."


def short_name(name: str, names: Collection[str], width: int, shown: Collection[str] = ()) -> str:
    """Return a name that fits, without the beginning that it has in common with other jobs.

    A name that fits is not changed. Of a longer one the longest end that no other job has is shown; failing
    that, the parts that distinguish it; and failing that, its beginning and its end.

    Args:
        name: of the job.
        names: of all jobs of the batch.
        width: number of columns.
        shown: what must not be returned: it stands for another job.
    """
    if len(name) <= width and name not in shown:
        return name
    others = {*names} - {name}
    for short in (*_ends(name), _distinct_parts(name, others)):
        end = short.removeprefix(MARK)
        if end and len(short) <= width and not any(o.endswith(end) for o in others) and short not in shown:
            return short
    short, number = _cut(name, width), 1
    while short in shown:
        number += 1
        short = f"{_cut(name, width - len(f'~{number}'))}~{number}"
    return short


def _ends(name: str) -> list[str]:
    """Return the ends of a name that begin after a separator, the longest first."""
    return [MARK + name[i + 1 :] for i, character in enumerate(name[:-1]) if character in _SEPARATORS]


def _distinct_parts(name: str, others: Collection[str]) -> str:
    """Return the parts of a name in which it differs from the others of its form; '' if there are none.

    Names that a matrix has made have the same number of parts: `g2p-units-64-seed-1` has 64 and 1.
    """
    parts = name.split("-")
    alike = [o for o in (other.split("-") for other in others) if len(o) == len(parts) and o[0] == parts[0]]
    kept = [part for i, part in enumerate(parts) if any(other[i] != part for other in alike)]
    return MARK + "-".join(kept) if kept else ""


def _cut(name: str, width: int) -> str:
    """Shorten a name in its middle: names made by a matrix begin alike and differ at their ends."""
    if len(name) <= width:
        return name
    head = (width - 1) // 3
    return f"{name[:head]}{MARK}{name[head + 1 - width :]}"
