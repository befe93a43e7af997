"""Learning problems: examples of source and target, vocabularies, splits and data files.

Code that generates or reads examples belongs here; models, training and scores do not, and nothing here
imports TensorFlow. Start with `base.py`, the interface of a problem, then `text_pairs.py` (files) or
`integers.py` (generated); `plugin.py` loads the problems of other packages. `text_files.py` reads files of
text in blocks, `parallel_text.py` the pairs in them, `pair_formats.py` their lines (`pair_lines.py` many at
once) and `text_tokens.py` the tokens; `pair_splits.py` divides the pairs, `pair_store.py` holds them as ids,
and `pair_cache.py` keeps these in files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from job.problems.addition import Addition
from job.problems.base import Problem
from job.problems.integers import Copy, Reverse, ReversedPrefix, Sort
from job.problems.plugin import build_plugin
from job.problems.text_pairs import TextPairs
from job.problems.time_series import TimeSeries
from job.problems.vocabulary import EarlierTokens
from job.spec.file_locations import PlannedData
from job.spec.problem_sections import ProblemSpec
from job.spec.text_pairs_section import TextPairsSpec

__all__ = ["Problem", "build_problem"]

_GENERATED: dict[str, Callable[[Any, int], Problem]] = {
    "reversed_prefix": ReversedPrefix,
    "reverse": Reverse,
    "copy": Copy,
    "sort": Sort,
    "addition": Addition,
}
_FROM_FILES: dict[str, Callable[[Any, int, Path, PlannedData | None], Problem]] = {
    "text_pairs": TextPairs,
    "time_series": TimeSeries,
    "plugin": build_plugin,
}


def build_problem(
    spec: ProblemSpec,
    seed: int,
    directory: Path,
    planned: PlannedData | None = None,
    cache: Path | None = None,
    *,
    copies: bool = False,
    earlier: EarlierTokens | None = None,
) -> Problem:
    """Build the problem of a spec's `problem` section.

    Args:
        spec: the section.
        seed: determines all random numbers; it does not affect how pairs from files are split.
        directory: the spec directory; relative file names start there.
        planned: checksums that the data must have, None to accept any data.
        cache: the directory of the cache of tokenized pairs, see `pair_cache`; None to use none.
        copies: whether the model copies source tokens: then unknown tokens of text pairs have ids of their
            own.
        earlier: the tokens of the model that training starts from, which text pairs add theirs to; None if
            there is none.

    Raises:
        ChangedDataError: the data differ from `planned`.
        DataErrors: all errors in the data files.
        OutputError: the cache cannot be written.
    """
    if isinstance(spec, TextPairsSpec):
        return TextPairs(spec, seed, directory, planned, cache, copies=copies, earlier=earlier)
    if spec.kind in _GENERATED:
        return _GENERATED[spec.kind](spec, seed)
    return _FROM_FILES[spec.kind](spec, seed, directory, planned)
