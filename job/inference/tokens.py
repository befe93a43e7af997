"""Run a trained token model: source ids to target ids.

The evaluation and the commands `predict` and `encode` use it. Sources are computed in the batches of
`length_batches.py`, so a prediction does not depend on the other sources: `predict` returns exactly the
predictions of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.inference.contexts import Contexts
from job.inference.length_batches import LengthBatch, flat_rows, plan_batches
from job.inference.model_facts import ModelFacts
from job.inference.model_pair import ModelPair, is_cache
from job.inference.token_search import compile_search
from job.problems.base import Ids

Model = TypeVar("Model", bound="TrainedModel")

Sources = Ids | Sequence[Sequence[int]]
"""Sources as an array (n, S) int32, padded on the right, or as one sequence of ids for each."""

Found = tuple[Ids, NDArray[np.float32]]
"""Hypotheses (n, K, T) int32, 0 after the end of each, and their scores (n, K)."""


@dataclass(frozen=True)
class TrainedModel(ModelPair):
    """A trained token model: the two inference models and the facts that prediction needs."""

    facts: ModelFacts

    def check(self) -> None:
        """Check one step with the last token of each vocabulary; see `ModelPair.check`."""
        length = self.facts.source_length or 2
        source = tf.fill([1, length], tf.constant(len(self.facts.source) - 1, tf.int32))
        symbol = tf.constant([[len(self.facts.target) - 1]], tf.int32)
        self.check_step(source, symbol, len(self.facts.target))

    def with_beam(self: Model, width: int) -> Model:
        """Return the model with beam search of at least the given width."""
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
    def search_batches(self) -> Callable[[Sources], Iterator[tuple[NDArray[np.intp], Found]]]:
        """A function that decodes sources and yields the indices and the hypotheses of each batch."""
        compiled = compile_search(self, self.facts)

        def batches(sources: Sources) -> Iterator[tuple[NDArray[np.intp], Found]]:
            for batch, source in self._batches(sources, self.beam_width):
                ids, scores = (found.numpy()[: len(batch.chosen)] for found in compiled(source))
                yield batch.chosen, (ids, scores)

        return batches

    @property
    def beam_width(self) -> int:
        """Number of hypotheses for each source."""
        return self.facts.search.width

    def _batches(self, sources: Sources, beam: int = 1) -> Iterator[tuple[LengthBatch, Ids]]:
        exact = self.facts.fixed_length
        rows = flat_rows(sources, exact=exact)
        per_token, per_source = self._value_counts
        for batch in plan_batches(
            rows.lengths, beam=beam, values_per_token=per_token, values_per_source=per_source, exact=exact
        ):
            yield batch, batch.ids_of(rows)

    @cached_property
    def _value_counts(self) -> tuple[int, int]:
        """Numbers of float32 numbers for each source token and for each source; see `plan_batches`."""
        caches = [i for i in self.decoder.inputs if is_cache(i)]
        sizes = {
            kind: sum(i.shape[1] * i.shape[3] for i in caches if i.name.startswith(kind))
            for kind in ("memory_", "state_")
        }
        embeds = any(isinstance(layer, keras.layers.Embedding) for layer in self.encoder.layers)
        one_hot = 0 if embeds else len(self.facts.source)
        beam = self.beam_width  # each hypothesis has its own keys and values
        return max(1, one_hot, beam * sizes["memory_"]), beam * sizes["state_"] * self.facts.columns

    @property
    def attends(self) -> bool:
        """Whether the model has attention."""
        return "attention_weights" in self.decoder.output_names

    def attention(self, sources: Ids, targets: Ids) -> NDArray[np.float32]:
        """Return the attention weights of each target symbol, (n, T, S) float32; each row has sum 1.

        Args:
            sources: Ids, (n, S) int32.
            targets: Decoded symbols, (n, T) int32.
        """
        states, memory = self.begin(tf.constant(sources))
        symbols = tf.fill([len(sources), 1], tf.constant(self.facts.target.start, tf.int32))
        weights = []
        for t in range(targets.shape[1]):
            _, *states, looked = self.decoder([symbols, *states, *memory], training=False)
            weights.append(looked[:, 0].numpy())
            symbols = tf.constant(targets[:, t : t + 1])
        return np.stack(weights, axis=1)

    @cached_property
    def states(self) -> Callable[[Sources], Contexts]:
        """A function from one or more sources to the context of each."""
        contexts = self.compile_contexts(tf.TensorSpec([None, None], tf.int32))

        def states(sources: Sources) -> Contexts:
            batches = [*self._batches(sources)]
            found = contexts((source, len(batch.chosen)) for batch, source in batches)
            order = np.argsort(np.concatenate([batch.chosen for batch, _ in batches]))
            return {name: state[order] for name, state in found.items()}

        return states
