"""Run a trained token model: source ids to target ids, attention weights and contexts.

The evaluation and the commands `predict` and `encode` use it. Decoding is that of `token_decoder.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.inference.contexts import Contexts
from job.inference.model_pair import ModelPair
from job.inference.token_decoder import Sources, TokenDecoder
from job.problems.base import Ids


@dataclass(frozen=True)
class TrainedModel(TokenDecoder, ModelPair):
    """A trained token model: the two inference models and the facts that prediction needs."""

    def check(self) -> None:
        """Check one step with the last token of each vocabulary; see `ModelPair.check`."""
        length = self.facts.source_length or 2
        source = tf.fill([1, length], tf.constant(len(self.facts.source) - 1, tf.int32))
        symbol = tf.constant([[len(self.facts.target) - 1]], tf.int32)
        self.check_step(source, symbol, len(self.facts.target))

    @property
    def pairs(self) -> tuple[ModelPair, ...]:
        """The model itself."""
        return (self,)

    def attention(self, sources: Ids, targets: Ids) -> NDArray[np.float32]:
        """Return the attention weights of each target symbol, (n, T, S) float32; each row has sum 1.

        Args:
            sources: Ids, (n, S) int32.
            targets: Decoded symbols, (n, T) int32.
        """
        states, memory = self.begin(self._known_source(tf.constant(sources)))
        symbols = tf.fill([len(sources), 1], tf.constant(self.facts.target.start, tf.int32))
        targets = np.where(targets < len(self.facts.target), targets, self.facts.target.unknown or 0)
        count, weights = len(states), []
        for t in range(targets.shape[1]):
            _, *found = self.decoder([symbols, *states, *memory], training=False)
            states, looked = found[:count], found[count]
            weights.append(looked[:, 0].numpy())
            symbols = tf.constant(targets[:, t : t + 1])
        return np.stack(weights, axis=1)

    def _known_source(self, source: Any) -> Any:
        """Return source ids as the encoder reads them."""
        return self.facts.copying.known_source(source) if self.copies else source

    @cached_property
    def encoded(self) -> Callable[[Sources], list[tuple[Contexts, NDArray[np.float32] | None]]]:
        """A function from sources to the context of each and the outputs that attention reads, (S, H)."""
        compiled = self.compile_encoder(tf.TensorSpec([None, None], tf.int32))

        def encoded(sources: Sources) -> list[tuple[Contexts, NDArray[np.float32] | None]]:
            found: list[tuple[Contexts, NDArray[np.float32] | None]] = [({}, None)] * len(sources)
            for batch, source in self.batches(sources):
                states, outputs = compiled(self._known_source(source))
                for row, i in enumerate(batch.chosen):
                    seen = None if outputs is None else outputs[row, : len(sources[i])].copy()
                    found[i] = ({name: state[row].copy() for name, state in states.items()}, seen)
            return found

        return encoded

    @cached_property
    def states(self) -> Callable[[Sources], Contexts]:
        """A function from one or more sources to the context of each."""
        contexts = self.compile_contexts(tf.TensorSpec([None, None], tf.int32))

        def states(sources: Sources) -> Contexts:
            batches = [*self.batches(sources)]
            found = contexts((self._known_source(source), len(batch.chosen)) for batch, source in batches)
            order = np.argsort(np.concatenate([batch.chosen for batch, _ in batches]))
            return {name: state[order] for name, state in found.items()}

        return states
