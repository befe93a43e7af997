"""A short training of every architecture on fixed words ends as recorded in tests/golden/architectures.json.

`UPDATE_GOLDEN=1 pytest tests/unit/training/test_golden_runs.py -m ''` records all results again; read the
difference before committing: a change of the table is a change of what users' models learn.
"""

import os

import keras
import pytest
from golden_runs import (
    ARCHITECTURES,
    TABLE,
    TOLERANCE,
    first_losses,
    golden_run,
    record,
    recorded,
    same_losses,
)

from job.models import attention, monotonic, pointer, seq2seq, transformer, transformer_layers

pytestmark = pytest.mark.usefixtures("eagerly")

EXHAUSTIVE = {"lstm", "gru_bidirectional_attention", "lstm_luong_dot", "transformer_two_layers"}
"""Architectures whose parts the others have too."""


def marked(names):
    return [pytest.param(n, marks=pytest.mark.exhaustive) if n in EXHAUSTIVE else n for n in names]


def test_every_architecture_is_recorded():
    if not os.environ.get("UPDATE_GOLDEN"):
        assert [*recorded()] == [*ARCHITECTURES]


@pytest.mark.parametrize("name", marked(ARCHITECTURES))
def test_an_architecture_learns_what_it_has_always_learned(name):
    run = golden_run(ARCHITECTURES[name])
    if os.environ.get("UPDATE_GOLDEN"):
        known = {**(recorded() if TABLE.exists() else {}), name: run}
        record({each: known[each] for each in ARCHITECTURES if each in known})
    expected = recorded()[name]
    assert run.losses == pytest.approx(expected.losses, rel=TOLERANCE)
    assert run.validation_loss == pytest.approx(expected.validation_loss, rel=TOLERANCE)
    assert run.predictions == expected.predictions


# --- mistakes that the tolerance must not allow -------------------------------------------------------------


def without_mask(patch):
    """Padding of the source is read as if it were a symbol."""
    for module in (seq2seq, transformer):
        patch.setattr(module, "source_mask", lambda source, masked: keras.ops.ones_like(source, dtype="bool"))
    patch.setattr(seq2seq, "backward_order", lambda source, mask: None)


def negative_scores(patch):
    """Every attention prefers what it should avoid."""
    scores, softmax = keras.layers.Attention._calculate_scores, attention.masked_softmax
    transition, attend = monotonic.transition, transformer_layers.attend
    patch.setattr(
        keras.layers.Attention, "_calculate_scores", lambda self, query, key: -scores(self, query, key)
    )
    patch.setattr(attention, "masked_softmax", lambda x, mask: softmax(-x, mask))
    patch.setattr(monotonic, "transition", lambda x, before, mask: transition(-x, before, mask))
    patch.setattr(transformer_layers, "attend", lambda q, k, v, bias: attend(-q, k, v, bias))


def visible_future(patch):
    """A Transformer's decoder sees the symbols that it is to predict."""
    causal = transformer._causal
    patch.setattr(transformer, "_causal", lambda at: 0.0 * causal(at))


def both_forward(patch):
    """The second direction of the encoder reads from left to right, like the first."""
    patch.setattr(seq2seq, "run_backward", lambda layer, x, mask, order: layer(x, mask=mask))


def swapped_gate(patch):
    """A pointer-generator copies with the probability of generating."""
    mixture = pointer.Mixture.of.__func__
    patch.setattr(
        pointer.Mixture,
        "of",
        classmethod(lambda cls, logits, gate, weights, ids: mixture(cls, logits, -gate, weights, ids)),
    )


def copies_of_the_next(patch):
    """A pointer-generator copies the token after the one that it attends to."""
    mixture = pointer.Mixture.of.__func__
    patch.setattr(
        pointer.Mixture,
        "of",
        classmethod(
            lambda cls, logits, gate, weights, ids: mixture(
                cls, logits, gate, weights, keras.ops.roll(ids, -1, axis=1)
            )
        ),
    )


MISTAKES = [
    *[(without_mask, name) for name in ARCHITECTURES],
    *[
        (negative_scores, name)
        for name, model in ARCHITECTURES.items()
        if model.architecture == "transformer" or model.attention != "none"
    ],
    *[(visible_future, name) for name, model in ARCHITECTURES.items() if model.architecture == "transformer"],
    *[(both_forward, name) for name, model in ARCHITECTURES.items() if model.bidirectional],
    *[(swapped_gate, name) for name, model in ARCHITECTURES.items() if model.pointer],
    *[(copies_of_the_next, name) for name, model in ARCHITECTURES.items() if model.pointer],
]
USUAL = {
    (without_mask, "lstm_one_hot"),
    (without_mask, "transformer_rotary"),
    (negative_scores, "lstm_luong_general"),
    (negative_scores, "lstm_monotonic"),
    (negative_scores, "transformer_sinusoidal"),
    (visible_future, "transformer_rotary"),
    (both_forward, "lstm_bidirectional"),
    (swapped_gate, "lstm_pointer"),
    (copies_of_the_next, "transformer_pointer"),
}


@pytest.mark.parametrize(
    ("mistake", "name"),
    [pytest.param(*each, marks=[] if each in USUAL else pytest.mark.exhaustive) for each in MISTAKES],
)
def test_a_mistake_is_outside_of_the_tolerance(mistake, name, monkeypatch):
    expected = recorded()[name].losses[:2]
    mistake(monkeypatch)
    assert not same_losses(first_losses(ARCHITECTURES[name]), expected)
