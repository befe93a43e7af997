"""Training of pointer-generators: the loss of the paper, recipes, and resumption."""

import signal
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle.pointer import mixed

from job.models.seq2seq import build_training_model
from job.problems import build_problem
from job.process.stopping import Stop, Stopped
from job.spec.model_section import ModelSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec, VocabularySpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.training.batch_groups import CallLimits
from job.training.checkpoints import Checkpoints
from job.training.compiled_loop import compile_loop
from job.training.fit import fit
from job.training.loss_scaling import computing_in
from job.training.objectives import objective, shifted
from job.training.pointer_objective import copies
from job.training.validation import validate

ONE_STEP = CallLimits(max_steps=1, first_steps=1)
SPECS = {
    "recurrent": ModelSpec(units=6, attention="luong_dot", pointer=True),
    "transformer": ModelSpec(architecture="transformer", units=8, heads=2, pointer=True, dropout=0.2),
}


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """Names that occur once are copied; on line 3 the target has one that its source lacks."""
    directory = tmp_path_factory.mktemp("names")
    names = [f"n{i}" for i in range(24)]
    lines = "".join(f"it is {name} again\t{name} is it\n" for name in names) + "it is it\tit is nobody\n"
    (directory / "pairs.tsv").write_text(lines)
    (directory / "held_out.tsv").write_text("it is zoe\tzoe is\nit is ann\tbob is it\n")
    files = {split: PairFiles(file="held_out.tsv") for split in ("validation", "test")}
    words = {"source_tokens": "words", "target_tokens": "words"}
    spec = TextPairsSpec(
        kind="text_pairs", train=PairFiles(file="pairs.tsv"), **files, **words,
        vocabulary=VocabularySpec(min_count=2),
    )  # fmt: skip
    return build_problem(spec, 7, directory, copies=True)


def recipe(**keys):
    plain = OptimizerSpec(learning_rate=0.02, schedule="constant", warmup_fraction=0.0)
    return TrainingSpec(**{"examples": 25, "batch_size": 25, "optimizer": plain, **keys})


def new_model(problem, spec=SPECS["recurrent"], *, precision="float32", seed=3):
    keras.utils.set_random_seed(seed)
    sizes = len(problem.source_vocabulary), len(problem.target_vocabulary)
    with computing_in(precision):
        return build_training_model(spec, *sizes, masked=True, kernel="fused")


def loss_by_the_paper(problem, model, source, target, smoothing=0.0):
    """Return the loss of each target position with equation 9, without padding, in nats."""
    source_size, size = len(problem.source_vocabulary), len(problem.target_vocabulary)
    known = np.where(source < source_size, source, problem.source_vocabulary.unknown)
    given = shifted(tf.constant(target), problem.target_vocabulary.start).numpy()
    given = np.where(given < size, given, problem.target_vocabulary.unknown)
    logits, gate, weights = (tf.cast(x, tf.float64).numpy() for x in model([known, given], training=False))
    spelling, losses = problem.source_vocabulary.tokens, []
    for n, t in zip(*np.nonzero(target), strict=True):
        tokens = []
        for i in source[n]:
            there = i < source_size and spelling[i] in problem.target_vocabulary.tokens
            same = problem.target_vocabulary.tokens.index(spelling[i]) if there else i - source_size + size
            tokens.append(None if i == 0 else same if there or i >= source_size else spelling[i])
        p = mixed(
            tf.nn.softmax(logits[n, t]).numpy(), float(tf.sigmoid(gate[n, t, 0])), weights[n, t], tokens
        )
        wanted = target[n, t] if target[n, t] in p else problem.target_vocabulary.unknown
        spread = np.mean([np.log(p[v]) for v in range(size)])
        losses.append(-(1 - smoothing) * np.log(p[wanted]) - smoothing * spread)
    return losses


@pytest.mark.parametrize("architecture", SPECS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_negative_logarithm_of_equation_9(problem, architecture, smoothing):
    model = new_model(problem, SPECS[architecture])
    source, target = problem.batch(0, 0, 25, 25)
    assert source.max() >= len(problem.source_vocabulary)
    expected = loss_by_the_paper(problem, model, source, target, smoothing)
    loss = copies(objective(problem, smoothing), problem, smoothing)
    sides = tf.constant(source), tf.constant(target)
    sums = loss.smoothed(loss.outputs(model, sides[0], loss.decoder_input(*sides), False), sides[1])
    assert float(sums["loss"]) == pytest.approx(sum(expected), rel=1e-5)
    assert float(sums["tokens"]) == len(expected)
    loop, validation = compile_loop(model, problem, recipe()), problem.examples("validation", 9)
    held_out = loss_by_the_paper(problem, model, validation.source, validation.target)
    assert validate(loop.validate, validation)["loss"] == pytest.approx(np.mean(held_out), rel=1e-5)


@pytest.mark.parametrize(
    ("architecture", "keys"),
    [
        ("recurrent", {"label_smoothing": 0.1, "scheduled_sampling": 0.3, "accumulate": 2, "batch_size": 13}),
        ("recurrent", {"precision": "float16"}),
        ("transformer", {"precision": "bfloat16", "average": "ema", "ema_decay": 0.9}),
    ],
    ids=["recipe", "float16", "bfloat16"],
)
def test_it_learns_to_copy_names_that_no_vocabulary_has(problem, architecture, keys):
    spec = recipe(epochs=60, **keys)
    model = new_model(problem, SPECS[architecture], precision=spec.precision)
    validation = problem.examples("validation", 9)
    fitted = fit(compile_loop(model, problem, spec, 1), problem, spec, validation)
    assert np.isfinite([row.loss for row in fitted.history]).all()
    # of `zoe is <end> bob is it <end>` all but `bob`, which is not in its source
    assert fitted.history[-1].val_token_accuracy >= 5 / 7 - 1e-6


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("architecture", SPECS)
def test_resumed_after_every_step_it_gives_the_same_bits(problem, architecture, tmp_path):
    spec = recipe(epochs=3, scheduled_sampling=0.5, label_smoothing=0.1, batch_size=13)
    build = partial(new_model, problem, SPECS[architecture])
    validation = problem.examples("validation", 9)
    whole = build()
    fit(compile_loop(whole, problem, spec, 5), problem, spec, validation, limits=ONE_STEP)
    kept = Checkpoints(tmp_path / "checkpoint", "a" * 64, 1e9)
    for attempt in range(20):
        # the first process must begin as the unbroken one did; the others read checkpoints
        model, stop = build(seed=3 if attempt == 0 else 100 + attempt), Stop()
        options = {"checkpoints": kept, "stop": stop, "limits": ONE_STEP}
        try:
            loop = compile_loop(model, problem, spec, 5)
            fit(
                loop,
                problem,
                spec,
                validation,
                lambda _, stop=stop: stop._receive(signal.SIGTERM, None),
                **options,
            )
            break
        except Stopped:
            continue
    assert attempt == 6
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), model.get_weights(), strict=True))
