"""Run a saved token model on lines of text: predictions and contexts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from job.inference.contexts import Contexts, joined, write_contexts
from job.inference.model_facts import ModelFacts
from job.inference.pair_files import load_pair
from job.inference.source_chunks import in_chunks
from job.inference.source_lines import MAX_SOURCE_LENGTH, Source, read_sources
from job.inference.token_decoder import TokenDecoder
from job.inference.tokens import TrainedModel
from job.problems.base import Ids
from job.problems.unknown_ids import spelled

MAX_SOURCES = 16_384
"""Maximum number of sources decoded together; fewer if several hypotheses are requested for each."""

MAX_TOKENS = 1 << 22
"""Approximate maximum number of tokens decoded together: the source that reaches it is the last."""

MIN_SCORE = -1e7
"""Lower limit of the scores of real targets; above `IMPOSSIBLE` with the largest length penalty."""


class TokenLines(TokenDecoder):
    """Prediction for lines of text, by one token model or several together."""

    @cached_property
    def _wider(self) -> dict[int, TokenLines]:
        """Models with a beam wide enough for n targets, by n: each is compiled only once."""
        return {}

    def finding(self, n_best: int | None) -> TokenLines:
        """Return the model with a beam wide enough for `n_best` targets; unchanged for None."""
        if n_best is None:
            return self
        return self._wider.setdefault(n_best, self.with_beam(n_best))

    def predict_lines(
        self, lines: Iterable[str], name: str, n_best: int | None = None, first: int = 1
    ) -> Iterator[str]:
        """Yield targets for lines of text; see `job.inference.loading.LoadedModel`."""
        model = self.finding(n_best)
        sources = read_sources(lines, self.facts, name, first, max_source_length(model))
        for number, found in enumerate(predict_best(model, sources, n_best or 1), first):
            for score, target in found:
                yield target if n_best is None else f"{number}\t{score:.6f}\t{target}"


class SavedTokenModel(TokenLines, TrainedModel):
    """A saved token model, for lines of text."""

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Write the contexts of lines of text; see `job.inference.loading.LoadedModel`."""
        return encode(self, read_sources(lines, self.facts, name), output)


def max_source_length(model: TokenDecoder) -> int:
    """Return the maximum number of tokens of a source, which falls with the width of the beam."""
    return min(MAX_SOURCE_LENGTH, MAX_SOURCE_LENGTH * 4 // model.beam_width)


def load_model(directory: Path) -> SavedTokenModel:
    """Load a token model from a model directory, or from a job directory that contains one.

    Raises:
        ModelDirectoryError: a file is missing or cannot be read.
    """
    return load_pair(directory, ModelFacts.from_json, SavedTokenModel)


def predict(model: TokenDecoder, sources: Iterable[list[int]]) -> Iterator[str]:
    """Yield the best target of each source, in order; the target of an empty source is ''."""
    for hypotheses in predict_best(model, sources, 1):
        yield hypotheses[0][1]


def predict_best(
    model: TokenDecoder, sources: Iterable[list[int]], count: int
) -> Iterator[list[tuple[float, str]]]:
    """Yield the scores and texts of the best targets of each source, best first.

    An empty source has one target: '' with score 0. Arguments: see `best_hypotheses`.

    Returns:
        The scores of `beam_search` or `sample`, or NaN with greedy search, and the texts.
    """
    for chunk, found in best_hypotheses(model, sources, count):
        for source, hypotheses in zip(chunk, found, strict=True):
            yield [(score, _text(model, ids, source)) for score, ids in hypotheses]


Hypotheses = list[tuple[float, Ids]]
"""Scores and ids, (T,) int32, of the best targets of a source, best first; at least one."""


def best_hypotheses(
    model: TokenDecoder, sources: Iterable[list[int]], count: int, *, scored: bool = False
) -> Iterator[tuple[list[list[int]], list[Hypotheses]]]:
    """Yield chunks of sources with the best hypotheses of each; an empty source has an empty one of score 0.

    Args:
        model: Model whose beam has at least `count` hypotheses.
        sources: Ids of each source. If reading one raises an `InputError`, the sources before it are
            predicted first.
        count: Maximum number of targets of a source; there are fewer if the model has fewer possible targets.
        scored: Whether greedy search returns log-probabilities; else NaN.
    """
    max_sources = max(1, MAX_SOURCES * 4 // max(4, model.beam_width))
    for chunk in in_chunks(sources, max_sources, MAX_TOKENS):
        found: list[Hypotheses] = [[(0.0, np.zeros(0, np.int32))] for _ in chunk]
        nonempty = np.flatnonzero([len(ids) for ids in chunk])
        search = model.scored_batches if scored else model.search_batches
        batches = search([chunk[i] for i in nonempty]) if len(nonempty) else ()
        for chosen, (ids, scores) in batches:
            for i, *hypotheses in zip(nonempty[chosen], scores, ids, strict=True):
                possible = [(float(s), t) for s, t in zip(*hypotheses, strict=True) if not s < MIN_SCORE]
                found[i] = possible[:count]
        yield chunk, found


def _text(model: TokenDecoder, target: Ids, source: list[int]) -> str:
    """Return a target as text, with the tokens that it has copied from its source."""
    vocabulary, ids = spelled(model.facts.target, target, source_tokens(source, model.facts))
    return vocabulary.decode(ids)


def source_tokens(source: list[int], facts: ModelFacts) -> Sequence[str]:
    """Return the tokens of a source that a target may have copied."""
    known = facts.source.tokens
    return source.tokens if isinstance(source, Source) else [known[i] for i in source if i < len(known)]


def encode(model: TrainedModel, sources: Iterable[list[int]], output: Path) -> int:
    """Write the context of every source to a `.npz` file; return the number of contexts.

    The file holds `ids` (n,) int64, the 0-based line of each source that is not empty, and one array
    (n, H) float32 for each state of each layer, by name: `h1`, `c1`, `h2`, ... .
    """
    lines, parts, first = list[int](), list[Contexts](), 0
    for chunk in in_chunks(sources, MAX_SOURCES, MAX_TOKENS):
        nonempty = [ids for ids in chunk if ids]
        lines += [first + i for i, ids in enumerate(chunk) if ids]
        parts += [model.states(nonempty)] if nonempty else []
        first += len(chunk)
    write_contexts(output, lines, joined(parts))
    return len(lines)
