"""Results of one job of every kind."""

from job.results.data_facts import DataFacts
from job.results.job_result import Artifact, Failure, GateOutcome, JobResult
from job.results.predictions import Prediction
from job.results.validation_result import ValidationResult

TUTORIAL = JobResult(
    name="tutorial",
    status="passed",
    fingerprint="a1" * 32,
    seed=7,
    spec={
        "name": "tutorial",
        "problem": {"kind": "reversed_prefix", "source_length": 6, "target_length": 3, "cardinality": 51},
        "model": {"cell": "lstm", "units": 128},
        "training": {"examples": 100_000, "epochs": 1, "early_stopping": None},
    },
    metrics={
        "token_accuracy": 0.99999,
        "sequence_accuracy": 0.999975,
        "unseen_sequence_accuracy": 0.999975,
        "edit_rate": 0.00001,
    },
    gates=(
        GateOutcome("sequence_accuracy", 0.99, 0.999975, True),
        GateOutcome("train_seconds", 60.0, 8.831, True),
    ),
    data=DataFacts(
        train_examples=100_000,
        epochs=1,
        steps=782,
        stopped_early=False,
        best_epoch=None,
        test_examples=10_000,
        seen_in_training=3,
        source_space=15_625_000_000,
        problem={"source_length": 6, "vocabulary": 51},
    ),
    validation=ValidationResult(
        examples=1_000,
        metrics={"token_accuracy": 0.9975, "sequence_accuracy": 0.9925, "edit_rate": 0.0025},
        seen_in_training=2,
    ),
    timings={"train_seconds": 8.831, "total_seconds": 14.25, "decoded_sequences_per_second": 31234.5},
    peak_rss_bytes=700 * 2**20,
    parameters=157_747,
    history={
        "step": [300, 600, 782],
        "loss": [2.5, 0.5, 0.25],
        "val_loss": [None, None, 0.3],
    },
    samples=(
        Prediction("0", "5 12 48 1 9 30", "48 12 5", "48 12 5", True),
        Prediction("1", "1 2 3 4 5 6", "3 2 1", "3 2 2", False),
    ),
    analysis={
        "by_position": [
            {"position": 0, "count": 10_000, "accuracy": 1.0},
            {"position": 1, "count": 10_000, "accuracy": 0.99999},
            {"position": 2, "count": 5_000, "accuracy": 0.5},
        ],
        "by_source_length": [{"length": 6, "count": 10_000, "accuracy": 0.999975}],
        "confusions": [
            {"target": "1", "predicted": "2", "count": 1_234},
            {"target": "48", "predicted": "5", "count": 1},
        ],
        "worst_mistakes": [
            {
                "id": "17",
                "edit_distance": 2,
                "source": "1 2 3 4 5 6",
                "target": "3 2 1",
                "predicted": "3 1 2",
            },
            {"id": "1", "edit_distance": 1, "source": "a|b", "target": "", "predicted": "`"},
        ],
    },
    also=(
        {
            "sizes": {"source_length": 8},
            "examples": 2_000,
            "metrics": {"sequence_accuracy": 0.507927, "token_accuracy": 0.75, "edit_rate": 0.25},
        },
        {
            "sizes": {"source_length": 5, "target_length": 2},
            "examples": 100,
            "metrics": {"sequence_accuracy": 1.0, "token_accuracy": 1.0, "edit_rate": 0.0},
        },
    ),
    attention=(
        {
            "source": ["5", "12", "48"],
            "predicted": ["48", "12"],
            "source_tokens": 3,
            "predicted_tokens": 2,
            "weights": [[0.1, 0.2, 0.7], [0.0, 0.98, 0.02]],
        },
        {"source": ["1"], "predicted": ["3"], "source_tokens": 1, "predicted_tokens": 1, "weights": [[1.0]]},
    ),
    artifacts=tuple(
        Artifact(name, 1234, "0" * 64)
        for name in ("accuracy.svg", "attention.svg", "contexts.svg", "curves.svg", "history.csv")
    ),
)
SHORT = JobResult(
    name="addition_of-1.digit",
    status="gate_failed",
    fingerprint="b2" * 32,
    seed=8,
    spec={"problem": {"kind": "addition", "digits": 1}},
    metrics={"sequence_accuracy": 0.98996, "token_accuracy": 0.995, "edit_rate": 0.005, "chrf": 98.765},
    gates=(
        GateOutcome("sequence_accuracy", 0.99, 0.98996, False),
        GateOutcome("unseen_sequence_accuracy", 0.5, None, False),
        GateOutcome("edit_rate", 0.1, 0.005, True),
    ),
    data=DataFacts(
        train_examples=3000,
        epochs=3,
        steps=24,
        stopped_early=True,
        best_epoch=2,
        test_examples=100,
        seen_in_training=97,
        source_space=121,
        signatures={"chrf": "nrefs:2|case:mixed"},
        problem={"left_out": 0},
    ),
    timings={"train_seconds": 1.5, "total_seconds": 5.0},
    parameters=70_000,
    samples=(Prediction("0", "1+2", "3", "", False), Prediction("1", "a", "x", "y", True, ("x", "y"))),
)
BROKEN = JobResult(
    name="broken",
    status="failed",
    fingerprint="c3" * 32,
    seed=7,
    spec={},
    timings={"total_seconds": 2.0},
    error=Failure("NonFiniteError", "the loss is not a finite number at step 3:\n```\nlower it", "error.txt"),
)
STOPPED = JobResult(name="stopped", status="interrupted", fingerprint="d4" * 32, seed=7, spec={})
