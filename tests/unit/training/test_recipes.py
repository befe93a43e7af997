"""Accumulation, label smoothing, scheduled sampling, averaged weights and plateaus."""

import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from job.models.seq2seq import build_training_model
from job.problems.integers import Copy
from job.process.stopping import Stop, Stopped
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.training import epochs as training
from job.training.averaging import WeightAverage
from job.training.batch_groups import CallLimits
from job.training.checkpoints import Checkpoints
from job.training.compiled_loop import compile_loop
from job.training.fit import fit
from job.training.loss_scaling import STEPS_UNTIL_DOUBLED, LossScale, computing_in
from job.training.objectives import masked_loss, sampled_input, shifted
from job.training.validation import validate

PROBLEM = Copy(CopySpec(kind="copy", source_length=3, cardinality=6), 1)
VALIDATION = PROBLEM.examples("validation", 20)
ONE_STEP = CallLimits(max_steps=1, first_steps=1)
PLAIN = OptimizerSpec(learning_rate=0.01, schedule="constant", warmup_fraction=0.0)


def recipe(**keys):
    return TrainingSpec(**{"examples": 64, "batch_size": 16, "optimizer": PLAIN, **keys})


def new_model(seed=3, **keys):
    keras.utils.set_random_seed(seed)
    return build_training_model(ModelSpec(units=8, **keys), 6, 6, masked=False, kernel="fused")


def trained(spec, model=None, on_progress=lambda _: None, *, seed=0):
    """Fit a model; return it, its loop and the result."""
    model = model or new_model()
    loop = compile_loop(model, PROBLEM, spec, seed)
    return model, loop, fit(loop, PROBLEM, spec, VALIDATION, on_progress, limits=ONE_STEP)


def same(ours, theirs, tolerance=0.0):
    return all(np.allclose(a, b, rtol=0, atol=tolerance) for a, b in zip(ours, theirs, strict=True))


# --- accumulation -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("examples", "attention"), [(128, "none"), (135, "none"), (135, "monotonic")])
def test_batches_of_one_step_are_one_large_batch(examples, attention):
    """Of 135 examples the last step has 7: fewer than one batch."""
    models = [new_model(attention=attention) for _ in range(2)]
    model, _, fitted = trained(recipe(examples=examples, batch_size=16, accumulate=4), models[0])
    large, _, expected = trained(recipe(examples=examples, batch_size=64), models[1])
    assert same(model.get_weights(), large.get_weights(), 1e-5)
    assert fitted.steps == expected.steps == -(-examples // 64)
    assert fitted.examples == examples
    for row, other in zip(fitted.history, expected.history, strict=True):
        for name in ("loss", "token_accuracy", "gradient_norm"):
            assert getattr(row, name) == pytest.approx(getattr(other, name), rel=1e-4)
    assert fitted.history[-1].val_loss == pytest.approx(expected.history[-1].val_loss, rel=1e-4)


# --- label smoothing ----------------------------------------------------------------------------------------


def test_label_smoothing_is_the_cross_entropy_with_a_smoothed_target():
    logits = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)
    target = np.array([[1, 2, 4, 3], [3, 0, 0, 0], [2, 2, 0, 0]], np.int32)
    smoothed = 0.9 * np.eye(5)[target] + 0.1 / 5
    exact = logits.astype(float)
    logarithms = exact - np.log(np.exp(exact).sum(-1, keepdims=True))
    expected = -(smoothed * logarithms).sum(-1)[target != 0].sum()
    found = masked_loss(tf.constant(logits), tf.constant(target), None, 0.1)
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-6)
    plain = masked_loss(tf.constant(logits), tf.constant(target))
    assert {k: float(v) for k, v in found.items() if k != "loss"} == {
        k: float(v) for k, v in plain.items() if k != "loss"
    }


@pytest.mark.usefixtures("eagerly")
def test_training_is_smoothed_and_validation_is_not():
    model, _, fitted = trained(recipe(label_smoothing=0.3))

    def loss(source, target):
        return masked_loss(model([source, shifted(target, PROBLEM.target_vocabulary.start)]), target)

    assert fitted.history[-1].val_loss == pytest.approx(validate(loss, VALIDATION)["loss"], rel=1e-4)
    _, _, plain = trained(recipe())
    assert fitted.history[0].loss != plain.history[0].loss
    assert fitted.history[0].token_accuracy == plain.history[0].token_accuracy  # the same batch and weights


# --- scheduled sampling -------------------------------------------------------------------------------------


def test_sampled_inputs_are_targets_or_predictions_and_padding_stays():
    gold, predicted = tf.constant([[1, 4, 5, 0]] * 999), tf.constant([[1, 3, 0, 3]] * 999)
    seed = tf.constant([1, 2], tf.int64)
    assert sampled_input(gold, predicted, 0.0, seed).numpy().tolist() == gold.numpy().tolist()
    assert sampled_input(gold, predicted, 1.0, seed).numpy().tolist() == [[1, 3, 5, 0]] * 999
    some = sampled_input(gold, predicted, 0.25, seed).numpy()[:, 1]
    assert set(some) == {3, 4}
    assert (some == 3).mean() == pytest.approx(0.25, abs=0.05)
    again = [sampled_input(gold, predicted, 0.25, s).numpy()[:, 1] for s in (seed, seed + 1)]
    assert [np.array_equal(some, other) for other in again] == [True, False]


@pytest.mark.parametrize("attention", ["none", "monotonic"])
def test_at_probability_one_the_decoder_reads_its_own_predictions(attention):
    model, start = new_model(attention=attention), PROBLEM.target_vocabulary.start
    source, target = map(tf.constant, PROBLEM.batch(0, 0, 16, 16))
    predicted = tf.argmax(model([source, shifted(target, start)]), -1, output_type=tf.int32)
    predicted = tf.where(predicted == 0, target, predicted)  # padding is never an input
    expected = masked_loss(model([source, shifted(predicted, start)]), target)
    # with one step in all, the probability has risen to its end
    _, _, fitted = trained(recipe(examples=16, scheduled_sampling=1.0), model)
    assert fitted.history[0].loss == pytest.approx(float(expected["loss"] / expected["tokens"]), rel=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_which_inputs_are_sampled_follows_from_the_seed():
    spec = recipe(scheduled_sampling=0.5)
    first, again, other = (trained(spec, seed=seed)[0].get_weights() for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


# --- averages -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("eagerly")
def test_the_model_ends_with_the_average_of_the_weights_of_its_steps():
    last, plain = [], new_model()
    trained(recipe(epochs=2), plain, lambda _: last.append(plain.get_weights()))
    assert len(last) == 8
    decay = 0.8
    average = [np.zeros(weights.shape) for weights in last[0]]
    for weights in last:
        average = [decay * a + (1 - decay) * w for a, w in zip(average, weights, strict=True)]
    expected = [a / (1 - decay ** len(last)) for a in average]
    model, _, fitted = trained(recipe(epochs=2, average="ema", ema_decay=decay))
    assert same(model.get_weights(), expected, 1e-5)
    assert not same(model.get_weights(), last[-1], 1e-3)
    # it was the average that was validated
    found = validate(lambda s, t: loss_of(model, s, t), VALIDATION)
    assert fitted.history[-1].val_loss == pytest.approx(found["loss"], rel=1e-4)


def loss_of(model, source, target):
    return masked_loss(model([source, shifted(target, PROBLEM.target_vocabulary.start)]), target)


def test_early_stopping_keeps_the_average_of_the_best_epoch(monkeypatch):
    losses, averages, model = iter([0.5, 0.4, 0.6]), [], new_model()
    scores = {"token_accuracy": 0.5, "sequence_accuracy": 0.5}

    def scripted(*_, **__):
        with loop.evaluated_weights():
            averages.append(model.get_weights())
        return {"loss": next(losses), **scores}

    monkeypatch.setattr(training, "validate", scripted)
    spec = recipe(epochs=5, average="ema", ema_decay=0.9, early_stopping={"patience": 1})
    loop = compile_loop(model, PROBLEM, spec)
    fitted = fit(loop, PROBLEM, spec, VALIDATION, limits=ONE_STEP)
    assert (fitted.epochs, fitted.best_epoch) == (3, 2)
    assert same(model.get_weights(), averages[1])


# --- plateaus -----------------------------------------------------------------------------------------------


def test_the_learning_rate_falls_when_the_validation_loss_does_not(monkeypatch):
    losses = iter([1.0, 0.9, 0.9, 0.95, 0.8, 0.9, 0.9, 0.9])
    scores = {"token_accuracy": 0.5, "sequence_accuracy": 0.5}
    monkeypatch.setattr(training, "validate", lambda *_, **__: {"loss": next(losses), **scores})
    keys = {"schedule": "plateau", "plateau_factor": 0.1, "plateau_patience": 2}
    spec = recipe(epochs=8, examples=16, optimizer=PLAIN.model_copy(update=keys))
    _, _, fitted = trained(spec)
    rates = [row.learning_rate for row in fitted.history]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-3, 1e-4], rel=1e-5)


# --- precision ----------------------------------------------------------------------------------------------


def model_in(precision, **keys):
    with computing_in(precision):
        return new_model(**keys)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"cell": "gru", "attention": "luong_general", "inputs": "embedding"},
        {"attention": "bahdanau"},
        {"attention": "monotonic"},
        {"attention": "bahdanau", "layers": 2, "inputs": "embedding", "dropout": 1e-6},
    ],
    ids=["lstm", "luong", "bahdanau", "monotonic", "dropout"],
)
def test_a_lower_precision_learns_what_float32_learns(precision, keys):
    expected = trained(recipe(examples=640), new_model(**keys))[2].history[-1]
    model, _, fitted = trained(recipe(examples=640, precision=precision), model_in(precision, **keys))
    assert fitted.history[-1].val_loss == pytest.approx(expected.val_loss, abs=0.02)
    assert fitted.history[-1].val_loss != expected.val_loss  # it did compute in another type
    assert fitted.history[0].loss > fitted.history[-1].loss + 0.1
    assert {weights.dtype for weights in model.get_weights()} == {np.dtype("float32")}
    assert keras.config.dtype_policy().name == "float32"


def test_accumulated_batches_are_scaled_as_one_large_batch():
    """A scale of their sum, not of their mean, would overflow, and the first steps would be skipped."""
    found = {}
    for size, accumulate in ((64, 1), (16, 4)):
        spec = recipe(epochs=2, examples=640, batch_size=size, accumulate=accumulate, precision="float16")
        model, _, fitted = trained(spec, model_in("float16"))
        assert all(row.learning_rate > 0 for row in fitted.history)  # no step was skipped
        found[accumulate] = model.get_weights()
    assert same(found[1], found[4], 2e-2)


@pytest.mark.parametrize("decay", [0.9, 0.999, 1 - 1e-5, 1 - 1e-8])
def test_the_average_of_constant_weights_is_their_value(decay):
    variable = keras.Variable(np.ones(3, np.float32))
    average = WeightAverage([variable], decay)
    for step in range(1, 101):
        average.update()
        if step in (1, 100):
            before = average.assign(tf.constant(step, tf.int64))
            assert variable.numpy() == pytest.approx(np.ones(3), rel=1e-4)
            average.restore(before)


def test_loss_scaling_divides_gradients_skips_overflows_and_adapts():
    scale, updates = LossScale(), []

    def update(gradients):
        updates.append([g.numpy().tolist() for g in gradients])
        return tf.constant(5.0), tf.constant(0.1)

    def apply(*gradients):
        return [float(x) for x in scale.apply([tf.constant(g) for g in gradients], update)]

    assert float(scale.factor) == 2.0**15
    assert apply([2.0**15, 2.0**16]) == pytest.approx([5.0, 0.1])
    assert updates == [[[1.0, 2.0]]]
    assert apply([1.0, np.inf]) == apply([np.nan, 0.0]) == [0.0, 0.0]  # skipped
    assert (float(scale.factor), len(updates)) == (2.0**13, 1)
    scale.variables[1].assign(STEPS_UNTIL_DOUBLED - 1)
    apply([1.0, 1.0])
    assert (float(scale.factor), [int(v) for v in scale.variables]) == (2.0**14, [-1, 0])
    scale.variables[0].assign(-15.0)
    assert apply([np.inf, 1.0]) == pytest.approx(
        [5.0, 0.1]
    )  # with a factor of 1 the training itself diverges
    assert updates[-1] == [[np.inf, 1.0]]


# --- all of them, resumed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_recipe_resumed_after_every_step_gives_the_same_bits(tmp_path, precision):
    spec = recipe(
        examples=60,
        epochs=3,
        precision=precision,
        accumulate=2,
        label_smoothing=0.1,
        scheduled_sampling=0.5,
        average="ema",
        optimizer=OptimizerSpec(
            name="adamw", weight_decay=0.1, learning_rate=0.05, schedule="plateau", plateau_factor=0.1
        ),
    )
    tf.config.run_functions_eagerly(True)
    try:
        whole, _, expected = trained(spec, model_in(precision, dropout=0.3), seed=5)
        kept = Checkpoints(tmp_path / "checkpoint", "a" * 64, 1e9)
        for attempt in range(20):
            # the first process must begin as the unbroken one did; the others read checkpoints
            seed = 3 if attempt == 0 else 100 + attempt
            model, stop = model_in(precision, seed=seed, dropout=0.3), Stop()
            loop = compile_loop(model, PROBLEM, spec, 5)
            stopping = {"checkpoints": kept, "stop": stop, "limits": ONE_STEP}
            try:
                result = fit(
                    loop,
                    PROBLEM,
                    spec,
                    VALIDATION,
                    lambda _, stop=stop: stop._receive(signal.SIGTERM, None),
                    **stopping,
                )
            except Stopped:
                continue
            break
    finally:
        tf.config.run_functions_eagerly(False)
    assert attempt == expected.steps == 6
    assert same(model.get_weights(), whole.get_weights())
    rows = [[{**vars(r), "seconds": 0} for r in fitted.history] for fitted in (result, expected)]
    assert rows[0] == rows[1]
