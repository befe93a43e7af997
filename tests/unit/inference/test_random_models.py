"""Models of every kind with random weights decode what their training model says."""

import numpy as np
import pytest
from oracle.seq2seq import EncoderDecoder
from token_samples import SOURCES, SUMS, searching, tiny_model

from job.inference import length_batches
from job.problems.vocabulary import pad

KINDS = {
    "none": {"layers": 2},
    "luong_dot": {"attention": "luong_dot", "cell": "gru"},
    "luong_general fed": {"attention": "luong_general", "input_feeding": True, "bidirectional": True},
    "bahdanau": {"attention": "bahdanau", "cell": "gru", "layers": 2},
    "monotonic": {"attention": "monotonic", "layers": 2, "residual": True},
}


@pytest.fixture
def endless(monkeypatch):
    """A model that writes on and on."""
    monkeypatch.setattr(length_batches, "MAX_ROWS", 4)
    return tiny_model(bias=-100.0).trained


@pytest.fixture(scope="module", params=KINDS)
def of_a_kind(request):
    return tiny_model(**KINDS[request.param])


@pytest.fixture
def tiny(of_a_kind, monkeypatch):
    monkeypatch.setattr(length_batches, "MAX_ROWS", len(SOURCES))
    return of_a_kind


def test_greedy_search_writes_the_likeliest_symbol_at_every_step(tiny):
    (found,) = zip(*tiny.trained.compile_search()(tiny.sources)[0], strict=True)
    likeliest = tiny.log_probabilities(tiny.sources, np.array(found)).argmax(axis=-1)
    for row, expected in zip(found, likeliest, strict=True):
        length = length_of(row)
        assert row[:length].tolist() == expected[:length].tolist()
        assert not row[length:].any()


def test_the_score_of_every_hypothesis_is_its_log_probability_under_the_training_model(tiny):
    beam = searching(tiny.trained, decoder="beam", beam_width=3, length_penalty=0.6)
    found, scores = beam.compile_search()(tiny.sources)
    for k in range(3):
        logs = tiny.log_probabilities(tiny.sources, found[:, k])
        for row, log, score in zip(found[:, k], logs, scores[:, k], strict=True):
            length = length_of(row)
            total = sum(log[t, row[t]] for t in range(length))
            assert score == pytest.approx(total / ((5 + length) / 6) ** 0.6, rel=1e-5)


def length_of(row):
    """Symbols of a row of ids, the end counted."""
    return row.tolist().index(SUMS.end) + 1 if SUMS.end in row else len(row)


def test_attention_weights_agree_with_the_papers_equations(tiny):
    assert tiny.trained.attends == (tiny.spec.attention != "none")
    if not tiny.trained.attends:
        return
    written = np.array([SUMS.encode(text) for text in ("345", "301", "999", "123")], np.int32)
    weights = tiny.trained.attention(tiny.sources, written)
    assert weights.shape == (4, 3, tiny.sources.shape[1])
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    paper = EncoderDecoder(tiny.spec, tiny.train)
    for row, symbols, looked in zip(SOURCES, written, weights, strict=True):
        source = SUMS.encode(row)
        _, expected = paper.logits(source, [SUMS.start, *symbols[:-1]])
        np.testing.assert_allclose(looked[:, : len(source)], expected, atol=2e-6)
        assert not looked[:, len(source) :].any()


def test_attention_follows_the_symbols_that_were_written(model):
    sources = pad([SUMS.encode(text) for text in ("1+2", "1+2")])
    weights = model.attention(sources, pad([SUMS.encode(text) for text in ("345", "378")]))
    same = np.abs(weights[0] - weights[1]).max(axis=-1) < 1e-7
    assert same.tolist() == [True, True, False]  # the second symbol is read at the third step


LIMITS = [  # for sources of 1, 3 and 6 tokens, where the longest target of training has 3
    ("greedy", {}, [3, 3, 3]),
    ("greedy", {"max_length": 2}, [2, 2, 2]),
    ("greedy", {"max_length": 8}, [8, 8, 8]),
    ("greedy", {"max_length_factor": 0.5}, [1, 2, 3]),
    ("greedy", {"max_length": 2, "max_length_factor": 0.4}, [1, 2, 2]),
    ("beam", {"max_length": 8, "max_length_factor": 0.3}, [1, 1, 2]),
    ("beam", {"max_length": 8, "max_length_factor": 1.0}, [1, 3, 6]),
    ("beam", {"max_length": 2}, [2, 2, 2]),
]


@pytest.mark.parametrize(("decoder", "keys", "lengths"), LIMITS)
def test_a_target_without_an_end_is_as_long_as_the_keys_allow(endless, decoder, keys, lengths):
    limited = searching(endless, decoder=decoder, **keys)
    ids, _ = limited.compile_search()(pad([SUMS.encode("1+2+34"[:length]) for length in (1, 3, 6)]))
    assert [{np.count_nonzero(row) for row in rows} for rows in ids] == [{length} for length in lengths]
    assert all(np.all(rows[:, :length] > 0) for rows, length in zip(ids, lengths, strict=True))
