"""Golden runs: a short training of each architecture on the words of tests/golden, and its known results."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from job.models.kernels import choose_kernel
from job.problems import build_problem
from job.problems.training_batches import training_batches
from job.running.machine import seed_generators
from job.running.model_cache import ModelCache
from job.spec.evaluation_section import EvaluationSpec
from job.spec.model_section import ModelSpec
from job.spec.schema import JobSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.training.validation import validate

GOLDEN = Path(__file__).parents[1] / "golden"
TABLE = GOLDEN / "architectures.json"
RECORDED_STEPS = (1, 2, 5, 10, 20)
TOLERANCE = 1e-4
"""Relative tolerance of a loss.

Measured between Python 3.11 without compiling and Python 3.10 with compiling: losses of recurrent models
differ by at most 2e-5; those of Transformers with one layer agree in all four decimals that were compared.
`test_golden_runs.py` makes mistakes on purpose: each changes one of the first two losses by more.
"""

INITIAL_SCALE = 3.0
"""Factor of the initial weights of recurrent models, whose attention is almost uniform with smaller ones.

Transformers need none: with large weights rounding alone changes their losses.
"""

SEED = 11
RECURRENT = {"units": 8, "inputs": "embedding", "embedding_size": 6}
TRANSFORMER = {"architecture": "transformer", "units": 8, "heads": 2, "feed_forward": 12}
OPTIONS = {
    "lstm": RECURRENT,
    "lstm_one_hot": {"units": 8},
    "gru": {**RECURRENT, "cell": "gru"},
    "lstm_residual": {**RECURRENT, "layers": 2, "residual": True},
    "lstm_bidirectional": {**RECURRENT, "bidirectional": True},
    "gru_bidirectional_attention": {
        **RECURRENT,
        "cell": "gru",
        "layers": 2,
        "bidirectional": True,
        "attention": "luong_general",
    },
    "lstm_luong_dot": {**RECURRENT, "attention": "luong_dot"},
    "lstm_luong_general": {**RECURRENT, "attention": "luong_general"},
    "lstm_input_feeding": {**RECURRENT, "attention": "luong_dot", "input_feeding": True},
    "lstm_bahdanau": {**RECURRENT, "attention": "bahdanau"},
    "lstm_monotonic": {**RECURRENT, "attention": "monotonic"},
    "lstm_pointer": {**RECURRENT, "attention": "luong_general", "pointer": True},
    "transformer_rotary": TRANSFORMER,
    "transformer_sinusoidal": {**TRANSFORMER, "positions": "sinusoidal"},
    "transformer_learned": {**TRANSFORMER, "positions": "learned", "max_positions": 8},
    "transformer_two_layers": {**TRANSFORMER, "layers": 2},
    "transformer_pointer": {**TRANSFORMER, "pointer": True},
}
ARCHITECTURES = {name: ModelSpec(**options) for name, options in OPTIONS.items()}


@dataclass(frozen=True)
class GoldenRun:
    """What a training measures.

    Args:
        losses: training loss of a token, in nats, at each of `RECORDED_STEPS` that was taken.
        validation_loss: the same of the validation words after the last step.
        predictions: greedy predictions of the first validation words.
    """

    losses: list[float]
    validation_loss: float
    predictions: list[str]


def same_losses(losses, expected):
    """Return whether losses are equal within the tolerance."""
    return all(math.isclose(a, b, rel_tol=TOLERANCE) for a, b in zip(losses, expected, strict=True))


def recorded():
    """Return the table of expected results: architecture -> `GoldenRun`."""
    return {name: GoldenRun(**row) for name, row in json.loads(TABLE.read_text()).items()}


def record(runs):
    """Write the table of expected results."""
    TABLE.write_text(json.dumps({name: asdict(run) for name, run in runs.items()}, indent=1) + "\n")


def golden_job(model):
    words = {side: PairFiles(file=f"words.{side}.tsv") for side in ("train", "validation")}
    optimizer = OptimizerSpec(learning_rate=0.02, schedule="constant", warmup_fraction=0.0)
    return JobSpec(
        name="golden",
        problem=TextPairsSpec(kind="text_pairs", **words, test=words["validation"]),
        model=model,
        training=TrainingSpec(examples=24, epochs=7, batch_size=8, optimizer=optimizer),
        evaluation=EvaluationSpec(examples=4, validation_examples=8),
        seed=SEED,
    )


def golden_run(model):
    """Train an architecture as a job does; return the `GoldenRun`."""
    problem, compiled, losses = _train(model, RECORDED_STEPS[-1])
    words = problem.examples("validation", 8)
    validation_loss = validate(compiled.loop.validate, words)["loss"]
    compiled.take_over_weights()
    found = compiled.inference.trained.decode(words.source[:4])
    return GoldenRun(losses, validation_loss, [problem.target_vocabulary.decode(ids) for ids in found])


def first_losses(model, steps=2):
    """Return the first of `GoldenRun.losses`."""
    return _train(model, steps)[2]


def _train(model, steps):
    """Return the problem, the `CompiledModel` and the losses at those of the steps that are recorded."""
    job = golden_job(model)
    seed_generators(job.seed)
    problem = build_problem(job.problem, job.seed, GOLDEN)
    compiled = ModelCache().prepare(problem, job, choose_kernel(model, gpu=False))
    if model.architecture == "recurrent":
        for weight in compiled.loop.model.trainable_variables:
            weight.assign(INITIAL_SCALE * weight)
    batches = training_batches(problem, job.training)
    losses = []
    for step in range(steps):
        values = compiled.loop.train_batches([batches.batch(*divmod(step, batches.steps))])
        if step + 1 in RECORDED_STEPS:
            losses.append(float(values["loss"][0] / values["tokens"][0]))
    return problem, compiled, losses
