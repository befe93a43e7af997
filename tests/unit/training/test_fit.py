import math
from dataclasses import asdict

import keras
import numpy as np
import pytest
import tensorflow as tf

from job.errors import NonFiniteError, TrainingError
from job.models.kernels import choose_kernel
from job.models.seq2seq import build_training_model
from job.problems.addition import Addition
from job.problems.base import Examples
from job.problems.integers import Copy
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import AdditionSpec, CopySpec
from job.spec.training_section import EarlyStoppingSpec, OptimizerSpec, TrainingSpec
from job.training import compiled_loop, state, validation
from job.training import fit as training
from job.training.batch_groups import CallLimits
from job.training.compiled_loop import CompiledLoop, compile_loop
from job.training.fit import fit
from job.training.objectives import masked_loss, shifted
from job.training.validation import Measure

PLAIN = OptimizerSpec(learning_rate=0.01, schedule="constant", warmup_fraction=0.0)


@pytest.fixture
def eagerly():
    """Without compiling: for runs of a few steps it does not pay."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# --- fitting ------------------------------------------------------------------------------------------------

COPY = CopySpec(kind="copy", source_length=2, cardinality=6)


def trained(
    problem,
    spec,
    *,
    model=ModelSpec(units=8),
    prepare=lambda _: None,
    validation_examples=20,
    seed=3,
    on_progress=lambda _: None,
    limits=CallLimits(),
    measure=None,
):
    """Fit a fresh model; return it and what `fit` returned."""
    keras.utils.set_random_seed(seed)
    sizes = len(problem.source_vocabulary), len(problem.target_vocabulary)
    built = build_training_model(
        model, *sizes, masked=not problem.fixed_length, kernel=choose_kernel(model, gpu=False)
    )
    prepare(built)
    loop = compile_loop(built, problem, spec)
    validation = problem.examples("validation", validation_examples)
    return built, fit(loop, problem, spec, validation, on_progress, limits=limits, measure=measure)


def without_seconds(history):
    return [{k: v for k, v in asdict(row).items() if k != "seconds"} for row in history]


USUAL = TrainingSpec(examples=96, batch_size=16, optimizer=OptimizerSpec(learning_rate=0.01))


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


# --- not finite ---------------------------------------------------------------------------------------------


class Rare(Copy):
    """The value 5 stands in batch 6 and in no other."""

    def batch(self, epoch, index, batch_size, examples):
        source, target = super().batch(epoch, index, batch_size, examples)
        place = slice(0, 1) if index == 6 else slice(0, 0)
        source, target = np.minimum(source, 4), np.minimum(target, 4)
        source[place] = target[place] = 5
        return source, target


class PoisonedValidation(Rare):
    """A problem whose validation alone holds the value 5."""

    def batch(self, epoch, index, batch_size, examples):
        return super().batch(epoch, 0, batch_size, examples)

    def examples(self, split, count):
        found = super().examples(split, count)
        return Examples(np.full_like(found.source, 5), np.full_like(found.target, 5))


def poison_the_value_5(model):
    kernel = model.get_layer("encoder_1").weights[0]
    kernel.assign(tf.tensor_scatter_nd_update(kernel.value, [[5]], tf.fill([1, kernel.shape[1]], math.nan)))


@pytest.mark.parametrize(("most", "seconds"), [(1, 0.25), (128, 1e9)])
def test_a_nonfinite_loss_stops_the_job_and_names_the_step(most, seconds):
    limits, seen = CallLimits(max_steps=most, seconds=seconds), []
    spec = TrainingSpec(examples=320, batch_size=16, optimizer=PLAIN)
    with pytest.raises(NonFiniteError, match="the loss is not a finite number at step 7: lower") as caught:
        trained(Rare(COPY, 1), spec, prepare=poison_the_value_5, on_progress=seen.append, limits=limits)
    assert (caught.value.step, caught.value.quantity) == (7, "loss")
    assert max(progress.step for progress in seen) <= 6


@pytest.mark.usefixtures("eagerly")
def test_a_gradient_that_overflows_stops_the_job_though_the_loss_is_finite():
    def enlarge(model):
        kernel = model.get_layer("logits").weights[0]
        kernel.assign(kernel * 1e25)

    with pytest.raises(NonFiniteError, match="the gradient norm is not a finite number at step 1:"):
        trained(Copy(COPY, 1), TrainingSpec(examples=64, batch_size=16), prepare=enlarge)


@pytest.mark.usefixtures("eagerly")
def test_a_nonfinite_validation_loss_stops_the_job_and_names_the_step():
    spec = TrainingSpec(examples=64, batch_size=16, epochs=2)
    with pytest.raises(NonFiniteError, match="the validation loss is not a finite number at step 4: lower"):
        trained(PoisonedValidation(COPY, 1), spec, prepare=poison_the_value_5)


# --- validation and early stopping --------------------------------------------------------------------------


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


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("losses", "rule", "epochs", "best"),
    [
        ([1.0, 0.5, 0.7, 0.6, 0.1], {"patience": 2}, 4, 2),
        ([1.0, 0.5, 0.7, 0.4, 0.6, 0.5], {"patience": 2}, 6, 4),
        ([1.0, 0.95, 0.91, 0.9], {"patience": 2, "min_delta": 0.2}, 3, 1),
        ([1.0, 0.9, 0.75, 0.7, 0.69], {"patience": 2, "min_delta": 0.2}, 5, 3),
        ([1.0, 1.0], {"patience": 1}, 2, 1),
    ],
)
def test_early_stopping_ends_with_the_weights_of_the_best_epoch(monkeypatch, losses, rule, epochs, best):
    at_end_of_epoch = []

    def scripted(compiled, examples, between):
        at_end_of_epoch.append(models[0].get_weights())
        return {"loss": losses[len(at_end_of_epoch) - 1], "token_accuracy": 0.5, "sequence_accuracy": 0.5}

    models = []
    monkeypatch.setattr(training, "validate", scripted)
    rules = EarlyStoppingSpec(**rule)
    spec = TrainingSpec(examples=32, batch_size=16, epochs=len(losses), early_stopping=rules, optimizer=PLAIN)
    model, fitted = trained(Copy(COPY, 1), spec, prepare=models.append)
    assert fitted.epochs == len(at_end_of_epoch) == epochs
    assert fitted.best_epoch == best
    assert fitted.stopped_early == (epochs < len(losses))
    assert fitted.steps == 2 * epochs
    kept = at_end_of_epoch[best - 1]
    assert all(map(np.array_equal, model.get_weights(), kept))
    others = [weights for weights in at_end_of_epoch if weights is not kept]
    assert not any(all(map(np.array_equal, model.get_weights(), weights)) for weights in others)


@pytest.mark.usefixtures("eagerly")
def test_without_early_stopping_the_last_weights_stay(monkeypatch):
    monkeypatch.setattr(training, "validate", lambda *_: {"loss": next(rising), **accuracies})
    rising, accuracies = iter([0.1, 0.2, 0.3]), {"token_accuracy": 0.0, "sequence_accuracy": 0.0}
    spec = TrainingSpec(examples=32, batch_size=16, epochs=3, optimizer=PLAIN)
    _, fitted = trained(Copy(COPY, 1), spec)
    assert (fitted.epochs, fitted.best_epoch, fitted.stopped_early) == (3, None, False)
    assert [row.val_loss for row in fitted.history if row.val_loss is not None] == [0.1, 0.2, 0.3]


def with_measure(values, spec):
    """Fit with a scripted metric; return the model, what `fit` returned, and the weights after each epoch."""
    at_end_of_epoch = []

    def value(before_part):
        before_part()
        return values[len(at_end_of_epoch) - 1]

    measure = Measure(take_weights=lambda: at_end_of_epoch.append(models[0].get_weights()), value=value)

    models = []
    keyed = {"examples": 32, "batch_size": 16, "epochs": len(values), "optimizer": PLAIN, **spec}
    model, fitted = trained(
        Copy(COPY, 1), TrainingSpec(**keyed), prepare=models.append, measure=measure, validation_examples=5
    )
    return model, fitted, at_end_of_epoch


@pytest.mark.parametrize(
    ("rule", "values", "epochs", "best"),
    [
        ({"metric": "sequence_accuracy", "patience": 2}, [0.1, 0.5, 0.3, 0.4, 0.9], 4, 2),
        ({"metric": "edit_rate", "patience": 2}, [0.9, 0.5, 0.7, 0.4, 0.6, 0.4], 6, 4),
        ({"metric": "bleu", "patience": 1, "min_delta": 1.0}, [10.0, 10.9, 20.0], 2, 1),
        ({"metric": "token_accuracy", "patience": 1}, [0.5, 0.5], 2, 1),
    ],
)
def test_early_stopping_goes_by_any_metric_in_its_direction(rule, values, epochs, best):
    model, fitted, weights = with_measure(values, {"early_stopping": EarlyStoppingSpec(**rule)})
    assert (fitted.epochs, fitted.best_epoch) == (epochs, best)
    assert fitted.stopped_early == (epochs < len(values))
    assert all(map(np.array_equal, model.get_weights(), weights[best - 1]))
    assert not all(map(np.array_equal, model.get_weights(), weights[best % epochs]))
    decoded = [row.val_decoded for row in fitted.history if row.val_loss is not None]
    assert decoded == [{rule["metric"]: value} for value in values[:epochs]]


@pytest.mark.parametrize(("average", "best"), [("best", 2), ("none", None)])
def test_the_best_epoch_is_kept_without_stopping_early(monkeypatch, average, best):
    losses, weights = iter([0.3, 0.1, 0.2]), []

    def scripted(*_):
        weights.append(models[0].get_weights())
        return {"loss": next(losses), "token_accuracy": 0.0, "sequence_accuracy": 0.0}

    models = []
    monkeypatch.setattr(training, "validate", scripted)
    spec = TrainingSpec(examples=32, batch_size=16, epochs=3, optimizer=PLAIN, average=average)
    model, fitted = trained(Copy(COPY, 1), spec, prepare=models.append)
    assert (fitted.epochs, fitted.stopped_early, fitted.best_epoch) == (3, False, best)
    assert all(map(np.array_equal, model.get_weights(), weights[(best or 3) - 1]))


def test_a_metric_that_is_no_number_stops_the_job_and_names_the_metric():
    rule = EarlyStoppingSpec(metric="edit_rate", patience=3)
    with pytest.raises(NonFiniteError, match="the validation edit_rate is not a finite number at step 4"):
        with_measure([0.5, math.nan], {"early_stopping": rule})


def test_without_validation_examples_no_epoch_can_be_the_best():
    spec = TrainingSpec(examples=32, batch_size=16, optimizer=PLAIN, average="best")
    with pytest.raises(TrainingError, match="the problem has no validation examples"):
        trained(Copy(COPY, 1), spec, validation_examples=0)


def test_validation_examples_are_not_trained_on(usual):
    """With one example that training never shows in place of the usual ones, the weights are the same."""
    odd = Examples(np.array([[5, 5]], np.int32), np.array([[1, 1]], np.int32))

    class Odd(Copy):
        def examples(self, split, count):
            return odd

    model, fitted = trained(Odd(COPY, 1), USUAL)
    assert all(map(np.array_equal, model.get_weights(), usual[1]))
    assert fitted.history[-1].val_loss != usual[0].history[-1].val_loss
