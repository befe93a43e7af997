"""Results that a job takes from another name, or from an earlier state of its spec."""

import shutil
from dataclasses import replace

import pytest
import yaml
from finished_jobs import BEAM, FILES, LONGER, leave, leftovers, recorded, said_of
from sample_jobs import job_spec

from job.batch.batch_options import BatchOptions
from job.batch.merge import merge_reports
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.results.job_files import list_files
from job.results.job_result import JobResult

# --- names --------------------------------------------------------------------------------------------------


def check_taken_along(output, name, old, stand_in):
    """Check that a job has the result of another one, under its own name."""
    assert stand_in == []
    found = recorded(output, name)
    spec = {**old.spec, "name": name}
    assert found.spec == spec
    assert yaml.safe_load(output.job(name).spec.read_text()) == spec
    assert replace(found, spec=old.spec, name=old.name, artifacts=old.artifacts) == old
    assert found.artifacts == list_files(output.job(name).directory)
    assert f"<title>{name}</title>" in output.job(name).curves.read_text()
    assert f"# {name}\n" in output.job(name).card.read_text()
    assert output.job(name).predictions.read_text() == FILES["predictions.jsonl"]


@pytest.mark.parametrize("kept", [True, False], ids=["a copy", "a new name"])
def test_a_job_takes_the_result_of_another_name(batch, plan, output, stand_in, kept):
    before, now = job_spec("before", seed=3), job_spec("now", seed=3)
    old = leave(output, before)
    jobs = (before, now) if kept else (now,)
    assert said_of(plan(*jobs))[-1] == "skip: its result is in jobs/before"
    report = batch(*jobs)
    assert [job.reused for job in report.jobs] == [True] * len(jobs)
    assert report.set_aside == ()
    check_taken_along(output, "now", old, stand_in)
    assert recorded(output, "before") == old
    assert merge_reports([output.root]).jobs == report.jobs
    assert said_of(plan(*jobs))[-1] == "skip: nothing that decides its result has changed"


def test_a_directory_that_was_renamed_by_hand_is_that_of_the_new_name(batch, output, stand_in):
    old = leave(output, job_spec("before", seed=3))
    output.job("before").directory.rename(output.job("now").directory)
    assert batch(job_spec("now", seed=3)).jobs[0].reused
    check_taken_along(output, "now", old, stand_in)


def test_a_new_name_and_another_evaluation_take_the_model_along(batch, plan, output):
    old = leave(output, job_spec("before", seed=3))
    job = job_spec("fine", seed=3, evaluation=BEAM)
    assert said_of(plan(job)) == [
        "re-evaluate: evaluation.decoder greedy -> beam; its model is in jobs/before"
    ]
    report = batch(job)
    assert report.jobs[0].training_fingerprint == old.training_fingerprint
    assert (output.job("fine").model / "train.keras").read_text() == FILES["model/train.keras"]
    assert "# fine\n" in output.job("fine").card.read_text()
    assert recorded(output, "fine").artifacts == list_files(output.job("fine").directory)
    assert recorded(output, "before") == old


def test_what_is_in_the_place_of_a_result_from_elsewhere_is_set_aside(batch, output):
    leave(output, job_spec("before", seed=3))
    other = leave(output, job_spec("now", seed=4))
    report = batch(job_spec("now", seed=3))
    assert report.jobs[0].reused
    (aside,) = report.set_aside
    assert JobResult.from_json((output.root / aside.place / "result.json").read_bytes()) == other


# --- earlier states -----------------------------------------------------------------------------------------


def test_a_spec_that_returns_to_an_earlier_state_takes_its_result_back(batch, plan, output, stand_in):
    first = job_spec("fine", seed=3)
    old = leave(output, first)
    batch(first.model_copy(update={"training": LONGER}))
    longer = recorded(output, "fine")
    place = f"superseded/fine-{old.fingerprint[:8]}"
    assert said_of(plan(first)) == [f"skip: its result is in {place}"]
    count = len(stand_in)
    report = batch(first)
    assert (len(stand_in), report.jobs[0].reused) == (count, True)
    assert recorded(output, "fine") == old
    (aside,) = report.set_aside
    assert aside.place == f"superseded/fine-{longer.fingerprint[:8]}"
    assert JobResult.from_json((output.root / aside.place / "result.json").read_bytes()) == longer
    assert [path.name for path in output.superseded.iterdir()] == [f"fine-{longer.fingerprint[:8]}"]


@pytest.mark.parametrize(
    ("file", "action"), [("model/train.keras", "train"), ("predictions.jsonl", "re-evaluate")]
)
def test_a_damaged_result_is_not_taken_back(batch, plan, output, file, action):
    job = job_spec("fine")
    leave(output, job, output.superseded / "fine-1")
    path = output.superseded / "fine-1" / file
    path.write_text("x" * len(path.read_text()))
    assert [planned.action for planned in plan(job)] == [action]
    assert batch(job).jobs[0].reused is False
    assert path.exists()


def test_what_cannot_be_read_is_no_earlier_result(plan, output, tmp_path):
    job = job_spec("fine")
    for number, text in enumerate(["", "[]", "{}", '{"status": "passed", "training_fingerprint": 3}']):
        (output.superseded / f"fine-{number}").mkdir(parents=True)
        (output.superseded / f"fine-{number}" / "result.json").write_text(text)
    (output.superseded / "file").touch()
    leave(output, job, tmp_path / "elsewhere")
    (output.superseded / "fine-link").symlink_to(tmp_path / "elsewhere")
    leave(output, job, output.jobs / ".tmp-12345678-fine")
    assert said_of(plan(job)) == ["train: it has no result yet"]


def test_a_model_that_vanishes_between_plan_and_run_is_trained(output, plan, stand_in):
    leave(output, job_spec("before", seed=3))
    jobs = job_spec("fine-1", seed=3), job_spec("fine-2", seed=3, evaluation=BEAM)
    planned = plan(*jobs)
    assert [each.action for each in planned] == ["skip", "re-evaluate"]
    shutil.rmtree(output.job("before").directory)
    report = run_batch(planned, output, output.root, Log(lambda line: None), BatchOptions())
    assert [job.reused for job in report.jobs] == [False, False]
    assert report.exit_code == 0
    assert leftovers(output) == []
