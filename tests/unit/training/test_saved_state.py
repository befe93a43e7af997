"""A training that is resumed from its checkpoints ends as one that was never interrupted."""

import signal

import keras
import numpy as np
import pytest

from job.models.seq2seq import build_training_model
from job.problems.integers import Copy
from job.process.stopping import Stop, Stopped
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.training_section import EarlyStoppingSpec, OptimizerSpec, TrainingSpec
from job.training.batch_groups import CallLimits
from job.training.checkpoints import Checkpoint, Checkpoints
from job.training.compiled_loop import compile_loop
from job.training.fit import fit
from job.training.validation import Measure

FINGERPRINT = "a" * 64

PROBLEM = Copy(CopySpec(kind="copy", source_length=2, cardinality=6), 1)
SPEC = TrainingSpec(
    examples=30,
    batch_size=16,
    epochs=3,
    optimizer=OptimizerSpec(learning_rate=0.05, warmup_fraction=0.3),
    early_stopping=EarlyStoppingSpec(patience=1, min_delta=0.4),
)


ONE_STEP = CallLimits(max_steps=1, first_steps=1)


def model(seed, spec):
    keras.utils.set_random_seed(seed)
    return build_training_model(
        spec, 6, 6, masked=False, kernel="keras" if spec.recurrent_dropout else "fused"
    )


def fitted(built, kept=None, stop_after=None, train=SPEC):
    """Fit a model; asked to stop once `stop_after` calls were made."""
    stop, calls = Stop(), []

    def value(before_part):
        """A number that depends on every weight; decoding would have to be compiled for each model."""
        before_part()
        return float(np.tanh(sum(float(weight.sum()) for weight in built.get_weights())))

    measure = Measure(take_weights=lambda: None, value=value)

    def watch(progress):
        calls.append(progress)
        if len(calls) == stop_after:
            stop._receive(signal.SIGTERM, None)

    loop = compile_loop(built, PROBLEM, train)
    validation = PROBLEM.examples("validation", 20)
    return fit(
        loop,
        PROBLEM,
        train,
        validation,
        watch,
        checkpoints=kept,
        stop=stop,
        measure=None if train.best_by == "loss" else measure,
        limits=ONE_STEP,
    )


def rows(history):
    return [{k: v for k, v in vars(row).items() if k != "seconds"} for row in history]


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(units=8, dropout=0.3, inputs="embedding", embedding_size=4),
        ModelSpec(units=4, cell="gru", recurrent_dropout=0.3, attention="bahdanau"),
        ModelSpec(architecture="transformer", units=8, heads=2, dropout=0.3),
        ModelSpec(units=4, attention="monotonic", dropout=0.3),
    ],
    ids=["lstm", "gru", "transformer", "monotonic"],
)
def test_a_run_cut_off_after_every_step_is_an_unbroken_run(tmp_path, spec):
    whole = model(3, spec)
    expected = fitted(whole)
    kept = Checkpoints(tmp_path / "checkpoint", FINGERPRINT, 1e9)
    for attempt in range(9):
        built = model(100 + attempt, spec)  # what it begins with is not what it goes on with
        try:
            # the first process must begin as the unbroken one did
            result = fitted(model(3, spec) if attempt == 0 else built, kept, stop_after=1)
        except Stopped:
            continue
        break
    assert attempt == expected.steps == 4
    assert expected.stopped_early
    assert result.resumed_from_step == expected.steps
    assert rows(result.history) == rows(expected.history)
    assert (result.epochs, result.best_epoch, result.stopped_early) == (
        expected.epochs,
        1,
        True,
    )
    assert all(map(np.array_equal, built.get_weights(), whole.get_weights()))
    states = [[v.numpy() for v in one.variables] for one in (built, whole)]
    assert len(states[0]) > len(built.weights)  # of the random numbers
    assert all(map(np.array_equal, *states))
    seconds = [row.seconds for row in result.history]
    assert seconds == sorted(seconds)
    assert result.train_seconds == 0.0
    assert result.compile_seconds > 0
    assert result.earlier_seconds >= seconds[-1] - 0.001


@pytest.mark.usefixtures("eagerly")
def test_cut_off_after_every_step_the_best_epoch_by_a_metric_is_the_same(tmp_path):
    rule = EarlyStoppingSpec(metric="edit_rate", patience=3)
    train = SPEC.model_copy(update={"early_stopping": rule})
    whole, spec = model(3, ModelSpec(units=8)), ModelSpec(units=8)
    expected = fitted(whole, train=train)
    kept = Checkpoints(tmp_path / "checkpoint", FINGERPRINT, 1e9)
    for attempt in range(9):
        built = model(3 if attempt == 0 else 100 + attempt, spec)
        try:
            result = fitted(built, kept, stop_after=1, train=train)
        except Stopped:
            continue
        break
    assert attempt == expected.steps == 6
    assert rows(result.history) == rows(expected.history)
    decoded = [row.val_decoded["edit_rate"] for row in result.history if row.val_loss is not None]
    assert len(set(decoded)) == 3
    assert result.best_epoch == expected.best_epoch == 1 + int(np.argmin(decoded))
    assert all(map(np.array_equal, built.get_weights(), whole.get_weights()))


@pytest.mark.usefixtures("eagerly")
def test_a_checkpoint_of_another_model_is_skipped(tmp_path, caplog):
    kept = Checkpoints(tmp_path / "checkpoint", FINGERPRINT, 1e9)
    with pytest.raises(Stopped):
        fitted(model(3, ModelSpec(units=9)), kept, stop_after=1)
    result = fitted(model(3, ModelSpec(units=8)), kept)
    assert result.resumed_from_step is None
    assert "is skipped: its variables are not those of the model" in caplog.text
    assert rows(result.history) == rows(fitted(model(3, ModelSpec(units=8))).history)


@pytest.mark.usefixtures("eagerly")
def test_training_leaves_a_checkpoint_of_its_end(tmp_path):
    kept = Checkpoints(tmp_path / "checkpoint", FINGERPRINT, 1e9)
    result = fitted(model(3, ModelSpec(units=8)), kept)
    assert next(kept.found()).step == result.steps
    assert next(kept.found()).facts["over"]
    assert result.resumed_from_step is None


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "change",
    [{"step": "1"}, {"step": -1}, {"history": None}, {"history": [{}]}, {"over": "soon"}, {"best_value": []}],
)
def test_a_checkpoint_whose_facts_are_wrong_changes_nothing(tmp_path, caplog, change):
    kept = Checkpoints(tmp_path / "checkpoint", FINGERPRINT, 1e9)
    with pytest.raises(Stopped):
        fitted(model(3, ModelSpec(units=8)), kept, stop_after=1)
    found = next(kept.found())
    kept.save(Checkpoint(found.step, {**found.facts, **change}, found.arrays))
    result = fitted(model(3, ModelSpec(units=8)), kept)
    assert result.resumed_from_step is None
    assert "is skipped" in caplog.text
    assert rows(result.history) == rows(fitted(model(3, ModelSpec(units=8))).history)
