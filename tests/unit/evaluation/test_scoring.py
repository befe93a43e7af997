"""Jobs trained on a few pairs: what they record and how they are scored, beside the data files themselves."""

import json

import pytest
import sacrebleu
import tensorflow as tf

from job.inference.token_lines import load_model
from job.results.data_facts import TokenCounts
from job.running.run_job import run_job
from job.running.task import Task
from job.spec.schema import JobSpec
from job.storage.artifacts import JobPaths

RESERVED = ["<start>", "<end>", "<pad>", "<unk>"]


@pytest.fixture(autouse=True)
def eagerly():
    """Without compiling: these jobs are too small for it to pay."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def trained(tmp_path):
    """Train a job on files of pairs: return its result, its predictions as JSON, and its paths."""

    def train(train, test, epochs=1, **problem):
        for side, pairs in (("train", train), ("test", test)):
            (tmp_path / f"{side}.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in pairs))
        files = {side: {"file": f"{side}.tsv"} for side in ("train", "test")}
        job = JobSpec.model_validate(
            {
                "name": "pairs",
                "problem": {"kind": "text_pairs", **files, "validation": files["test"], **problem},
                "model": {"units": 16, "inputs": "embedding", "embedding_size": 16},
                "training": {
                    "examples": "all",
                    "epochs": epochs,
                    "batch_size": min(4, len(train)),
                    "optimizer": {"learning_rate": 0.05},
                },
            }
        )
        paths = JobPaths(tmp_path / "pairs")
        paths.directory.mkdir()
        result = run_job(Task(job, "f" * 64, tmp_path, paths, commit=None))
        return result, [json.loads(line) for line in paths.predictions.read_text("utf-8").splitlines()], paths

    return train


def test_the_scores_are_those_of_the_data_where_a_token_is_unknown(trained):
    test = [("A  b a a a", "X y x x x"), ("c", "y y y y")]
    words = {"source_tokens": "words", "target_tokens": "words", "lowercase": True}
    result, lines, _ = trained([("a a a a", "x x x x")], test, epochs=12, **words)
    expected = {"a b a a a": "x y x x x", "c": "y y y y"}
    assert {line["source"]: line["target"] for line in lines} == expected
    predicted, references = ([line[key] for line in lines] for key in ("predicted", "target"))
    bleu = sacrebleu.corpus_bleu(predicted, [references], tokenize="none").score
    assert result.metrics["bleu"] == pytest.approx(bleu)
    assert result.metrics["bleu"] < 60
    assert result.metrics["chrf"] == pytest.approx(sacrebleu.corpus_chrf(predicted, [references]).score)
    assert result.metrics["sequence_accuracy"] == 0
    assert result.data.test_tokens.source == 6
    assert result.data.unknown_tokens == TokenCounts(source=2, target=5, predicted=0)
    assert result.data.seen_in_training == 0
    assert [row["length"] for row in result.analysis["by_source_length"]] == [1, 5]
    assert all(accuracy < 1 for accuracy in result.history["val_token_accuracy"] if accuracy is not None)
    assert set(result.history["val_sequence_accuracy"]) <= {None, 0.0}


def test_tokens_spelled_like_reserved_symbols_are_learned_recorded_and_predicted(trained):
    pairs = [(f"{token} {i}", f"{RESERVED[i - 1]} {token}") for i, token in enumerate(RESERVED)]
    words = {"source_tokens": "words", "target_tokens": "words"}
    result, lines, paths = trained(pairs, pairs, epochs=60, **words)
    assert {line["source"]: line["predicted"] for line in lines} == dict(pairs)
    assert all(line["correct"] for line in lines)
    assert not any("unknown" in line for line in lines)
    assert result.metrics["sequence_accuracy"] == result.metrics["token_accuracy"] == 1
    assert result.data.unknown_tokens == TokenCounts(source=0, target=0, predicted=0)
    assert result.data.seen_in_training == 4
    model = load_model(paths.model)
    assert [*model.predict_lines([source for source, _ in pairs], "input")] == [target for _, target in pairs]


def test_there_is_no_bleu_of_targets_below_four_tokens_and_the_result_says_why(trained):
    result, _, _ = trained([("a", "x y z")], [("a", "x y z")], epochs=12, target_tokens="words")
    assert result.metrics["sequence_accuracy"] == 1
    assert result.metrics["chrf"] == 100
    assert "bleu" not in result.metrics
    assert "bleu" not in result.data.signatures
    assert "four tokens" in result.data.not_measured["bleu"]
    assert "occurs in the training data" in result.data.not_measured["unseen_sequence_accuracy"]
