"""A finished job with files missing: what can be made again is made again, and nothing is trained again."""

import json

import pytest
import yaml
from sample_jobs import job_result

from job.batch.batch_options import BatchOptions
from job.batch.derived_files import restore, result_damage
from job.batch.merge import merge_reports
from job.batch.planning import make_plan, write_plan
from job.batch.progress import DONE, Log
from job.batch.resume import find_previous, make_room
from job.batch.run_batch import run_batch
from job.reports.model_card_file import write_card
from job.reports.plots import write_plots
from job.results.job_files import list_files
from job.results.predictions import Prediction
from job.spec.fingerprints import Fingerprints
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec, Spec

MARK = "a" * 64
CONTEXTS = {
    "ids": ["0", "1"],
    "labels": [2, 3],
    "label": "tokens of the source",
    "coordinates": [[0.0, 1.0], [1.0, 0.0]],
    "explained": [0.7, 0.2],
}
FIELDS = {
    "metrics": {"sequence_accuracy": 0.5},
    "history": {"step": [1, 2], "loss": [0.5, 0.25], "val_loss": [None, 0.3]},
    "analysis": {
        "by_position": [{"position": p, "count": 2, "accuracy": p / 2} for p in range(3)],
        "by_source_length": [],
    },
    "attention": (
        {
            "source": ["5"],
            "predicted": ["5"],
            "source_tokens": 1,
            "predicted_tokens": 1,
            "weights": [[1.0]],
        },
    ),
    "samples": (Prediction("0", "5", "5", "5", True),),
}
DERIVED = ("accuracy.svg", "attention.svg", "contexts.svg", "curves.svg", "spec.yaml", "model/README.md")


@pytest.fixture
def spec(output):
    return Spec(
        path=output.root / "jobs.yaml",
        jobs=(JobSpec(name="copy", problem=CopySpec(kind="copy", source_length=2, cardinality=6)),),
    )


@pytest.fixture
def leave(output, spec):
    """Leave a finished job as a run does; returns its paths and its result."""

    def finished():
        planned = make_plan(spec, output)[0]
        paths = output.job("copy")
        paths.model.mkdir(parents=True)
        (paths.model / "train.keras").write_bytes(b"weights")
        paths.predictions.write_text("{}\n")
        paths.history.write_text("step,epoch,loss,val_loss\n1,1,0.5,\n2,1,0.25,0.3\n")
        paths.contexts.write_text(json.dumps(CONTEXTS))
        dumped = planned.job.model_dump(mode="json")
        marks = {
            "fingerprint": planned.fingerprints.evaluation,
            "training_fingerprint": planned.fingerprints.training,
        }
        result = job_result("copy", **marks, **{**FIELDS, "spec": dumped})
        write_plots(paths, result)
        write_card(paths, result)
        paths.spec.write_text(yaml.safe_dump(dumped, sort_keys=False))
        result = job_result(
            "copy",
            **marks,
            artifacts=list_files(paths.directory),
            **{**FIELDS, "spec": dumped},
        )
        paths.result.write_text(result.to_json())
        return paths, result

    return finished


def marks_of(result):
    return Fingerprints(training=result.training_fingerprint, evaluation=result.fingerprint)


def run(spec, output, lines):
    """Run the batch without workers: it fails where anything would be trained."""
    options = BatchOptions(workers=0, may_be_empty=True)
    return run_batch(make_plan(spec, output), output, output.root, Log(lines.append), options)


@pytest.mark.parametrize("name", DERIVED)
def test_a_missing_file_is_written_again_byte_for_byte_and_nothing_is_trained(leave, spec, output, name):
    paths, result = leave()
    before = (paths.directory / name).read_bytes()
    (paths.directory / name).unlink()
    lines = []
    report = run(spec, output, lines)
    assert report.jobs[0].reused
    assert (paths.directory / name).read_bytes() == before
    assert report.jobs[0].artifacts == result.artifacts
    assert any(f"copy: skip: {DONE}; {name} written again" in line for line in lines)
    assert not output.superseded.exists()


def test_a_picture_that_is_cut_off_is_drawn_again(leave, spec, output):
    paths, _ = leave()
    before = paths.curves.read_bytes()
    paths.curves.write_bytes(before[:100])
    run(spec, output, [])
    assert paths.curves.read_bytes() == before


@pytest.mark.parametrize("text", ["---\nlicense: mit\n---\n", ""])
def test_a_card_that_somebody_has_edited_stays_and_nothing_is_computed_again(leave, spec, output, text):
    paths, result = leave()
    paths.card.write_text(text)
    lines = []
    report = run(spec, output, lines)
    assert report.jobs[0].reused
    assert report.jobs[0].artifacts == result.artifacts
    assert paths.card.read_text() == text
    assert not any("written again" in line for line in lines)
    assert result_damage(paths, result) == ""


def test_the_report_command_writes_missing_files_again_too(leave, spec, output):
    paths, _ = leave()
    write_plan(output, make_plan(spec, output))
    paths.curves.unlink()
    output.html.unlink(missing_ok=True)
    merge_reports([output.root])
    assert paths.curves.is_file()
    assert "Training" in output.html.read_text("utf-8")


def test_a_missing_history_gets_what_the_result_has_of_it(leave):
    paths, result = leave()
    paths.history.unlink()
    paths.curves.unlink()
    found = restore(paths, result)
    assert paths.history.read_text() == "step,loss,val_loss\n1,0.5,\n2,0.25,0.3\n"
    assert paths.curves.is_file()
    assert sorted(found.written) == ["curves.svg", "history.csv"]
    assert found.result.artifacts == list_files(paths.directory)


def test_context_vectors_that_are_gone_are_said_to_be(leave, spec, output):
    paths, _ = leave()
    paths.contexts.unlink()
    paths.contexts_plot.unlink()
    lines = []
    report = run(spec, output, lines)
    assert "contexts.json, contexts.svg gone" in "\n".join(lines)
    assert report.jobs[0].reused
    assert {"contexts.json", "contexts.svg"}.isdisjoint(a.path for a in report.jobs[0].artifacts)
    lines.clear()
    run(spec, output, lines)
    assert "gone" not in "\n".join(lines)


@pytest.mark.parametrize("name", ["model/train.keras"])
def test_a_job_without_its_model_is_incomplete_and_set_aside_whole(leave, spec, output, name):
    paths, result = leave()
    (paths.directory / name).unlink()
    left = {path.relative_to(paths.directory) for path in paths.directory.rglob("*")}
    planned = make_plan(spec, output)[0]
    assert planned.state == "incomplete"
    assert planned.result is None
    make_room(output, "copy", marks_of(result), fresh=False)
    (aside,) = output.superseded.iterdir()
    assert {path.relative_to(aside) for path in aside.rglob("*")} == left
    assert [*paths.directory.iterdir()] == []


def test_a_finished_result_counts_without_its_pictures(leave):
    paths, result = leave()
    for picture in paths.directory.glob("*.svg"):
        picture.unlink()
    assert find_previous(paths, marks_of(result)).result == result
