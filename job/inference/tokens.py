"""Run a trained token model: source ids to target ids.

The evaluation and the commands `predict` and `encode` use it. Sources are computed in the batches of
`length_batches.py`, so a prediction does not depend on the other sources: `predict` returns exactly the
predictions of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.decoding.beam import IMPOSSIBLE, beam_search
from job.decoding.greedy import greedy
from job.inference.length_batches import LengthBatch, flat_rows, plan_batches
from job.inference.model_facts import ModelFacts
from job.inference.model_pair import (
    Contexts,
    ModelPair,
    in_chunks,
    is_cache,
    joined,
    load_pair,
    write_contexts,
)
from job.inference.source_lines import LONGEST_SOURCE, read_sources
from job.problems.base import Ids
from job.problems.vocabulary import PAD

MOST_SOURCES = 16_384
"""Maximum number of sources decoded together; fewer if several hypotheses are requested for each."""

MOST_TOKENS = 1 << 22
"""Approximate maximum number of tokens decoded together: the source that reaches it is the last."""

LEAST_SCORE = -1e7
"""Lower limit of the scores of real targets; above `IMPOSSIBLE` with the largest length penalty."""


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

    def with_beam(self, width: int) -> TrainedModel:
        """Return the model with beam search of at least the given width."""
        search = self.facts.search
        wide = replace(search, decoder="beam", beam_width=max(width, search.beam_width))
        return replace(self, facts=replace(self.facts, search=wide))

    @cached_property
    def _wider(self) -> dict[int, TrainedModel]:
        """Models with beam search by number of requested targets, so that each is compiled only once."""
        return {}

    @cached_property
    def decode(self) -> Callable[[Ids], Ids]:
        """The function from sources (n, S) to the best targets, (n, `facts.columns`) int32."""
        search = self.compile_search()
        return lambda sources: search(sources)[0][:, 0]

    def compile_search(self) -> Callable[[Sources], Found]:
        """Return a function from sources to hypotheses (n, K, `facts.columns`) int32 and scores (n, K).

        Best first. K is the beam width; greedy search returns one hypothesis with score
        NaN.
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
        """The function that decodes sources and yields, batch by batch, their indices and their results.

        See `compile_search`.
        """
        kind = {"greedy": self._greedy, "beam": self._beam}[self.facts.search.decoder]
        compiled = tf.function(_in_parts(kind), [tf.TensorSpec([None, None], tf.int32)], autograph=False)

        def batches(sources: Sources) -> Iterator[tuple[NDArray[np.intp], Found]]:
            for batch, given in self._batches(sources, self.beam_width):
                ids, scores = (found.numpy()[: len(batch.chosen)] for found in compiled(given))
                yield batch.chosen, (ids, scores)

        return batches

    @property
    def beam_width(self) -> int:
        """Number of hypotheses for each source."""
        return self.facts.search.width

    def _batches(self, sources: Sources, beam: int = 1) -> Iterator[tuple[LengthBatch, Ids]]:
        exact = self.facts.fixed_length
        rows = flat_rows(sources, exact=exact)
        depth, kept = self._values
        for batch in plan_batches(rows.lengths, beam=beam, depth=depth, kept=kept, exact=exact):
            yield batch, batch.of(rows)

    @cached_property
    def _values(self) -> tuple[int, int]:
        """The float32 numbers of each source token and, besides, of each source: see `plan_batches`."""
        caches = [i for i in self.decoder.inputs if is_cache(i)]
        sizes = {
            kind: sum(i.shape[1] * i.shape[3] for i in caches if i.name.startswith(kind))
            for kind in ("memory_", "state_")
        }
        embeds = any(isinstance(layer, keras.layers.Embedding) for layer in self.encoder.layers)
        one_hot = 0 if embeds else len(self.facts.source)
        beam = self.beam_width  # each hypothesis has keys and values of its own
        return max(1, one_hot, beam * sizes["memory_"]), beam * sizes["state_"] * self.facts.columns

    def _greedy(self, source: Any) -> tuple[Any, Any]:
        step, states = self._step_function(source, 1)
        found = greedy(
            step,
            states,
            rows=tf.shape(source)[0],
            start=self.facts.target.start,
            end=self.facts.target.end,
            max_length=self.facts.columns,
            limits=self._limits(source),
        )
        return found[:, None], tf.fill([tf.shape(source)[0], 1], float("nan"))

    def _beam(self, source: Any) -> tuple[Any, Any]:
        width = self.facts.search.beam_width
        step, states = self._step_function(source, width)
        return beam_search(
            step,
            states,
            limits=self._limits(source),
            start=self.facts.target.start,
            end=self.facts.target.end,
            max_length=self.facts.columns,
            width=width,
            length_penalty=self.facts.search.length_penalty,
        )

    def _limits(self, source: Any) -> Any:
        """Return the maximum number of symbols of each row, (n,) int32."""
        most = tf.fill([tf.shape(source)[0]], self.facts.columns)
        factor = self.facts.search.max_length_factor
        if factor is None or self.facts.fixed_length:
            return most
        lengths = tf.reduce_sum(tf.cast(tf.not_equal(source, PAD), tf.float32), axis=1)
        return tf.minimum(most, tf.cast(tf.math.ceil(lengths * factor), tf.int32))

    def _step_function(self, source: Any, width: int) -> tuple[Callable[[Any, Any], tuple[Any, Any]], Any]:
        """Encode sources; return a step function for `width` rows of each source, and its states."""
        states, memory = self.begin(source, width)
        target = self.facts.target
        # no target contains them, and decoding drops them: an n-best list would have the same text twice
        never = tf.constant([i in (PAD, target.start) for i in range(len(target))])

        def step(symbols: Any, states: Any) -> tuple[Any, Any]:
            logits, *rest = self.decoder([symbols[:, None], *states, *memory], training=False)
            return tf.where(never, IMPOSSIBLE, logits[:, 0]), tuple(rest[: len(states)])

        return step, states

    @property
    def attends(self) -> bool:
        """Whether the model has attention."""
        return "attention_weights" in self.decoder.output_names

    def attention(self, sources: Ids, targets: Ids) -> NDArray[np.float32]:
        """Return the attention weights of each target symbol, (n, T, S) float32; each row has sum 1.

        Args:
            sources: (n, S) int32.
            targets: (n, T) int32, the decoded symbols.
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
        """The function from at least one source to the context of each."""
        contexts = self.compile_contexts(tf.TensorSpec([None, None], tf.int32))

        def states(sources: Sources) -> Contexts:
            batches = [*self._batches(sources)]
            found = contexts((given, len(batch.chosen)) for batch, given in batches)
            order = np.argsort(np.concatenate([batch.chosen for batch, _ in batches]))
            return {name: state[order] for name, state in found.items()}

        return states

    def predict_lines(
        self, lines: Iterable[str], name: str, n_best: int | None = None, first: int = 1
    ) -> Iterator[str]:
        """Yield targets for lines of text; see `job.inference.loading.Usable`."""
        model = self
        if n_best is not None:
            model = self._wider[n_best] = self._wider.get(n_best) or self.with_beam(n_best)
        longest = min(LONGEST_SOURCE, LONGEST_SOURCE * 4 // model.beam_width)
        sources = read_sources(lines, self.facts, name, first, longest)
        for number, found in enumerate(predict_best(model, sources, n_best or 1), first):
            for score, target in found:
                yield target if n_best is None else f"{number}\t{score:.6f}\t{target}"

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Write the contexts of lines of text; see `job.inference.loading.Usable`."""
        return encode(self, read_sources(lines, self.facts, name), output)


def _in_parts(search: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any], tuple[Any, Any]]:
    """Run a search on two halves of the rows in parallel on a CPU; on a GPU return it unchanged.

    The small operations of a decoding loop run one after another and would use only one thread. The number
    of threads does not affect the results.
    """
    if tf.config.list_physical_devices("GPU"):
        return search
    traced = tf.function(search, autograph=False)  # once for both

    def halves(source: Any) -> tuple[Any, Any]:
        middle = tf.shape(source)[0] // 2
        found = [traced(half) for half in (source[:middle], source[middle:])]
        ids, scores = (tf.concat(side, axis=0) for side in zip(*found, strict=True))
        return ids, scores

    return halves


def load_model(directory: Path) -> TrainedModel:
    """Load a token model from a model directory, or from a job directory that contains one.

    Raises:
        ModelDirectoryError: a file is missing or cannot be read.
    """
    return load_pair(directory, ModelFacts.from_json, TrainedModel)


def predict(model: TrainedModel, sources: Iterable[list[int]]) -> Iterator[str]:
    """Yield the best target of each source, in order; the target of an empty source is ''."""
    for hypotheses in predict_best(model, sources, 1):
        yield hypotheses[0][1]


def predict_best(
    model: TrainedModel, sources: Iterable[list[int]], count: int
) -> Iterator[list[tuple[float, str]]]:
    """Yield the `count` best targets of each source with their scores, best first; for an empty source ''.

    There are fewer if the model has fewer possible targets. Scores are those of `beam_search`, or NaN with
    greedy search. If reading the sources raises an `InputError`, the sources before it are predicted first.
    """
    decode = model.facts.target.decode
    most = max(1, MOST_SOURCES * 4 // max(4, model.beam_width))
    for chunk in in_chunks(sources, most, MOST_TOKENS):
        found: list[list[tuple[float, str]]] = [[(0.0, "")] for _ in chunk]
        full = np.flatnonzero([len(ids) for ids in chunk])
        for chosen, (ids, scores) in model.search_batches([chunk[i] for i in full]) if len(full) else ():
            for i, targets, of_targets in zip(full[chosen], ids, scores, strict=True):
                best = [
                    (float(s), t) for t, s in zip(targets, of_targets, strict=True) if not s < LEAST_SCORE
                ]
                found[i] = [(s, decode(t)) for s, t in best[:count]]
        yield from found


def encode(model: TrainedModel, sources: Iterable[list[int]], output: Path) -> int:
    """Write the context of every source to a `.npz` file; return the number of contexts.

    The file holds `ids` (n,) int64, the 0-based line of each source that is not empty, and one array
    (n, H) float32 for each state of each layer, by name: `h1`, `c1`, `h2`, ... .
    """
    lines, parts, first = list[int](), list[Contexts](), 0
    for chunk in in_chunks(sources, MOST_SOURCES, MOST_TOKENS):
        full = [ids for ids in chunk if ids]
        lines += [first + i for i, ids in enumerate(chunk) if ids]
        parts += [model.states(full)] if full else []
        first += len(chunk)
    write_contexts(output, lines, joined(parts))
    return len(lines)
