"""A trained model at work: ids in, ids out, one compiled function. Also what `predict` and `encode` load.

Sources are computed in the batches of `length_batches`: a prediction does not depend on what else is
predicted, so `predict` gives the very predictions of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import TypeAdapter

from job.decoding.beam import IMPOSSIBLE, beam_search
from job.decoding.greedy import greedy
from job.errors import InputError, no_implementation
from job.inference.length_batches import LengthBatch, flat_rows, plan_batches
from job.inference.model_pair import Contexts, ModelPair, in_chunks, joined, load_pair, write_contexts
from job.problems.base import Ids
from job.problems.vocabulary import PAD, Vocabulary
from job.results.records import validated
from job.spec.evaluation_section import Decoder, EvaluationSpec

MOST_SOURCES = 16_384
"""Sources that are searched for together, fewer where several hypotheses of each are asked for."""

MOST_TOKENS = 1 << 22
"""Tokens of such sources, about: the one that reaches them is the last."""

LONGEST_SOURCE = 32_768
"""Tokens of the longest line that is read; where more than four hypotheses are kept, in proportion fewer."""

MAX_LENGTH = 100_000
"""Longest target that a model may be said to write; every row is decoded in an array of that length."""

LEAST_SCORE = -1e7
"""A score below it is no target's: the greatest length penalty leaves more than this of `IMPOSSIBLE`."""


@dataclass(frozen=True)
class Search:
    """How targets are searched for: the keys of `EvaluationSpec` by the same names."""

    decoder: Decoder = "greedy"
    beam_width: int = 4
    length_penalty: float = 0.6
    max_length: int | None = None
    max_length_factor: float | None = None

    @property
    def width(self) -> int:
        """The number of hypotheses that a search returns for each source."""
        match self.decoder:
            case "greedy":
                return 1
            case "beam":
                return self.beam_width
            case unknown:
                no_implementation("evaluation.decoder", unknown)

    @classmethod
    def from_spec(cls, spec: EvaluationSpec) -> Search:
        """Take over what a spec says."""
        return cls(**{f.name: getattr(spec, f.name) for f in fields(cls)})


@dataclass(frozen=True)
class ModelFacts:
    """What one must know besides the weights to use a model: the content of `vocabulary.json`.

    Args:
        source, target: the vocabularies.
        fixed_length: every source has `source_length` tokens and every target `max_target_length`.
        source_length: tokens of a source where lengths are fixed, else None.
        max_target_length: of the training targets, the end id included; decoding stops there unless
            `search` says otherwise.
        search: how the evaluation searched, and so how `predict` does.
    """

    source: Vocabulary
    target: Vocabulary
    fixed_length: bool
    source_length: int | None
    max_target_length: int
    search: Search = Search()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        sides = {"source": self.source.to_json(), "target": self.target.to_json()}
        return {**vars(self), **sides, "search": vars(self.search)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> ModelFacts:
        """Read what `to_json` gave.

        Raises:
            Exception: `record` is something else.
        """
        sides = {side: Vocabulary.from_json(record[side]) for side in ("source", "target")}
        search = Search.from_spec(validated(TypeAdapter(EvaluationSpec), record["search"]))
        facts = cls(**{**record, **sides, "search": search})
        facts.check()
        return facts

    def check(self) -> None:
        """Raise `ValueError` where a length is none."""
        lengths = [self.max_target_length, *([] if self.source_length is None else [self.source_length])]
        if not all(type(length) is int and 1 <= length <= MAX_LENGTH for length in lengths):
            raise ValueError(f"lengths must be whole numbers from 1 to {MAX_LENGTH:,}, found {lengths}")
        if type(self.fixed_length) is not bool or (self.fixed_length and self.source_length is None):
            raise ValueError("fixed_length must be true or false, and true only beside a source_length")

    @property
    def columns(self) -> int:
        """The most symbols that any row is decoded to."""
        return (
            self.max_target_length if self.fixed_length else self.search.max_length or self.max_target_length
        )


Sources = Ids | Sequence[Sequence[int]]
"""Sources (n, S) int32, padded on the right, or the ids of each."""

Found = tuple[Ids, NDArray[np.float32]]
"""Hypotheses (n, K, T) int32, 0 after the end of each, and their scores (n, K)."""


@dataclass(frozen=True)
class TrainedModel(ModelPair):
    """The two inference models and what one must know to use them."""

    facts: ModelFacts

    def check(self) -> None:
        """Try out the last token of each vocabulary; see `ModelPair.check`."""
        length = self.facts.source_length or 2
        source = tf.fill([1, length], tf.constant(len(self.facts.source) - 1, tf.int32))
        symbol = tf.constant([[len(self.facts.target) - 1]], tf.int32)
        self.check_step(source, symbol, len(self.facts.target))

    def with_beam(self, width: int) -> TrainedModel:
        """Return the model with beam search, at least as wide."""
        search = self.facts.search
        wide = replace(search, decoder="beam", beam_width=max(width, search.beam_width))
        return replace(self, facts=replace(self.facts, search=wide))

    @cached_property
    def _wider(self) -> dict[int, TrainedModel]:
        """Models with beam search by how many targets were asked for: each is compiled once."""
        return {}

    @cached_property
    def decode(self) -> Callable[[Ids], Ids]:
        """A function from sources (n, S) to the best targets found, (n, `facts.columns`), int32."""
        search = self.compile_search()
        return lambda sources: search(sources)[0][:, 0]

    def compile_search(self) -> Callable[[Sources], Found]:
        """Return a function from sources to hypotheses (n, K, `facts.columns`) int32 and scores (n, K).

        Best first. K is the beam's width; greedy search finds one, whose score is NaN. Sources are an array
        (n, S) int32, or a list of ids each.
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
        """A function that yields the numbers of some sources and what was found for them, batch by batch;
        see `compile_search`.
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
        """How many hypotheses a search finds for each source."""
        return self.facts.search.width

    def _batches(self, sources: Sources, beam: int = 1) -> Iterator[tuple[LengthBatch, Ids]]:
        exact = self.facts.fixed_length
        rows = flat_rows(sources, exact=exact)
        for batch in plan_batches(rows.lengths, beam=beam, depth=self._depth, exact=exact):
            yield batch, batch.of(rows)

    @cached_property
    def _depth(self) -> int:
        """Width of the vector that a source's token enters the encoder as, where it is a one-hot vector."""
        embeds = any(isinstance(layer, keras.layers.Embedding) for layer in self.encoder.layers)
        return 1 if embeds else len(self.facts.source)

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
        """Return the most symbols of each row, (n,) int32."""
        most = tf.fill([tf.shape(source)[0]], self.facts.columns)
        factor = self.facts.search.max_length_factor
        if factor is None or self.facts.fixed_length:
            return most
        lengths = tf.reduce_sum(tf.cast(tf.not_equal(source, PAD), tf.float32), axis=1)
        return tf.minimum(most, tf.cast(tf.math.ceil(lengths * factor), tf.int32))

    def _step_function(self, source: Any, width: int) -> tuple[Callable[[Any, Any], tuple[Any, Any]], Any]:
        """Encode sources; return a step (see `decoding.step`) over `width` rows a source, and its states."""
        states, memory = self.begin(source, width)
        target = self.facts.target
        # no target has them, and text with them reads like text without: an n-best list would say it twice
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
        """Return where the decoder looked as it wrote each symbol, (n, T, S) float32; rows sum to 1.

        Args:
            sources: (n, S) int32.
            targets: (n, T) int32, the symbols written.
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
        """A function from sources, n > 0 of them, to the context of each."""
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
    """Return a search that has two threads take one half of the rows each, where it runs on a CPU.

    Each half is a loop of its own, of small operations one after another: they leave a second thread nothing
    to do otherwise. Whether there is one makes no difference to what is found.
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
    """Load what a job saved in its `model/` directory (or the job's directory itself).

    Raises:
        ModelDirectoryError: a file is missing or cannot be read.
    """
    return load_pair(directory, ModelFacts.from_json, TrainedModel)


def read_sources(
    lines: Iterable[str], facts: ModelFacts, name: str, first: int = 1, longest: int = LONGEST_SOURCE
) -> Iterator[list[int]]:
    """Yield the ids of one source a line; an empty line gives an empty source.

    Args:
        lines: text, with or without line ends.
        facts: the model's.
        name: of the input, for errors.
        first: the number of the first line, for errors.
        longest: most tokens of a line.

    Raises:
        InputError: a token that the vocabulary does not have, or a length that the model was not made for,
            or one that would take too much memory.
    """
    for number, line in enumerate(lines, first):
        tokens = facts.source.read(line)
        try:
            ids = facts.source.encode(tokens)
        except KeyError as error:
            raise InputError(
                f"{name}:{number}: token {error.args[0]!r} is not one the model knows; "
                f"known are {_shown(facts.source)}"
            ) from error
        if ids and facts.fixed_length and len(ids) != facts.source_length:
            raise InputError(
                f"{name}:{number}: {len(ids)} tokens, but this model reads exactly {facts.source_length}"
            )
        if len(ids) > longest:
            raise InputError(
                f"{name}:{number}: {len(ids):,} tokens, but a line may have {longest:,} at most; split it"
            )
        yield ids


def _shown(vocabulary: Vocabulary) -> str:
    tokens = [t for i, t in enumerate(vocabulary.tokens) if i not in (PAD, vocabulary.start, vocabulary.end)]
    return ", ".join(tokens) if len(tokens) <= 12 else f"{tokens[0]}, {tokens[1]}, ..., {tokens[-1]}"


def predict(model: TrainedModel, sources: Iterable[list[int]]) -> Iterator[str]:
    """Yield one target a source, in order, reading `MOST_SOURCES` at a time; an empty source gives ''."""
    for hypotheses in predict_best(model, sources, 1):
        yield hypotheses[0][1]


def predict_best(
    model: TrainedModel, sources: Iterable[list[int]], count: int
) -> Iterator[list[tuple[float, str]]]:
    """Yield the `count` best targets of each source with their scores, best first; an empty source gives ''.

    There are fewer where the model can write fewer. Scores are those of `decoding.beam`; NaN where the search
    is greedy. If reading the sources raises an `InputError`, those before it are predicted first.
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
    """Write the context of every source to a `.npz` file; return how many there were.

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
