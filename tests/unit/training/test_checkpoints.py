import errno
import os
import signal
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from job.models.seq2seq import build_training_model
from job.problems.integers import Copy
from job.process.stopping import Stop, Stopped
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.training_section import EarlyStoppingSpec, OptimizerSpec, TrainingSpec
from job.training import checkpoints
from job.training import fit as training
from job.training.checkpoints import KEPT, Checkpoint, Checkpoints, marks
from job.training.fit import compile_loop, fit

MARK, OTHER = "a" * 64, "a" * 8 + "b" * 56
"""Their first eight digits, which are in a file's name, are the same."""


@pytest.fixture
def kept(tmp_path):
    return Checkpoints(tmp_path / "checkpoint", MARK, 60.0)


def checkpoint(step, **facts):
    arrays = {
        "variable/0": np.array([[0.1, np.nan], [np.inf, step]], np.float32),
        "variable/1": np.array(step, np.int64),
        "pending/loss": np.zeros(0),
    }
    return Checkpoint(step, {"best_loss": float("inf"), "history": [{"loss": 0.1 + 0.2}], **facts}, arrays)


def files(kept):
    return sorted(kept._directory.iterdir())


# --- files --------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back_to_the_bit(kept):
    kept.save(checkpoint(3, best_epoch=None))
    (found,) = kept.found()
    expected = checkpoint(3, best_epoch=None)
    assert (found.step, found.facts) == (3, expected.facts)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_nothing_is_found_where_there_is_no_directory(kept):
    assert [*kept.found()] == []
    assert marks(kept._directory) == frozenset()


def test_the_last_two_are_kept_and_the_last_one_comes_first(kept):
    for step in (1, 2, 9, 10, 11):
        kept.save(checkpoint(step))
    assert [found.step for found in kept.found()] == [11, 10]
    assert len(files(kept)) == KEPT == 2
    (kept._directory / f".tmp-1234abcd-{MARK[:8]}-0000000012.npz").touch()  # as a killed process leaves it
    assert marks(kept._directory) == {MARK[:8]}
    assert [found.step for found in kept.found()] == [11, 10]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\0" * len(data),
        lambda data: data[:-1],
        lambda data: data.replace(np.float32(0.1).tobytes(), np.float32(0.2).tobytes()),
        lambda data: data.replace(b'"step": 2', b'"step": 3'),
    ],
    ids=["half", "empty", "zeros", "last_byte", "a_weight", "the_header"],
)
def test_a_torn_checkpoint_is_passed_over_with_a_warning(kept, caplog, damage):
    kept.save(checkpoint(1))
    kept.save(checkpoint(2))
    last = files(kept)[-1]
    last.write_bytes(damage(last.read_bytes()))
    assert [found.step for found in kept.found()] == [1]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"checkpoint {last.name} is passed over: ")


def test_the_checksum_covers_what_the_zip_does_not(kept, caplog):
    """A file put together anew, every member whole, but with one value changed."""
    kept.save(checkpoint(1))
    (path,) = files(kept)
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    content["variable/1"] = np.array(5, np.int64)
    with path.open("wb") as file:
        np.savez(file, **content)
    assert zipfile.ZipFile(path).testzip() is None
    assert [*kept.found()] == []
    assert "its checksum is not that of its content" in caplog.text


def test_nothing_is_unpickled(kept, caplog):
    kept.save(checkpoint(1))
    (path,) = files(kept)
    with path.open("wb") as file:
        np.savez(file, header=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert [*kept.found()] == []
    assert "allow_pickle=False" in caplog.text


def test_a_checkpoint_of_another_job_is_passed_over(kept, caplog):
    Checkpoints(kept._directory, OTHER, 60.0).save(checkpoint(7))
    kept.save(checkpoint(1))
    assert [found.step for found in kept.found()] == [1]
    assert caplog.text == ""


def test_a_full_disk_leaves_the_checkpoints_before(kept, monkeypatch):
    kept.save(checkpoint(1))
    before = {path: path.read_bytes() for path in files(kept)}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept.save(checkpoint(2))
    assert {path: path.read_bytes() for path in files(kept)} == before


def test_one_is_due_by_time_and_at_the_end_of_an_epoch_that_was_not_too_short(kept, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    kept = Checkpoints(kept._directory, MARK, 60.0)
    assert not kept.due()
    assert kept.due(epoch_ended=True)
    now[0] += 60
    assert kept.due()
    kept.save(checkpoint(1))
    assert not kept.due()
    kept._cost = 0.1
    now[0] += 1.9
    assert not kept.due(epoch_ended=True)
    now[0] += 0.2
    assert kept.due(epoch_ended=True)
    assert not kept.due()


# --- going on -----------------------------------------------------------------------------------------------

PROBLEM = Copy(CopySpec(kind="copy", source_length=2, cardinality=6), 1)
SPEC = TrainingSpec(
    examples=30,
    batch_size=16,
    epochs=3,
    optimizer=OptimizerSpec(learning_rate=0.05, warmup_fraction=0.3),
    early_stopping=EarlyStoppingSpec(patience=1, min_delta=0.4),
)


def model(seed, spec):
    keras.utils.set_random_seed(seed)
    return build_training_model(
        spec, 6, 6, masked=False, kernel="keras" if spec.recurrent_dropout else "fused"
    )


def fitted(built, kept=None, stop_after=None):
    """Fit a model; asked to stop once `stop_after` calls were made."""
    stop, calls = Stop(), []

    def watch(progress):
        calls.append(progress)
        if len(calls) == stop_after:
            stop._receive(signal.SIGTERM, None)

    loop = compile_loop(built, PROBLEM, SPEC)
    return fit(loop, PROBLEM, SPEC, PROBLEM.examples("validation", 20), watch, checkpoints=kept, stop=stop)


def rows(history):
    return [{k: v for k, v in vars(row).items() if k != "seconds"} for row in history]


@pytest.fixture
def eagerly():
    """Without compiling: what is computed is the same, and these models are fitted many times."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(units=8, dropout=0.3, inputs="embedding", embedding_size=4),
        ModelSpec(units=4, cell="gru", recurrent_dropout=0.3, attention="bahdanau"),
    ],
    ids=["lstm", "gru"],
)
def test_a_run_cut_off_after_every_step_is_an_unbroken_run(monkeypatch, tmp_path, spec):
    monkeypatch.setattr(training, "MAX_CALL_STEPS", 1)
    monkeypatch.setattr(training, "_call_steps", lambda run: 1)
    whole = model(3, spec)
    expected = fitted(whole)
    kept = Checkpoints(tmp_path / "checkpoint", MARK, 1e9)
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
def test_a_checkpoint_of_another_model_is_passed_over(tmp_path, caplog):
    kept = Checkpoints(tmp_path / "checkpoint", MARK, 1e9)
    with pytest.raises(Stopped):
        fitted(model(3, ModelSpec(units=9)), kept, stop_after=1)
    result = fitted(model(3, ModelSpec(units=8)), kept)
    assert result.resumed_from_step is None
    assert "is passed over: its variables are not those of the model" in caplog.text
    assert rows(result.history) == rows(fitted(model(3, ModelSpec(units=8))).history)


@pytest.mark.usefixtures("eagerly")
def test_training_leaves_a_checkpoint_of_its_end(tmp_path):
    kept = Checkpoints(tmp_path / "checkpoint", MARK, 1e9)
    result = fitted(model(3, ModelSpec(units=8)), kept)
    assert next(kept.found()).step == result.steps
    assert next(kept.found()).facts["over"]
    assert result.resumed_from_step is None
