"""Fitting: steps, history and the same bits however it is divided."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitting import COPY, PLAIN, USUAL, trained, without_seconds

from job.models.seq2seq import build_training_model
from job.problems.addition import Addition
from job.problems.base import Examples
from job.problems.integers import Copy
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import AdditionSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.training import compiled_loop, state, validation
from job.training.batch_groups import CallLimits
from job.training.compiled_loop import CompiledLoop, compile_loop
from job.training.fit import fit
from job.training.objectives import masked_loss, shifted


@pytest.fixture(scope="module")
def usual():
    """An ordinary run of six steps, with a row of history each: what it returned, and its weights."""
    model, fitted = trained(Copy(COPY, 1), USUAL)
    return fitted, model.get_weights()


def test_a_tiny_problem_is_learned_completely():
    spec = TrainingSpec(examples=6400, batch_size=32, optimizer=OptimizerSpec(learning_rate=0.03))
    _, fitted = trained(Copy(COPY, 1), spec, model=ModelSpec(units=24), validation_examples=200)
    last = fitted.history[-1]
    assert last.val_sequence_accuracy == last.val_token_accuracy == 1.0
    assert last.val_loss < 0.05
    assert fitted.history[0].loss > 1.0


@pytest.mark.usefixtures("eagerly")
def test_steps_epochs_and_examples_add_up_with_a_smaller_last_batch():
    seen = []

    class Recorded(Copy):
        def batch(self, epoch, index, batch_size, examples):
            source, target = super().batch(epoch, index, batch_size, examples)
            if batch_size > 1:  # fit asks for one example to learn the lengths
                seen.append((epoch, index, len(source)))
            return source, target

    spec = TrainingSpec(examples=70, batch_size=16, epochs=3, optimizer=PLAIN)
    _, fitted = trained(Recorded(COPY, 1), spec)
    sizes = [16, 16, 16, 16, 6]
    assert seen == [(epoch, i, size) for epoch in range(3) for i, size in enumerate(sizes)]
    assert (fitted.steps, fitted.examples, fitted.epochs) == (15, 210, 3)
    assert not fitted.stopped_early
    assert fitted.best_epoch is None
    assert [row.step for row in fitted.history] == list(range(1, 16))
    assert [row.epoch for row in fitted.history] == [1] * 5 + [2] * 5 + [3] * 5
    assert [row.examples for row in fitted.history] == np.cumsum(sizes * 3).tolist()
    validated = [row.step for row in fitted.history if row.val_loss is not None]
    assert validated == [5, 10, 15]
    seconds = [row.seconds for row in fitted.history]
    assert seconds == sorted(seconds)


def test_a_long_epoch_has_a_row_for_each_twentieth():
    spec = TrainingSpec(examples=16 * 47, batch_size=16, optimizer=PLAIN)
    _, fitted = trained(Copy(COPY, 1), spec)
    assert [row.step for row in fitted.history] == [*range(2, 46, 2), 47]
    assert fitted.history[-1].examples == fitted.examples == 16 * 47


def test_a_row_holds_the_means_of_its_steps_and_the_rate_of_the_last(usual, monkeypatch):
    monkeypatch.setattr(state, "ROWS_PER_EPOCH", 2)
    _, by_half = trained(Copy(COPY, 1), USUAL)
    by_step = usual[0].history
    assert [row.step for row in by_step] == [1, 2, 3, 4, 5, 6]
    assert [row.step for row in by_half.history] == [3, 6]
    for half, rows in zip(by_half.history, (by_step[:3], by_step[3:]), strict=True):
        for name in ("loss", "token_accuracy", "sequence_accuracy", "gradient_norm"):
            assert getattr(half, name) == pytest.approx(np.mean([getattr(row, name) for row in rows]))
        assert half.learning_rate == rows[-1].learning_rate


class Words(Addition):
    """Sums whose batches differ in width, as batches of text do."""

    def batch(self, epoch, index, batch_size, examples):
        source, target = super().batch(epoch, index, batch_size, examples)
        wider = index % 3 == 0
        return (np.pad(source, ((0, 0), (0, 2))), target) if wider else (source, target)


VARYING = {
    "cell": "gru",
    "units": 6,
    "attention": "luong_general",
    "inputs": "embedding",
    "embedding_size": 4,
}


@pytest.mark.parametrize(
    ("problem", "model", "limits_of_calls"),
    [
        (Copy(COPY, 1), ModelSpec(units=8), [(1, 0.25), (3, 1e9), (128, 1e9)]),
        (
            Words(AdditionSpec(kind="addition", digits=1), 1),
            ModelSpec(**VARYING, dropout=0.3),
            [(1, 0.25), (128, 1e9)],
        ),
        (
            Words(AdditionSpec(kind="addition", digits=1), 1),
            ModelSpec(architecture="transformer", units=8, dropout=0.3),
            [(1, 0.25), (128, 1e9)],
        ),
    ],
    ids=["fixed_lengths", "varying_lengths_and_dropout", "transformer"],
)
def test_results_do_not_depend_on_the_number_of_steps_per_call(problem, model, limits_of_calls):
    spec = TrainingSpec(examples=150, batch_size=16, epochs=2, optimizer=OptimizerSpec(learning_rate=0.01))
    runs = []
    for most, seconds in limits_of_calls:
        limits, calls = CallLimits(max_steps=most, seconds=seconds), []
        runs.append((*trained(problem, spec, model=model, on_progress=calls.append, limits=limits), calls))
    assert len({len(calls) for *_, calls in runs}) > 1
    (first, fitted, _), *others = runs
    for other, again, calls in others:
        assert calls[-1].step == calls[-1].steps == fitted.steps == 20
        assert without_seconds(again.history) == without_seconds(fitted.history)
        assert all(map(np.array_equal, first.get_weights(), other.get_weights()))


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(usual):
    fitted, weights = usual
    same, again = trained(Copy(COPY, 1), USUAL)
    assert all(map(np.array_equal, same.get_weights(), weights))
    assert without_seconds(again.history) == without_seconds(fitted.history)
    other, _ = trained(Copy(COPY, 1), USUAL, seed=6)
    assert not any(np.array_equal(a, b) for a, b in zip(weights, other.get_weights(), strict=True) if a.any())


@pytest.mark.parametrize("examples", [128, 129])
def test_a_batch_in_two_halves_is_trained_as_a_whole_one(monkeypatch, examples):
    """Of 129 examples one is left over for the last batch: the first of its halves is empty."""
    spec = USUAL.model_copy(update={"examples": examples, "batch_size": 64})
    traced, sums = [], CompiledLoop._sums
    monkeypatch.setattr(
        CompiledLoop,
        "_sums",
        lambda *batch, first=0: traced.append(first) or sums(*batch, first=first),
    )
    found = []
    for least in (64, 65):
        monkeypatch.setattr(compiled_loop, "MIN_HALVED_ROWS", least)
        traced.clear()
        model, fitted = trained(Copy(COPY, 1), spec)
        found.append((len(traced), fitted.history, model.get_weights()))
    (halves, history, weights), (whole, expected, others) = found
    assert (halves, whole) == (2, 1)
    for row, other in zip(history, expected, strict=True):
        assert row.examples == other.examples
        for name in ("loss", "token_accuracy", "gradient_norm"):
            assert getattr(row, name) == pytest.approx(getattr(other, name), rel=1e-4)
    for ours, theirs in zip(weights, others, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_validation_draws_nothing_from_the_random_state_of_training():
    """Keras's cells with recurrent dropout would."""
    model = ModelSpec(units=4, recurrent_dropout=0.5, attention="bahdanau")
    spec = USUAL.model_copy(update={"epochs": 2})
    without, with_some = (
        trained(Copy(COPY, 1), spec, model=model, validation_examples=count)[0] for count in (0, 20)
    )
    assert all(map(np.array_equal, without.get_weights(), with_some.get_weights()))


def test_an_error_in_the_background_is_raised():
    def fail():
        raise OSError("no room")

    keras.utils.set_random_seed(1)
    model = build_training_model(ModelSpec(units=2), 6, 6, masked=False, kernel="fused")
    problem = Copy(COPY, 1)
    loop = compile_loop(model, problem, USUAL)
    with pytest.raises(OSError, match="no room"):
        fit(loop, problem, USUAL, problem.examples("validation", 5), in_background=fail)


def test_progress_goes_up_to_the_last_step():
    seen = []
    spec = TrainingSpec(examples=160, batch_size=16, epochs=2, optimizer=PLAIN)
    _, fitted = trained(Copy(COPY, 1), spec, on_progress=seen.append)
    steps = [progress.step for progress in seen]
    assert steps == sorted(set(steps))
    assert steps[-1] == 20
    assert {progress.steps for progress in seen} == {20}
    assert all(math.isfinite(progress.loss) and progress.loss > 0 for progress in seen)
    assert all(0 <= progress.token_accuracy <= 1 for progress in seen)
    assert seen[-1].examples_per_second > 0
    assert fitted.timed_examples < fitted.examples  # the call that compiled is not timed
    assert fitted.train_seconds > 0
    assert fitted.compile_seconds > 0


@pytest.mark.usefixtures("eagerly")
def test_validation_in_parts_is_validation_of_the_whole(monkeypatch):
    problem = Addition(AdditionSpec(kind="addition", digits=2), 1)
    keras.utils.set_random_seed(1)
    size = len(problem.source_vocabulary)
    model = build_training_model(ModelSpec(units=8), size, size, masked=True, kernel="fused")
    examples = problem.examples("validation", 50)

    def loss(source, target):
        return masked_loss(model([tf.constant(source), shifted(target, 1)]), target)

    whole = validation.validate(loss, examples)
    monkeypatch.setattr(validation, "VALIDATION_ROWS", 7)
    assert validation.validate(loss, examples) == pytest.approx(whole, rel=1e-5)
    expected = loss(examples.source, examples.target)
    assert whole["loss"] == pytest.approx(float(expected["loss"] / expected["tokens"]), rel=1e-5)
    assert 0 < whole["token_accuracy"] < 1


@pytest.mark.parametrize(
    ("widths", "rows"), [((60, 40), 1000), ((4, 8000), 419), ((8000, 8000), 139), ((10**9, 4), 1)]
)
def test_large_vocabularies_are_validated_in_smaller_parts(widths, rows):
    """1,000 rows of 10 tokens have logits of 320 MB for 8,000 classes, and several arrays of that size."""
    examples = Examples(np.ones((1500, 20), np.int32), np.ones((1500, 10), np.int32))
    seen = []

    def sums(source, target):
        seen.append(len(source))
        return dict.fromkeys(("loss", "tokens", "correct_tokens", "rows", "correct_rows"), float(len(target)))

    calls = []
    found = validation.validate(sums, examples, lambda: calls.append(1), widths=widths)
    assert max(seen) == rows
    assert sum(seen) == 1500
    assert len(calls) == len(seen)
    assert found["loss"] == 1


def test_validation_examples_are_not_trained_on(usual):
    """With one example that training never shows in place of the usual ones, the weights are the same."""
    odd = Examples(np.array([[5, 5]], np.int32), np.array([[1, 1]], np.int32))

    class Odd(Copy):
        def examples(self, split, count):
            return odd

    model, fitted = trained(Odd(COPY, 1), USUAL)
    assert all(map(np.array_equal, model.get_weights(), usual[1]))
    assert fitted.history[-1].val_loss != usual[0].history[-1].val_loss
