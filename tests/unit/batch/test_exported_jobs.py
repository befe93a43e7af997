"""Finished jobs whose `export` changes, or whose export is damaged: evaluated again, never trained."""

import pytest
from finished_jobs import leave, said_of
from sample_jobs import job_spec

from job.batch.fetch import copy_model

EXPORTED = {"export/README.md": "text", "export/saved_model/1/variables/variables.index": "index"}


def exported(output, name="a"):
    """Leave a finished job with an export."""
    for path, content in EXPORTED.items():
        place = output.job(name).directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    return leave(output, job_spec(name, export=["saved_model"]))


def test_an_export_that_is_as_recorded_is_kept(output, plan):
    exported(output)
    said = said_of(plan(job_spec("a", export=["saved_model"])))
    assert said == ["skip: nothing that decides its result has changed"]


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ([], 're-evaluate: export ["saved_model"] -> absent'),
        (["saved_model", "onnx"], 're-evaluate: export ["saved_model"] -> ["saved_model", "onnx"]'),
    ],
)
def test_another_export_evaluates_again_without_the_old_one(output, plan, export, said):
    exported(output)
    (planned,) = plan(job_spec("a", export=export))
    assert said_of([planned]) == [said]
    copy = copy_model(planned, output)
    assert (copy.model / "train.keras").exists()
    assert not copy.export.exists()


@pytest.mark.parametrize("path", EXPORTED)
def test_a_damaged_export_is_made_again_with_the_model_that_is_there(output, plan, path):
    exported(output)
    (output.job("a").directory / path).write_text("other")
    (planned,) = plan(job_spec("a", export=["saved_model"]))
    assert planned.action == "re-evaluate"
    assert path in planned.decision.previous.reason


def test_a_first_export_trains_nothing(output, plan):
    leave(output, job_spec("a"))
    said = said_of(plan(job_spec("a", export=["onnx"])))
    assert said == ['re-evaluate: export absent -> ["onnx"]']
