"""Training with `tokens_per_batch`: the loss of single examples, and the same bits when resumed."""

import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from text_pair_problems import numbered

from job.models.seq2seq import build_training_model
from job.process.stopping import Stop, Stopped
from job.spec.model_section import ModelSpec
from job.spec.schema import JobSpec
from job.spec.training_section import EarlyStoppingSpec, OptimizerSpec, TrainingSpec
from job.training import state
from job.training.batch_groups import CallLimits
from job.training.checkpoints import Checkpoints
from job.training.compiled_loop import compile_loop
from job.training.fit import fit

TOKENS = 60
ONE_STEP = CallLimits(max_steps=1, first_steps=1)
STILL = OptimizerSpec(name="sgd", learning_rate=1e-12, schedule="constant", warmup_fraction=0.0)


def recipe(**keys):
    return TrainingSpec(**{"examples": "all", "tokens_per_batch": TOKENS, **keys})


def new_model(problem, seed=3, **keys):
    keras.utils.set_random_seed(seed)
    sizes = len(problem.source_vocabulary), len(problem.target_vocabulary)
    spec = ModelSpec(**{"units": 8, "inputs": "embedding", "embedding_size": 6, **keys})
    return build_training_model(spec, *sizes, masked=True, kernel="fused")


def fitted_to(problem, spec, model=None, on_progress=lambda _: None, **options):
    """Fit a model; return it and the result."""
    model = model or new_model(problem)
    loop = compile_loop(model, problem, spec, 5)
    validation = problem.examples("validation", 20)
    return model, fit(loop, problem, spec, validation, on_progress, limits=ONE_STEP, **options)


def loss_one_by_one(model, problem):
    """Return the mean loss of a token over all training examples, each alone and without padding."""
    losses = []
    batches = problem.token_batches(10**9, 1, problem.examples_per_epoch("all"))
    for source, target in zip(*batches.batch(0, 0), strict=True):
        ids = target[target != 0]
        given = np.array([[problem.target_vocabulary.start, *ids[:-1]]])
        logits = model([source[source != 0][None], given], training=False).numpy().astype(np.float64)[0]
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses += [-logs[t, i] for t, i in enumerate(ids)]
    return np.mean(losses)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_loss_of_an_epoch_is_that_of_its_examples(tmp_path, monkeypatch, accumulate):
    monkeypatch.setattr(state, "ROWS_PER_EPOCH", 1)
    problem = numbered(tmp_path, 150)
    model, fitted = fitted_to(problem, recipe(accumulate=accumulate, optimizer=STILL))
    assert [row.examples for row in fitted.history] == [problem.examples_per_epoch("all")]
    assert fitted.history[0].loss == pytest.approx(loss_one_by_one(model, problem), rel=1e-5)


def test_schedule_and_progress_know_the_number_of_steps(tmp_path):
    problem, seen = numbered(tmp_path, 150), []
    optimizer = OptimizerSpec(learning_rate=0.01, schedule="linear", warmup_fraction=0.0)
    spec = recipe(epochs=2, optimizer=optimizer)
    _, fitted = fitted_to(problem, spec, None, seen.append)
    steps = 2 * problem.token_batches(TOKENS, 1, problem.examples_per_epoch("all")).steps
    assert fitted.steps == steps
    assert {progress.steps for progress in seen} == {steps}
    assert fitted.examples == 2 * problem.examples_per_epoch("all")
    rates = [row.learning_rate for row in fitted.history]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] <= 0.01 / steps * 1.001 < rates[0]


def test_early_stopping_ends_after_a_whole_epoch(tmp_path):
    problem = numbered(tmp_path, 150)
    spec = recipe(
        epochs=9, optimizer=STILL, early_stopping=EarlyStoppingSpec(patience=1, min_delta=1.0), average="ema"
    )
    _, fitted = fitted_to(problem, spec)
    assert fitted.stopped_early
    assert (fitted.epochs, fitted.best_epoch) == (2, 1)
    assert fitted.examples == 2 * problem.examples_per_epoch("all")


def test_resumed_after_every_step_gives_the_same_bits(tmp_path):
    problem = numbered(tmp_path, 110)
    spec = recipe(
        epochs=2,
        accumulate=2,
        scheduled_sampling=0.5,
        average="ema",
        tokens_per_batch=200,
        optimizer=OptimizerSpec(learning_rate=0.05),
    )
    tf.config.run_functions_eagerly(True)
    try:
        whole, expected = fitted_to(problem, spec, new_model(problem, dropout=0.3))
        kept = Checkpoints(tmp_path / "checkpoint", "a" * 64, 1e9)
        for attempt in range(2 * expected.steps):
            # the first process must begin as the unbroken one did; the others read checkpoints
            model = new_model(problem, seed=100 + attempt if attempt else 3, dropout=0.3)
            stop = Stop()
            try:
                _, result = fitted_to(
                    numbered(tmp_path, 110),
                    spec,
                    model,
                    lambda _, stop=stop: stop._receive(signal.SIGTERM, None),
                    checkpoints=kept,
                    stop=stop,
                )
            except Stopped:
                continue
            break
    finally:
        tf.config.run_functions_eagerly(False)
    assert attempt == expected.steps >= 4
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), whole.get_weights(), strict=True))
    rows = [[{**vars(r), "seconds": 0} for r in fitted.history] for fitted in (result, expected)]
    assert rows[0] == rows[1]


def test_one_of_two_sizes():
    with pytest.raises(ValueError, match="tokens_per_batch takes the place of batch_size"):
        recipe(batch_size=128)
    assert "batch_size" not in recipe().model_dump()
    assert "tokens_per_batch" not in TrainingSpec().model_dump()
    assert TrainingSpec.model_validate(recipe().model_dump()) == recipe()


def test_other_problems_have_no_tokens_to_count():
    problem = {"kind": "copy", "source_length": 3, "cardinality": 6}
    with pytest.raises(ValueError, match="tokens_per_batch is for problem text_pairs, not copy"):
        JobSpec(name="a", problem=problem, training=recipe(examples=10))
