"""What a tracker gets of a job, without a tracker."""

from dataclasses import replace

import pytest
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL

from job.results.comparison_records import JobComparison
from job.results.job_result import Artifact
from job.storage.artifacts import JobPaths
from job.tracking import run_content as module
from job.tracking.batch_number import batch_number
from job.tracking.run_content import result_id, run_content, tracked_name


@pytest.fixture
def paths(tmp_path):
    return JobPaths(tmp_path)


def points(content):
    return {(point.name, point.step): point.value for point in content.points}


def test_the_spec_becomes_flat_parameters_without_gates_and_empty_keys(paths):
    spec = {
        "seed": 7,
        "problem": {"kind": "copy", "columns": {"source": 1}},
        "model": {"units": 16, "bidirectional": False, "feed_forward": None},
        "training": {"optimizer": {"name": "adam"}},
        "evaluation": {"also": [{"source_length": 3}]},
        "gate": {"min_sequence_accuracy": 0.9},
        "seeds": [1, 2],
    }
    assert run_content(replace(TUTORIAL, spec=spec), paths).params == {
        "seed": "7",
        "problem.kind": "copy",
        "problem.columns.source": "1",
        "model.units": "16",
        "model.bidirectional": "false",
        "training.optimizer.name": "adam",
        "evaluation.also": '[{"source_length": 3}]',
    }


def test_metrics_are_those_of_history_test_validation_and_timings(paths):
    content = run_content(TUTORIAL, paths)
    found = points(content)
    assert [found["history.loss", step] for step in (300, 600, 782)] == [2.5, 0.5, 0.25]
    assert [key for key in found if key[0] == "history.val_loss"] == [("history.val_loss", 782)]
    assert found["test.sequence_accuracy", 782] == 0.999975
    assert found["validation.sequence_accuracy", 782] == 0.9925
    assert found["timing.train_seconds", 782] == 8.831
    assert len(found) == len(content.points)


def test_the_verdict_is_in_the_tags(paths):
    compared = JobComparison(name="addition_of-1.digit", verdict="regression", reason="it is worse")
    tags = run_content(replace(SHORT, judged=True), paths, compared).tags
    assert tags["seq2seq_job.verdict"] == "gate_failed"
    assert tags["seq2seq_job.gate.sequence_accuracy"].startswith("failed: 0.98996, at least 99")
    assert tags["seq2seq_job.gate.unseen_sequence_accuracy"].startswith("failed: not measured")
    assert tags["seq2seq_job.gate.edit_rate"].startswith("passed")
    assert tags["seq2seq_job.baseline"] == "it is worse"
    assert run_content(replace(TUTORIAL, gates=()), paths).tags["seq2seq_job.verdict"] == "no gates"


@pytest.mark.parametrize(
    ("result", "status"),
    [(TUTORIAL, "FINISHED"), (SHORT, "FINISHED"), (BROKEN, "FAILED"), (STOPPED, "KILLED")],
)
def test_a_run_fails_if_its_job_was_not_trained(paths, result, status):
    assert run_content(result, paths).status == status


def test_a_failure_says_why(paths):
    tags = run_content(BROKEN, paths).tags
    assert tags["seq2seq_job.error"].startswith("NonFiniteError: the loss is not a finite number")
    assert tags["seq2seq_job.verdict"] == "failed"


def test_equal_results_are_one_run_whatever_gates_judged_them_and_whichever_run_made_them():
    judged = replace(TUTORIAL, gates=(), judged=True, status="gate_failed", reused=True, artifacts=())
    assert result_id(judged) == result_id(TUTORIAL)
    assert result_id(replace(TUTORIAL, metrics={"sequence_accuracy": 0.5})) != result_id(TUTORIAL)
    assert result_id(replace(TUTORIAL, timings={"train_seconds": 1.0})) != result_id(TUTORIAL)


def test_small_files_are_uploaded_and_no_predictions(paths, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    sizes = {"model/README.md": 10, "model/train.keras": 101, "predictions.jsonl": 5, "curves.svg": 100}
    for name, size in sizes.items():
        (paths.directory / name).parent.mkdir(exist_ok=True)
        (paths.directory / name).write_bytes(b"." * size)
    paths.result.write_text("{}")
    listed = tuple(Artifact(name, size, "0" * 64) for name, size in {**sizes, "gone.svg": 1}.items())
    content = run_content(replace(TUTORIAL, artifacts=listed), paths)
    assert content.files == ("result.json", "model/README.md", "curves.svg")
    assert content.tags["seq2seq_job.too_large"] == "model/train.keras"


def test_names_and_values_keep_the_limits_of_trackers(paths):
    assert tracked_name("options.größe(x)") == "options.gr__e_x_"
    assert len(tracked_name("x" * 300)) == 250
    assert [tracked_name(f"options.{key}") for key in ("news/", "a//b")] == ["options.news_", "options.a__b"]
    spec = {"problem": {"kind": "plugin", "options": {"text": "x" * 7000}}}
    assert len(run_content(replace(TUTORIAL, spec=spec), paths).params["problem.options.text"]) == 5000


def test_a_batch_keeps_its_number(output):
    number = batch_number(output)
    assert batch_number(output) == number
    (output.root / "mlflow.json").write_text("[]")
    with pytest.raises(ValueError, match=r"mlflow\.json is damaged; remove it"):
        batch_number(output)
