"""Decode sources with a token model, or with several together: source ids to target ids.

Sources are computed in the batches of `length_batches.py`, so a prediction does not depend on the other
sources: `predict` returns exactly the predictions of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.inference.length_batches import LengthBatch, flat_rows, plan_batches
from job.inference.model_facts import ModelFacts
from job.inference.model_pair import ModelPair, is_cache
from job.inference.token_search import compile_scores, compile_search
from job.problems.base import Ids
from job.problems.vocabulary import PAD, pad

Decoder = TypeVar("Decoder", bound="TokenDecoder")

Sources = Ids | Sequence[Sequence[int]]
"""Sources as an array (n, S) int32, padded on the right, or as one sequence of ids for each."""

Found = tuple[Ids, NDArray[np.float32]]
"""Hypotheses (n, K, T) int32, 0 after the end of each, and their scores (n, K)."""

SearchBatches = Callable[[Sources], Iterator[tuple[NDArray[np.intp], Found]]]
"""Sources -> for each batch the indices of its sources and their hypotheses."""


@dataclass(frozen=True)
class TokenDecoder:
    """One or more trained token models with the same facts, that decode together.

    Args:
        facts: What prediction needs besides the models.
    """

    facts: ModelFacts

    @property
    def pairs(self) -> tuple[ModelPair, ...]:
        """The inference models of each trained model."""
        raise NotImplementedError

    def with_beam(self: Decoder, width: int) -> Decoder:
        """Return the decoder with beam search of at least the given width."""
        search = self.facts.search
        wide = replace(search, decoder="beam", beam_width=max(width, search.beam_width))
        return replace(self, facts=replace(self.facts, search=wide))

    @cached_property
    def decode(self) -> Callable[[Ids], Ids]:
        """A function from sources (n, S) to the best targets, (n, `facts.columns`) int32."""
        search = self.compile_search()
        return lambda sources: search(sources)[0][:, 0]

    def compile_search(self) -> Callable[[Sources], Found]:
        """Return a function from sources to hypotheses (n, K, `facts.columns`) int32 and scores (n, K).

        The best hypothesis comes first. K is the beam width; greedy search returns one hypothesis with score
        NaN, sampling one with its log-probability.
        """
        width = self.beam_width

        def search(sources: Sources) -> Found:
            ids = np.zeros((len(sources), width, self.facts.columns), np.int32)
            scores = np.zeros((len(sources), width), np.float32)
            for chosen, found in self.search_batches(sources):
                ids[chosen], scores[chosen] = found
            return ids, scores

        return search

    @cached_property
    def search_batches(self) -> SearchBatches:
        """A function that decodes sources and yields the indices and the hypotheses of each batch."""
        return self._search_batches(scored=False)

    @cached_property
    def scored_batches(self) -> SearchBatches:
        """The same, traced at once, with the log-probabilities of the hypotheses of greedy search too."""
        return self._search_batches(scored=True)

    def _search_batches(self, *, scored: bool) -> SearchBatches:
        compiled = compile_search(self.pairs, self.facts, scored=scored)

        def batches(sources: Sources) -> Iterator[tuple[NDArray[np.intp], Found]]:
            for batch, source in self.batches(sources, self.beam_width):
                ids, scores = (x.numpy()[: len(batch.chosen)] for x in compiled(tf.constant(source)))
                yield batch.chosen, (ids, scores)

        return batches

    @property
    def attends(self) -> bool:
        """Whether every model has attention."""
        return all("attention_weights" in pair.decoder.output_names for pair in self.pairs)

    @cached_property
    def forced_scores(self) -> Callable[[Sources, Sources], NDArray[np.float32]]:
        """A function from sources (n) and targets (n, T) to the log-probability of each target, (n,)."""
        forced = self._forced_batches(attention=False)

        def scores(sources: Sources, targets: Sources) -> NDArray[np.float32]:
            found = np.zeros(len(sources), np.float32)
            for chosen, (totals, _) in forced(sources, targets):
                found[chosen] = totals
            return found

        return scores

    @cached_property
    def forced_attention(self) -> Callable[[Sources, Ids], list[NDArray[np.float32]]]:
        """A function from sources (n) and targets (n, T) to the attention weights of each, (T, S)."""
        forced = self._forced_batches(attention=True)

        def attention(sources: Sources, targets: Ids) -> list[NDArray[np.float32]]:
            found = [np.zeros((0, 0), np.float32)] * len(sources)
            for chosen, (_, weights) in forced(sources, targets):
                for i, seen in zip(chosen, weights, strict=True):
                    found[i] = seen
            return found

        return attention

    def _forced_batches(self, *, attention: bool) -> Callable[[Sources, Sources], Iterator[tuple[Any, Any]]]:
        compiled = compile_scores(self.pairs, self.facts, attention=attention)

        def batches(sources: Sources, targets: Sources) -> Iterator[tuple[Any, Any]]:
            for batch, source in self.batches(sources):
                if isinstance(targets, np.ndarray):
                    wanted = targets[batch.chosen]
                else:
                    wanted = pad([targets[i] for i in batch.chosen])
                steps = max(1, int((wanted != PAD).sum(axis=1).max()))
                target = np.zeros((batch.rows, steps), np.int32)
                target[: len(wanted)] = wanted[:, :steps]
                totals, weights = (
                    x.numpy()[: len(batch.chosen)] for x in compiled(tf.constant(source), tf.constant(target))
                )
                yield batch.chosen, (totals, weights)

        return batches

    @property
    def beam_width(self) -> int:
        """Number of hypotheses for each source."""
        return self.facts.search.width

    def batches(self, sources: Sources, beam: int = 1) -> Iterator[tuple[LengthBatch, Ids]]:
        """Yield the batches of sources, with their ids."""
        exact = self.facts.fixed_length
        rows = flat_rows(sources, exact=exact)
        per_token, per_pair, per_source = self._value_counts
        for batch in plan_batches(
            rows.lengths,
            beam=beam,
            values_per_token=per_token,
            values_per_pair=per_pair,
            values_per_source=per_source,
            exact=exact,
            on_gpu=bool(tf.config.list_physical_devices("GPU")),
        ):
            yield batch, batch.ids_of(rows)

    @cached_property
    def _value_counts(self) -> tuple[int, int, int]:
        """Numbers of float32 numbers for each source token, pair of them, and source; see `plan_batches`."""
        caches = [i for pair in self.pairs for i in pair.decoder.inputs if is_cache(i)]
        sizes = {
            kind: sum(i.shape[1] * i.shape[3] for i in caches if i.name.startswith(kind))
            for kind in ("memory_", "state_")
        }
        one_hot = len(self.facts.source) * sum(not _embeds(pair) for pair in self.pairs)
        beam = self.beam_width  # each hypothesis has its own keys and values
        emissions = sum(_emission_values(pair, len(self.facts.target)) for pair in self.pairs)
        per_token = max(1, one_hot, beam * sizes["memory_"], beam * emissions)
        heads = max((i.shape[1] for i in caches), default=0)
        return per_token, max(heads, int(emissions > 0)), beam * sizes["state_"] * self.facts.columns


def _emission_values(pair: ModelPair, classes: int) -> int:
    """Return the number of float32 numbers for each source token in a step with monotonic attention, else 0.

    Each position has features and emissions, and both take about four times their size.
    """
    units = [i.shape[-1] for i in pair.decoder.inputs if i.name == "state_output"]
    return 4 * (units[0] + classes) if units else 0


def _embeds(pair: ModelPair) -> bool:
    return any(isinstance(layer, keras.layers.Embedding) for layer in pair.encoder.layers)
