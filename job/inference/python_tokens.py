"""A saved token model in Python code: lines or tokens to predictions, encodings and log-probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from job.errors import InputError
from job.inference.ensembles import no_context
from job.inference.prediction import Alternative, Encoding, Prediction
from job.inference.python_model import SOURCES, Model, Source
from job.inference.source_chunks import in_chunks
from job.inference.source_lines import known_ids, source_ids
from job.inference.token_lines import (
    MAX_SOURCES,
    MAX_TOKENS,
    Hypotheses,
    SavedTokenModel,
    TokenLines,
    best_hypotheses,
    max_source_length,
    source_tokens,
)
from job.problems.base import Ids
from job.problems.subwords import SPACE
from job.problems.unknown_ids import spelled
from job.problems.vocabulary import Vocabulary, pad

_MAX_OUTPUTS = 1 << 25
"""Approximate maximum number of float32 numbers of the encoder outputs of a chunk: 128 MiB."""


class TokenModel(Model):
    """A saved model of tokens.

    Args:
        saved: The loaded model.
    """

    def __init__(self, saved: TokenLines) -> None:
        self._saved = saved
        self._facts = saved.facts
        self._compiling = Lock()

    def predictions(
        self,
        sources: Iterable[Source],
        name: str,
        n_best: int | None,
        *,
        attention: bool = False,
        first: int = 1,
    ) -> Iterator[Prediction]:
        """Yield predictions; see `Model.predictions`."""
        if attention and not self._saved.attends:
            raise InputError("attention: this model has none, so there are no weights; leave attention out")
        with self._compiling:  # once for all threads
            model = self._saved.finding(n_best)
            _ = model.scored_batches
        ids = self._read(sources, name, first, max_source_length(model))
        return self._predicted(best_hypotheses(model, ids, n_best or 1, scored=True), attention)

    def _predicted(
        self, chunks: Iterable[tuple[list[list[int]], list[Hypotheses]]], attention: bool
    ) -> Iterator[Prediction]:
        for sources, found in chunks:
            weights = self._attention(sources, found) if attention else [None] * len(sources)
            for source, hypotheses, seen in zip(sources, found, weights, strict=True):
                best, *others = (self._target(source, *hypothesis) for hypothesis in hypotheses)
                yield Prediction(
                    text=best.text,
                    tokens=best.tokens,
                    score=best.score,
                    alternatives=tuple(others),
                    attention=seen,
                )

    def _target(self, source: list[int], score: float, ids: Ids) -> Alternative:
        tokens = source_tokens(source, self._facts)
        target, row = spelled(self._facts.target, ids, tokens)
        written = tuple(target.tokens[i] for i in target.text_ids(row))
        return Alternative(text=target.decode(row), tokens=written, score=score)

    def _attention(
        self, sources: Sequence[list[int]], found: Sequence[Hypotheses]
    ) -> list[NDArray[np.float32]]:
        """Return the attention weights of the best target of each source, without those of its end."""
        best = [self._facts.target.text_ids(hypotheses[0][1]) for hypotheses in found]
        given = [i for i, ids in enumerate(sources) if ids]
        weights = [np.zeros((0, 0), np.float32) for _ in sources]
        with self._compiling:
            attention = self._saved.forced_attention
        if given and (targets := pad([best[i] for i in given])).shape[1]:
            seen = attention([sources[i] for i in given], targets)
            for i, rows in zip(given, seen, strict=True):
                weights[i] = rows[: len(best[i]), : len(sources[i])].copy()
        return weights

    def encodings(self, sources: Iterable[Source]) -> Iterator[Encoding]:
        """Yield encodings; see `Model.encode`."""
        if not isinstance(self._saved, SavedTokenModel):
            raise no_context()
        with self._compiling:
            encoded = self._saved.encoded
        inputs = self._saved.decoder.inputs
        width = next((each.shape[-1] for each in inputs if each.name == "encoder_outputs"), 1)
        max_tokens = min(MAX_TOKENS, _MAX_OUTPUTS // width)
        for chunk in in_chunks(self._read(sources), MAX_SOURCES, max_tokens):
            given = [ids for ids in chunk if ids]
            found = iter(encoded(given) if given else ())
            for ids in chunk:
                states, outputs = next(found) if ids else ({}, None)
                yield Encoding(states=states, outputs=outputs)

    def scores(self, pairs: Iterable[tuple[Source, Source]]) -> Iterator[float]:
        """Yield log-probabilities; see `Model.scores`."""
        with self._compiling:
            scores = self._saved.forced_scores
        for chunk in in_chunks(self._read_pairs(pairs), MAX_SOURCES):
            sources, targets = [source for source, _ in chunk], [target for _, target in chunk]
            yield from map(float, scores(sources, targets))

    def source_tokens(self, source: Source) -> tuple[str, ...]:
        """Return the tokens of a source; see `Model.source_tokens`."""
        return tuple(_tokens(source, self._facts.source, "source"))

    def _read(
        self, sources: Iterable[Source], name: str = SOURCES, first: int = 1, max_length: int | None = None
    ) -> Iterator[list[int]]:
        limit = max_length or max_source_length(self._saved)
        for number, source in enumerate(sources, first):
            place = f"{name}:{number}"
            yield source_ids(_tokens(source, self._facts.source, place), self._facts, place, limit)

    def _read_pairs(self, pairs: Iterable[tuple[Source, Source]]) -> Iterator[tuple[list[int], list[int]]]:
        facts = self._facts
        for number, (source, target) in enumerate(pairs, 1):
            place = f"pairs:{number}"
            ids = source_ids(_tokens(source, facts.source, place), facts, place)
            if not ids:
                raise InputError(f"{place}: the source is empty, so no target has a probability")
            tokens = _tokens(target, facts.target, place, is_target=True)
            wanted = known_ids(tokens, facts.target, place)
            if facts.fixed_length and len(wanted) != facts.max_target_length:
                raise InputError(
                    f"{place}: the target has {len(wanted)} tokens, but this model writes exactly "
                    f"{facts.max_target_length}"
                )
            cut = len(wanted) == facts.longest_target(len(ids))  # by the search, which writes no end then
            yield ids, wanted if cut or facts.target.end is None else [*wanted, facts.target.end]


def _tokens(source: Source, vocabulary: Vocabulary, place: str, *, is_target: bool = False) -> Sequence[str]:
    """Return the tokens of a line, or a list of tokens unchanged.

    The tokens of a target may be those of any prediction, which need not begin as a text does.

    Raises:
        InputError: It is neither, or the tokens are not those of a model of subwords.
    """
    if isinstance(source, str):
        return vocabulary.read(source)
    if not isinstance(source, list | tuple):
        found = type(source).__name__
        raise InputError(f"{place}: expected a line of text or a list of tokens, found {found}")
    tokens = [token for token in source if isinstance(token, str)]
    if len(tokens) < len(source):
        other = next(token for token in source if not isinstance(token, str))
        raise InputError(
            f"{place}: expected tokens that are strings, found {other!r}, which is {type(other).__name__}"
        )
    begins = is_target or vocabulary.subwords is None or not tokens or tokens[0].startswith(SPACE)
    if not begins:
        raise InputError(
            f"{place}: {tokens[0]!r} is not a subword that begins a text (those begin with {SPACE!r}); give "
            "a line of text, or the tokens that source_tokens returns"
        )
    return tokens
