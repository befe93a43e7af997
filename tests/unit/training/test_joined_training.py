"""Training with `joined_pairs`: the loss is that of the joined rows, whatever the architecture."""

import keras
import pytest
import tensorflow as tf
from text_pair_problems import numbered

from job.models.seq2seq import build_training_model
from job.problems.training_batches import training_batches
from job.spec.model_section import ModelSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.training import state
from job.training.compiled_loop import compile_loop
from job.training.fit import fit
from job.training.pointer_objective import objective_of

STILL = OptimizerSpec(name="sgd", learning_rate=1e-12, schedule="constant", warmup_fraction=0.0)


@pytest.mark.parametrize(
    "model",
    [
        {"attention": "luong_general"},
        {"attention": "monotonic"},
        {"attention": "bahdanau", "pointer": True},
        {"architecture": "transformer", "heads": 2},
    ],
    ids=lambda model: "-".join(map(str, model.values())),
)
def test_the_loss_of_an_epoch_is_that_of_the_joined_rows(tmp_path, monkeypatch, model):
    monkeypatch.setattr(state, "ROWS_PER_EPOCH", 1)
    problem = numbered(tmp_path, 60, seed=7)
    keras.utils.set_random_seed(3)
    sizes = len(problem.source_vocabulary), len(problem.target_vocabulary)
    network = build_training_model(ModelSpec(units=8, **model), *sizes, masked=True, kernel="fused")
    spec = TrainingSpec(examples="all", batch_size=16, joined_pairs=0.5, optimizer=STILL)
    found = fit(compile_loop(network, problem, spec, 5), problem, spec, problem.examples("validation", 5))
    objective = objective_of(network, problem)
    loss = tokens = 0.0
    batches = training_batches(problem, spec)
    for index in range(batches.steps):
        source, target = batches.batch(0, index)
        given = objective.decoder_input(source, target)
        sums = objective.sums(objective.outputs(network, tf.constant(source), given, False), target)
        loss, tokens = loss + float(sums["loss"]), tokens + float(sums["tokens"])
    plain = sum(map(len, (problem.training_targets.row(i) for i in range(problem.training_targets.count))))
    assert tokens > 1.3 * plain, "half of the rows have two targets"
    assert [row.loss for row in found.history] == [pytest.approx(loss / tokens, rel=1e-5)]
