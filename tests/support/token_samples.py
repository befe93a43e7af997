"""Vocabularies and facts of token models, and models with random weights that decode them."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from job.inference.model_facts import ModelFacts
from job.inference.tokens import TrainedModel
from job.models.seq2seq import build_models
from job.problems.normalization import TextNormalization
from job.problems.vocabulary import Vocabulary, pad
from job.spec.model_section import ModelSpec

SUMS = Vocabulary.learn("0123456789+", "", closed=True)
WORDS = Vocabulary.learn(["the", "cat", "sat"], " ")
NUMBERS = Vocabulary.integers(51)
FIXED = ModelFacts(NUMBERS, NUMBERS, fixed_length=True, source_length=3, max_target_length=2)
FREE = ModelFacts(SUMS, SUMS, fixed_length=False, source_length=None, max_target_length=4)
OPEN = ModelFacts(WORDS, WORDS, fixed_length=False, source_length=None, max_target_length=4)
SMALL = Vocabulary.learn("caf\u00e9 ", "", reading=TextNormalization(lowercase=True, normalize="NFC"))
READ = ModelFacts(SMALL, SMALL, fixed_length=False, source_length=None, max_target_length=4)
SOURCES = ["1+2", "34", "5+6+7", "8"]


def sources_of(evaluated):
    return [SUMS.encode(line["source"]) for line in evaluated]


def searching(model, **keys):
    """Return a model that searches otherwise."""
    return replace(model, facts=replace(model.facts, search=replace(model.facts.search, **keys)))


@dataclass(frozen=True)
class Tiny:
    """A model with random weights, and its training model, which says what it should do."""

    spec: ModelSpec
    train: keras.Model
    trained: TrainedModel

    @property
    def sources(self):
        return pad([SUMS.encode(source) for source in SOURCES])

    def log_probabilities(self, sources, targets):
        """Return log P of every next symbol where `targets` were written, (n, T, V).

        Padding and start are never written.
        """
        before = np.concatenate([np.full_like(targets[:, :1], SUMS.start), targets[:, :-1]], axis=1)
        logits = self.train([sources, before]).numpy().astype(np.float64)
        logits[:, :, [0, SUMS.start]] = -np.inf
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def tiny_model(bias=0.0, **keys):
    """Return a random model over `SUMS`; `bias` is added to the logits of padding, start and end."""
    spec = ModelSpec(units=4, **keys)
    models = build_models(spec, len(SUMS), len(SUMS), masked=True)
    random = np.random.default_rng(2)
    models.train.set_weights([random.normal(scale=0.8, size=w.shape) for w in models.train.weights])
    if spec.attention == "monotonic":
        biases = models.train.get_layer("monotonic_output").emission.bias
    else:
        biases = models.train.get_layer("logits").bias
    biases.assign(biases + bias * np.isin(np.arange(len(SUMS)), [0, SUMS.start, SUMS.end]))
    facts = replace(FREE, max_target_length=3)
    return Tiny(spec, models.train, TrainedModel(models.inference_encoder, models.inference_decoder, facts))
