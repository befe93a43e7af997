"""Weights of an earlier model, by token: against rows picked by hand."""

import numpy as np
import pytest

from job.inference.model_files import load_model_file
from job.models.earlier_weights import shared_ids, transferred_weights, weights_of
from job.models.frozen_parts import part_of
from job.models.seq2seq import build_models
from job.spec.model_section import ModelSpec

OLD = [("\0pad", 0), ("a", 1), ("b", 2), ("c", 3)]
NEW = [("\0pad", 0), ("b", 1), ("d", 2), ("c", 3), ("e", 4)]


@pytest.fixture
def shared():
    ids = shared_ids(OLD, NEW, (4, 5))
    return {"source": ids, "target": ids}


def rows(count, width, start):
    return np.arange(start, start + count * width, dtype=np.float32).reshape(count, width)


def test_rows_go_by_token_and_new_tokens_keep_their_initial_rows(shared):
    old = {"source_embedding/embeddings": rows(4, 2, 0)}
    new = {"source_embedding/embeddings": rows(5, 2, 100)}
    taken, wrong = transferred_weights(old, new, shared, one_hot=False)
    assert wrong == []
    assert taken["source_embedding/embeddings"].tolist() == [
        [0, 1], [4, 5], [104, 105], [6, 7], [108, 109],
    ]  # fmt: skip


def test_the_output_layer_goes_by_column(shared):
    old = {"logits/kernel": rows(2, 4, 0), "logits/bias": rows(1, 4, 0)[0]}
    new = {"logits/kernel": rows(2, 5, 100), "logits/bias": rows(1, 5, 100)[0]}
    taken, _ = transferred_weights(old, new, shared, one_hot=False)
    assert taken["logits/kernel"].tolist() == [[0, 2, 102, 3, 104], [4, 6, 107, 7, 109]]
    assert taken["logits/bias"].tolist() == [0, 2, 102, 3, 104]


def test_other_inputs_behind_the_one_hot_tokens_are_kept(shared):
    path = "decoder/cell_1/kernel"
    taken, wrong = transferred_weights({path: rows(6, 1, 0)}, {path: rows(7, 1, 100)}, shared, one_hot=True)
    assert wrong == []
    assert taken[path][:, 0].tolist() == [0, 2, 102, 3, 104, 4, 5]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"decoder_2/cell/kernel": (8, 32)}, {"decoder_2/cell/kernel": (16, 64)}),
        ({"logits/kernel": (8, 4)}, {"logits/kernel": (16, 5)}),
        ({"decoder/cell_1/kernel": (4 + 8, 2)}, {"decoder/cell_1/kernel": (5 + 16, 2)}),
        ({}, {"memory/kernel": (8, 8)}),
    ],
)
def test_weights_that_do_not_fit_are_named(shared, old, new):
    arrays = [{path: np.zeros(shape, np.float32) for path, shape in side.items()} for side in (old, new)]
    _, (clause,) = transferred_weights(*arrays, shared, one_hot=True)
    (path,) = new
    assert path in clause
    assert ("missing" in clause) == (not old)


MODELS = {
    "one-hot": {},
    "bahdanau": {"attention": "bahdanau"},
    "embedded": {"inputs": "embedding", "embedding_size": 3, "bidirectional": True, "layers": 2},
    "fed": {"attention": "luong_general", "input_feeding": True, "cell": "gru"},
    "monotonic": {"attention": "monotonic"},
    "transformer": {"architecture": "transformer", "heads": 2, "units": 8, "positions": "learned"},
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_every_variable_that_depends_on_a_vocabulary_is_known(options):
    """A model with one token more takes all weights over, and the new token's alone are its own."""
    spec = ModelSpec(**{"units": 4, **options})
    small, large = (weights_of(build_models(spec, size, size, masked=True).train) for size in (11, 12))
    names = [(str(i), i) for i in range(11)]
    ids = shared_ids(names, [*names, ("new", 11)], (11, 12))
    one_hot = spec.architecture == "recurrent" and spec.inputs == "one_hot"
    taken, wrong = transferred_weights(small, large, {"source": ids, "target": ids}, one_hot=one_hot)
    assert wrong == []
    assert taken.keys() == large.keys()
    for path, value in taken.items():
        assert value.shape == large[path].shape
        if value.shape == small[path].shape:
            np.testing.assert_array_equal(value, small[path])


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_saved_model_has_the_same_names(options, tmp_path):
    model = build_models(ModelSpec(**{"units": 4, **options}), 11, 12, masked=True).train
    model.save(tmp_path / "train.keras")
    loaded = weights_of(load_model_file(tmp_path / "train.keras"))
    for (name, value), (other, found) in zip(weights_of(model).items(), loaded.items(), strict=True):
        assert name == other
        np.testing.assert_array_equal(value, found)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_every_layer_with_weights_belongs_to_the_part_of_its_name(options):
    model = build_models(ModelSpec(**{"units": 4, **options}), 11, 12, masked=True).train
    parts = {layer.name: part_of(layer.name) for layer in model.layers if layer.weights}
    assert {part for name, part in parts.items() if name.startswith("encoder")} == {"encoder"}
    assert {part for name, part in parts.items() if name.startswith("decoder")} == {"decoder"}
    outputs = {name for name, part in parts.items() if part == "output"}
    assert outputs == {"monotonic_output" if options.get("attention") == "monotonic" else "logits"}
    assert {part for name, part in parts.items() if "embedding" in name or "positions" in name} <= {
        "embeddings"
    }
