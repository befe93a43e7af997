"""Models of every architecture with random weights, and what the papers say that they compute."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Any

import numpy as np
import tensorflow as tf
from oracle.seq2seq import EncoderDecoder

from job.models.seq2seq import Models, build_models, build_training_model
from job.spec.model_section import ModelSpec

SIZE = 7  # of both vocabularies, or they could not have one embedding
SOURCES = [[3, 4, 5, 6], [2], [6, 1]]
DECODER_INPUT = tf.constant([[1, 5, 2], [1, 3, 3], [1, 4, 0]])
FULL = tf.constant([[3, 4, 5], [2, 6, 1]])

CHOICES = {
    "cell": ("lstm", "gru"),
    "layers": (1, 2),
    "bidirectional": (False, True),
    "attention": (
        "none",
        "luong_dot",
        "luong_general",
        "luong_dot fed",
        "luong_general fed",
        "bahdanau",
        "monotonic",
    ),
    "inputs": ("one_hot", "embedding", "tied"),
    "residual": (False, True),
}


def architecture(cell, layers, bidirectional, attention, inputs, residual):
    return dict(zip(CHOICES, (cell, layers, bidirectional, attention, inputs, residual), strict=True))


SOME = [
    architecture("lstm", 1, False, "none", "one_hot", False),
    architecture("gru", 1, False, "luong_dot", "embedding", False),
    architecture("lstm", 2, True, "luong_general", "embedding", True),
    architecture("gru", 2, False, "none", "one_hot", False),
    architecture("gru", 1, True, "luong_general fed", "one_hot", False),
    architecture("lstm", 2, False, "bahdanau", "tied", True),
    architecture("gru", 2, True, "monotonic", "embedding", True),
    architecture("lstm", 1, False, "monotonic", "one_hot", False),
]


def meetings(chosen):
    """Every two choices of an architecture, and every three of those that the recurrences depend on."""
    choices = list(chosen.items())
    return {*combinations(choices, 2), *combinations(choices[:4], 3)}


def covering(some):
    """Return `some` and as many more architectures as it takes for all choices to meet in one at least."""
    every = [architecture(*values) for values in product(*CHOICES.values())]
    every = [chosen for chosen in every if chosen["layers"] > 1 or not chosen["residual"]]
    missing = {meeting for chosen in every for meeting in meetings(chosen)}
    chosen = []
    while missing:
        best = max([*some[len(chosen) :][:1]] or every, key=lambda other: len(meetings(other) & missing))
        chosen.append(best)
        missing -= meetings(best)
    return chosen


ARCHITECTURES = covering(SOME)
WITHOUT_MASK = [
    architecture("lstm", 2, True, "luong_dot", "one_hot", True),
    architecture("gru", 1, True, "none", "embedding", False),
    architecture("gru", 1, False, "luong_general", "one_hot", False),
    architecture("lstm", 1, False, "bahdanau", "tied", False),
    architecture("lstm", 1, True, "monotonic", "one_hot", False),
]


def named(chosen):
    return "-".join(f"{value}" for value in chosen.values())


def model_spec(chosen, **others):
    attention, _, feeding = chosen["attention"].partition(" ")
    tied = chosen["inputs"] == "tied"
    inputs = "embedding" if tied else chosen["inputs"]
    rest = {"attention": attention, "input_feeding": bool(feeding), "inputs": inputs, "tied_embeddings": tied}
    return ModelSpec(units=3, embedding_size=4, **{**chosen, **rest}, **others)


def padded(rows, width):
    return tf.constant([row + [0] * (width - len(row)) for row in rows])


def randomise(model):
    """Give every weight a value of its own, biases too: zeros would hide a bias in the wrong place."""
    random = np.random.default_rng(3)
    model.set_weights([random.normal(scale=0.7, size=w.shape) for w in model.weights])


def check_shared_variables(models):
    """Check that the three models hold the same variables, each of a name of its own."""
    shared, *inference = (
        {id(weight) for weight in model.weights}
        for model in (models.train, models.inference_encoder, models.inference_decoder)
    )
    # the encoder of a Transformer has the projections that each decoder layer reads, so both are needed
    assert set.union(*inference) == shared
    names = [weight.path for weight in models.train.weights]
    assert len(set(names)) == len(names)


def listed(outputs):
    """Return a model's outputs as a list, without the masks that Keras hangs on them."""
    return [tf.identity(x) for x in (outputs if isinstance(outputs, list | tuple) else [outputs])]


@dataclass(frozen=True)
class Built:
    """One architecture with random weights, and what it says when it is given `source`, `decoder_input`."""

    spec: ModelSpec
    models: Models
    masked: bool
    numbers: bool
    source: Any
    decoder_input: Any
    logits: Any

    @property
    def attends(self):
        return self.spec.attention != "none"

    @property
    def states(self):
        """The names of the decoder's states."""
        kinds = ("h", "c") if self.spec.cell == "lstm" else ("h",)
        fed = ["fed"] if self.spec.input_feeding else []
        aligned = ["alignment", "output"] if self.spec.attention == "monotonic" else []
        return [f"{kind}{i + 1}" for i in range(self.spec.layers) for kind in kinds] + fed + aligned

    @cached_property
    def fused(self):
        """The training model over the fused kernel, of the same weights."""
        sizes = [side.shape[-1] if self.numbers else SIZE for side in (self.source, self.decoder_input)]
        fused = build_training_model(
            self.spec, *sizes, masked=self.masked, kernel="fused", numbers=self.numbers
        )
        fused.set_weights(self.models.train.get_weights())
        return fused

    def oracle(self):
        """Return logits (B, T, V) and the attention weights, a list of (T, S), from the papers' equations."""
        paper = EncoderDecoder(self.spec, self.models.train, numbers=self.numbers)
        sources = SOURCES if self.masked else self.source.numpy()
        found = [paper.logits(*rows) for rows in zip(sources, self.decoder_input.numpy(), strict=True)]
        return [logits for logits, _ in found], [weights for _, weights in found]

    def begin(self, fed=tf.zeros_like):
        """Return the decoder's first states and its further inputs; `fed` makes those of no encoder."""
        states = listed(self.models.inference_encoder(self.source))
        memory = [states.pop()] if self.attends else []
        memory += [self.source] if self.attends and self.masked else []
        return states + [fed(states[0])] * (len(self.states) - len(states)), memory

    def step_by_step(self):
        """Return the logits (B, T, V) and the attention weights (B, T, S) of the two inference models."""
        states, memory = self.begin()
        logits, attention = [], []
        for t in range(self.decoder_input.shape[1]):
            given = [self.decoder_input[:, t : t + 1], *states, *memory]
            row, *rest = self.models.inference_decoder(given)
            states = rest[: len(states)]
            logits.append(row)
            attention.append(rest[-1] if self.attends else None)
        return np.concatenate(logits, axis=1), np.concatenate(attention, axis=1) if self.attends else None


def build(chosen, *, masked=True):
    """Return an architecture that reads ids: `SOURCES`, or `FULL` where it has no mask."""
    source = padded(SOURCES, 4) if masked else FULL
    decoder_input = DECODER_INPUT[: len(source)]
    spec = model_spec(chosen)
    models = build_models(spec, SIZE, SIZE, masked=masked)
    randomise(models.train)
    logits = models.train([source, decoder_input]).numpy()
    return Built(spec, models, masked, False, source, decoder_input, logits)
