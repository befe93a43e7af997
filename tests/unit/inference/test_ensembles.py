"""Models that decode together, against the same search over the mean of the oracles' probabilities."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from oracle.transformer import Transformer

from job.errors import ModelDirectoryError
from job.inference.ensembles import TokenEnsemble, combine
from job.inference.model_facts import ModelFacts, Search
from job.inference.token_lines import SavedTokenModel
from job.models.seq2seq import build_models
from job.problems.vocabulary import Vocabulary
from job.spec.model_section import ModelSpec

LETTERS = Vocabulary.learn("ab", "", closed=True)
LENGTH = 3
FACTS = ModelFacts(LETTERS, LETTERS, fixed_length=False, source_length=None, max_target_length=LENGTH)
SOURCES = [LETTERS.encode(text) for text in ("ab", "b", "baabb")]


@pytest.fixture(scope="module")
def both():
    """Two models of one architecture with other weights, and their oracles."""
    spec = ModelSpec(architecture="transformer", units=8, layers=1, heads=2)
    models, oracles = [], []
    for seed in (3, 4):
        built = build_models(spec, len(LETTERS), len(LETTERS), masked=True)
        random = np.random.default_rng(seed)
        built.train.set_weights([random.normal(scale=0.8, size=w.shape) for w in built.train.weights])
        models.append(SavedTokenModel(built.inference_encoder, built.inference_decoder, FACTS))
        oracles.append(Transformer(spec, built.train))
    return models, oracles


def following(oracles, source, symbols):
    """Return the log of the mean probability of each next symbol."""
    probabilities = []
    for oracle in oracles:
        logits = oracle.logits(source, [LETTERS.start, *symbols])[0][-1].astype(np.float64)
        logits[[0, LETTERS.start]] = -np.inf
        probabilities.append(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())
    with np.errstate(divide="ignore"):  # of symbols that no target has
        return np.log(np.mean(probabilities, axis=0))


def every_target(oracles, source):
    """Return each possible target with its log-probability, the most probable first."""
    symbols = [LETTERS.end, *LETTERS.encode("ab")]
    found = {}
    for drawn in product(symbols, repeat=LENGTH):
        target = drawn[: drawn.index(LETTERS.end) + 1] if LETTERS.end in drawn else drawn
        if target not in found:
            logs = [following(oracles, source, target[:t])[symbol] for t, symbol in enumerate(target)]
            found[target] = sum(logs)
    return sorted(found.items(), key=lambda item: -item[1])


def padded(target):
    return [*target, *[0] * (LENGTH - len(target))]


def test_a_beam_that_holds_every_target_ranks_them_by_the_mean_probability(both):
    models, oracles = both
    search = Search(decoder="beam", beam_width=20, length_penalty=0.0)
    together = replace(combine({"one": models[0], "two": models[1]}), facts=replace(FACTS, search=search))
    ids, scores = together.compile_search()(SOURCES)
    for row, source in enumerate(SOURCES):
        expected = every_target(oracles, source)
        assert len(expected) == 15
        assert ids[row, :15].tolist() == [padded(target) for target, _ in expected]
        np.testing.assert_allclose(scores[row, :15], [total for _, total in expected], atol=1e-5)


def test_greedy_search_takes_the_symbol_of_the_largest_mean_probability(both):
    models, oracles = both
    found = TokenEnsemble(FACTS, tuple(models)).decode(SOURCES)
    for source, ids in zip(SOURCES, found.tolist(), strict=True):
        symbols = []
        while len(symbols) < LENGTH and symbols[-1:] != [LETTERS.end]:
            symbols.append(int(np.argmax(following(oracles, source, symbols))))
        assert ids == padded(symbols)


def test_sampling_depends_on_the_sources_alone(both):
    models, _ = both
    facts = replace(FACTS, search=Search(decoder="sample", sample_seed=5))
    together = TokenEnsemble(facts, tuple(models))
    assert together.decode(SOURCES)[1].tolist() == together.decode(SOURCES[1:2])[0].tolist()


def test_models_of_other_vocabularies_are_refused_by_name(both):
    models, _ = both
    other = replace(models[1], facts=replace(FACTS, target=Vocabulary.learn("xy", "", closed=True)))
    with pytest.raises(ModelDirectoryError, match=r"^one and two cannot decode together: .*\(target\)"):
        combine({"one": models[0], "two": other})
