"""A source's batch depends on its own length alone: its results are the same bits whatever is beside it."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from job.inference import length_batches
from job.inference.length_batches import (
    MAX_ROWS,
    MAX_TOKENS,
    MAX_VALUES,
    flat_rows,
    group_by_width,
    plan_batches,
)
from job.inference.model_facts import ModelFacts
from job.inference.source_lines import MAX_SOURCE_LENGTH
from job.inference.token_lines import predict_best
from job.inference.tokens import TrainedModel
from job.models.seq2seq import build_models
from job.problems.vocabulary import Vocabulary, pad
from job.spec.model_section import ModelSpec

SUMS = Vocabulary.learn("0123456789+", "", closed=True)
FACTS = ModelFacts(SUMS, SUMS, fixed_length=False, source_length=None, max_target_length=4)


def shapes(lengths, **keys):
    return [(batch.rows, batch.width) for batch in plan_batches(np.array(lengths), **keys)]


@pytest.mark.parametrize(
    ("length", "shape"),
    [
        (1, (1024, 8)),
        (8, (1024, 8)),
        (9, (1024, 16)),
        (33, (1024, 48)),
        (64, (1024, 64)),
        (65, (512, 96)),
        (1000, (64, 1024)),
        (20_000, (2, 24_576)),
        (MAX_SOURCE_LENGTH, (2, 32_768)),
    ],
)
def test_the_shape_of_a_batch_depends_on_the_length_of_its_sources(length, shape):
    assert shapes([length], on_gpu=True) == [shape]
    assert shapes([length]) == [(min(shape[0], 128), shape[1])]


def test_attention_scores_count_with_the_square_of_the_length():
    assert shapes([20], values_per_pair=8) == shapes([20])
    for length in (1000, 3000, MAX_SOURCE_LENGTH):
        ((rows, width),) = shapes([length], values_per_pair=4)
        assert rows == 1 or rows * width * width * 4 <= MAX_VALUES
    assert shapes([3000], values_per_pair=4) == [(2, 3072)]


def test_no_batch_has_more_tokens_than_fit_into_memory():
    lengths = np.arange(1, MAX_SOURCE_LENGTH + 1)
    for width, _ in group_by_width(lengths):
        for beam in (1, 4, 10, 100):
            for depth in (1, 40, 20_000):
                ((rows, _),) = shapes([width], beam=beam, values_per_token=depth, on_gpu=True)
                assert rows == 1 or rows * width * max(4, beam) <= 4 * MAX_TOKENS
                assert rows == 1 or rows * width * depth <= MAX_VALUES
                assert rows * beam <= 4 * MAX_ROWS
                assert rows & (rows - 1) == 0
    assert shapes([64], values_per_token=1024, values_per_source=1 << 20) == [
        (64, 64)
    ]  # 1024 * 64 + 2 ** 20 numbers for each row


def test_padding_is_less_than_half_of_a_long_batch():
    lengths = np.arange(8, MAX_SOURCE_LENGTH + 1)
    for width, chosen in group_by_width(lengths):
        assert (lengths[chosen] > width / 2 - 8).all()
        assert (lengths[chosen] <= width).all()


def test_every_source_is_in_one_batch_and_in_order():
    lengths = np.random.default_rng(1).integers(1, 100, 5000)
    batches = plan_batches(lengths)
    assert sorted(np.concatenate([batch.chosen for batch in batches])) == list(range(5000))
    assert all((np.diff(batch.chosen) > 0).all() for batch in batches)
    assert plan_batches(np.array([], int)) == []


def test_sources_of_one_fixed_length_are_not_padded():
    assert shapes([6] * 2000, exact=True) == [(1024, 6), (1024, 6)]


def test_a_batch_is_filled_up_with_its_first_source(monkeypatch):
    monkeypatch.setattr(length_batches, "MAX_ROWS", 4)
    rows = flat_rows([[1, 2], [3], [4] * 9])
    first, second = plan_batches(rows.lengths)
    assert first.ids_of(rows)[:, :3].tolist() == [[1, 2, 0], [3, 0, 0], [1, 2, 0], [1, 2, 0]]
    assert second.ids_of(rows).tolist() == [[4] * 9 + [0] * 7] * 4


@pytest.mark.parametrize("padded", [True, False])
def test_sources_are_the_same_padded_or_not(padded):
    sources = [[5, 6, 7], [8]]
    rows = flat_rows(pad(sources) if padded else sources)
    assert rows.ids.tolist() == [5, 6, 7, 8]
    assert rows.starts.tolist() == [0, 3, 4]


# --- the same bits ------------------------------------------------------------------------------------------

KINDS = {
    "none": {"layers": 2},
    "luong_dot": {"attention": "luong_dot", "cell": "gru", "bidirectional": True},
    "luong_general fed": {"attention": "luong_general", "input_feeding": True, "bidirectional": True},
    "transformer": {"architecture": "transformer", "heads": 2, "layers": 2},
    "bahdanau": {"attention": "bahdanau", "cell": "gru", "inputs": "embedding", "embedding_size": 5},
    "monotonic": {"attention": "monotonic", "bidirectional": True},
}


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    """A random model of 20 units, so that sums are long enough to differ by their order."""
    models = build_models(ModelSpec(units=20, **KINDS[request.param]), len(SUMS), len(SUMS), masked=True)
    random = np.random.default_rng(2)
    models.train.set_weights([random.normal(scale=0.5, size=w.shape) for w in models.train.weights])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(length_batches, "MAX_ROWS", 64)
        yield TrainedModel(models.inference_encoder, models.inference_decoder, FACTS)
    keras.utils.clear_session()


def sources_of(*lengths):
    random = np.random.default_rng(3)
    return [random.integers(4, len(SUMS), length).tolist() for length in lengths]


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
def test_predictions_and_scores_are_the_same_bits_alone_and_beside_long_sources(model, decoder):
    searching = replace(model, facts=replace(FACTS, search=replace(FACTS.search, decoder=decoder)))
    short = sources_of(*range(1, 17), 7, 7, 7)
    long = sources_of(300, 33)
    together = list(predict_best(searching, [long[0], *short, *long[1:]], 4))
    assert str(list(predict_best(searching, short, 4))) == str(together[1:-1])  # a greedy score is NaN
    for i in (0, 6, 15):
        assert str(list(predict_best(searching, [short[i]], 4))) == str(together[1 + i : 2 + i])
    backward = list(predict_best(searching, short[::-1], 4))
    assert str(backward[::-1]) == str(together[1:-1])


def test_contexts_are_the_same_bits_alone_and_beside_long_sources(model):
    short = sources_of(*range(1, 17))
    together = model.states([*sources_of(300), *short, *sources_of(33)])
    for name, states in model.states(short).items():
        assert np.array_equal(states, together[name][1:-1])
    for name, states in model.states([short[4]]).items():
        assert np.array_equal(states[0], together[name][5])
