"""Greedy search, beam search and forecasts of a Transformer with cached keys and values, against the same
searches over the oracle, which computes every step anew from all symbols before it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from oracle.seq2seq import greedy
from oracle.transformer import Transformer

from job.inference.model_facts import ModelFacts, Search
from job.inference.numbers import Forecaster
from job.inference.token_lines import encode, predict_best
from job.inference.tokens import TrainedModel
from job.models.seq2seq import build_models
from job.problems.vocabulary import Vocabulary, pad
from job.problems.windows import Series
from job.spec.model_section import ModelSpec

LETTERS = Vocabulary.learn("abc", "", closed=True)
LENGTH = 5
FACTS = ModelFacts(LETTERS, LETTERS, fixed_length=False, source_length=None, max_target_length=LENGTH)
SOURCES = [LETTERS.encode(text) for text in ("abc", "b", "cab", "aabbccabc", "ca")]
IMPOSSIBLE = (0, LETTERS.start)

SPECS = {
    "rotary": {"layers": 2, "heads": 2},
    "sinusoidal": {"positions": "sinusoidal", "heads": 1},
    "learned": {"positions": "learned", "max_positions": 4},
}


def build(name, *sizes, numbers=False):
    spec = ModelSpec(architecture="transformer", units=8, **SPECS[name])
    models = build_models(spec, *sizes, masked=not numbers, numbers=numbers)
    random = np.random.default_rng(11)
    models.train.set_weights([random.normal(scale=0.8, size=w.shape) for w in models.train.weights])
    return models, Transformer(spec, models.train, numbers=numbers)


@pytest.fixture(scope="module", params=SPECS)
def both(request):
    """A model, and the log-probabilities of the symbols after some by the oracle."""
    models, oracle = build(request.param, len(LETTERS), len(LETTERS))
    model = TrainedModel(models.inference_encoder, models.inference_decoder, FACTS)

    @cache
    def find(source, symbols):
        logits = oracle.logits(source, [LETTERS.start, *symbols])[0][-1]
        logits[[*IMPOSSIBLE]] = -np.inf
        return logits - np.log(np.exp(logits).sum())

    return model, oracle, lambda source, symbols: find(tuple(source), tuple(symbols))


def with_search(model, **keys):
    return replace(model, facts=replace(model.facts, search=Search(**keys)))


def test_greedy_search_is_that_of_the_oracle(both):
    model, _, following = both
    found = model.decode(SOURCES)
    for source, ids in zip(SOURCES, found, strict=True):
        expected = greedy(
            lambda symbol, before, source=source: (
                following(source, [*before, symbol][1:]),
                [*before, symbol],
            ),
            [], LETTERS.start, LETTERS.end, LENGTH,
        )  # fmt: skip
        assert ids.tolist() == pad([expected, [0] * LENGTH])[0].tolist()


def beam_of_the_oracle(following, width, alpha):
    """Return the best `width` targets with their scores, best first."""
    beam = [(0.0, 0.0, [], False)]  # score, log-probability, symbols, ended
    for _ in range(LENGTH):
        grown = []
        for score, total, symbols, ended in beam:
            if ended:
                grown.append((score, total, symbols, True))
                continue
            for symbol, log in enumerate(following(symbols)):
                longer, sum_ = [*symbols, symbol], total + log
                ends = symbol == LETTERS.end or len(longer) == LENGTH
                grown.append((sum_ / ((5 + len(longer)) / 6) ** alpha, sum_, longer, ends))
        beam = sorted(grown, key=lambda one: -one[0])[:width]
    return [(score, symbols) for score, _, symbols, _ in beam]


@pytest.mark.parametrize(("width", "alpha"), [(1, 0.6), (3, 0.6), (8, 0.0)])
def test_beam_search_is_that_of_the_oracle(both, width, alpha):
    model, _, following = both
    search = with_search(model, decoder="beam", beam_width=width, length_penalty=alpha).compile_search()
    ids, scores = search(SOURCES)
    for row, source in enumerate(SOURCES):
        expected = beam_of_the_oracle(lambda symbols, s=source: following(s, symbols), width, alpha)
        assert ids[row].tolist() == [symbols + [0] * (LENGTH - len(symbols)) for _, symbols in expected]
        np.testing.assert_allclose(scores[row], [score for score, _ in expected], atol=1e-5)


def test_the_attention_is_that_of_the_oracle(both):
    model, oracle, _ = both
    decoded = model.decode(SOURCES)
    weights = model.attention(pad(SOURCES), decoded)
    for row, source in enumerate(SOURCES):
        _, expected = oracle.logits(source, [LETTERS.start, *decoded[row][:-1]])
        np.testing.assert_allclose(weights[row, :, : len(source)], expected, atol=3e-6)


def test_encode_writes_one_context_for_each_source(both, tmp_path):
    model, oracle, _ = both
    assert encode(model, SOURCES, tmp_path / "contexts.npz") == len(SOURCES)
    with np.load(tmp_path / "contexts.npz") as arrays:
        assert arrays.files == ["ids", "context"]
        expected = [oracle.encode(source).mean(axis=0) for source in SOURCES]
        np.testing.assert_allclose(arrays["context"], expected, atol=1e-5)


def test_an_n_best_list_has_the_probabilities_of_its_targets(both):
    model, _, following = both
    searching = with_search(model, decoder="beam", beam_width=4, length_penalty=0.0)
    for source, hypotheses in zip(SOURCES, predict_best(searching, SOURCES, 4), strict=True):
        assert len({text for _, text in hypotheses}) == len(hypotheses) == 4
        for score, text in hypotheses:
            symbols = [*LETTERS.encode(text), LETTERS.end][:LENGTH]
            total = sum(following(source, symbols[:t])[symbol] for t, symbol in enumerate(symbols))
            assert score == pytest.approx(total, abs=1e-5)


def test_the_coverage_penalty_is_of_the_attention_of_a_target(both):
    """Wu et al. 2016, equation 14, by the oracle's attention: of every target that is found."""
    model, oracle, following = both
    keys = {"decoder": "beam", "beam_width": 5, "length_penalty": 0.5}
    ids, scores = with_search(model, coverage_penalty=0.7, **keys).compile_search()(SOURCES)
    plain = with_search(model, **keys).compile_search()(SOURCES)[0]
    assert not np.array_equal(ids, plain)  # it decides
    for row, source in enumerate(SOURCES):
        for target, score in zip(ids[row].tolist(), scores[row], strict=True):
            symbols = target[: target.index(LETTERS.end) + 1] if LETTERS.end in target else target
            total = sum(following(source, symbols[:t])[symbol] for t, symbol in enumerate(symbols))
            _, attention = oracle.logits(source, [LETTERS.start, *symbols[:-1]])
            covered = np.log(np.minimum(attention.sum(axis=0), 1)).sum()
            expected = total / ((5 + len(symbols)) / 6) ** 0.5 + 0.7 * covered
            assert score == pytest.approx(expected, abs=2e-5)


def test_a_sample_depends_on_its_source_and_the_seed_alone(both):
    model, _, following = both
    sampling = with_search(model, decoder="sample", temperature=1.5).compile_search()
    ids, scores = sampling(SOURCES)
    for row, source in enumerate(SOURCES):
        symbols = ids[row, 0].tolist()
        symbols = symbols[: symbols.index(LETTERS.end) + 1] if LETTERS.end in symbols else symbols
        total = sum(following(source, symbols[:t])[symbol] for t, symbol in enumerate(symbols))
        assert scores[row, 0] == pytest.approx(total, abs=2e-5)
        alone, _ = sampling([source])
        assert np.array_equal(alone[0], ids[row])
    other, _ = with_search(model, decoder="sample", temperature=1.5, sample_seed=1).compile_search()(SOURCES)
    assert not np.array_equal(other, ids)
    cold, _ = with_search(model, decoder="sample", top_k=1).compile_search()(SOURCES)
    assert np.array_equal(cold[:, 0], model.decode(SOURCES))


@pytest.mark.parametrize("name", SPECS)
def test_a_forecast_feeds_each_value_to_the_next_step(name):
    models, oracle = build(name, 2, 1, numbers=True)
    series = Series(
        columns=("y", "a"), unit="", source_length=4, target_length=3, logarithm=False, differencing=0,
        centers=(0.0, 0.0), scales=(1.0, 1.0), decimals=3,
    )  # fmt: skip
    forecaster = Forecaster(models.inference_encoder, models.inference_decoder, series)
    forecaster.check()
    history = np.random.default_rng(4).normal(size=(3, 4, 2))
    found = forecaster.forecast(history)
    for row, source in enumerate(history.astype(np.float32)):
        values = [source[-1, :1]]
        for _ in range(3):
            values.append(oracle.logits(source, np.array(values))[0][-1])
        np.testing.assert_allclose(found[row], np.concatenate(values[1:]), atol=1e-4)
    contexts = forecaster.contexts(history)
    assert {name: state.shape for name, state in contexts.items()} == {"context": (3, 8)}


def test_models_of_different_jobs_are_told_apart():
    (one, _), (other, _) = build("rotary", 6, 6), build("learned", 6, 6)
    with pytest.raises((ValueError, KeyError, TypeError, tf.errors.InvalidArgumentError)):
        TrainedModel(one.inference_encoder, other.inference_decoder, FACTS).check()
    models, _ = build("rotary", len(LETTERS), len(LETTERS))
    TrainedModel(models.inference_encoder, models.inference_decoder, FACTS).check()
