"""What is computed again: gates, evaluations, and what a plan says of each change."""

import json
import signal
import sys
from dataclasses import replace

import pytest
from finished_jobs import BEAM, FILES, LONGER, leave, leftovers, recorded, said_of
from sample_jobs import job_spec

from job.batch.merge import merge_reports
from job.batch.progress import Log
from job.reports.content import origin
from job.results.job_result import JobResult
from job.spec import fingerprints
from job.spec.evaluation_section import EvaluationSpec
from job.spec.fingerprints import fingerprints_of
from job.spec.gate_section import GateSpec
from job.spec.model_section import ModelSpec

# --- what is said of each job -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "skip: nothing that decides its result has changed"),
        ({"timeout_minutes": 5.0, "retries": 3}, "skip: nothing that decides its result has changed"),
        ({"gate": GateSpec(min_sequence_accuracy=0.4)}, "re-judge: gate.min_sequence_accuracy null -> 0.4"),
        ({"seeds": [3, 4]}, "re-judge: seeds [] -> [3, 4]"),
        (
            {"evaluation": EvaluationSpec(decoder="beam", beam_width=8)},
            "re-evaluate: evaluation.decoder greedy -> beam, evaluation.beam_width 4 -> 8",
        ),
        ({"model": ModelSpec(units=64)}, "train: model.units 128 -> 64"),
        (
            {"evaluation": EvaluationSpec(validation_examples=3), "seed": 9},
            "train: seed 3 -> 9, evaluation.validation_examples 1000 -> 3",
        ),
    ],
)
def test_a_plan_says_what_a_change_leads_to(output, plan, change, said):
    leave(output, job_spec("fine", seed=3))
    assert said_of(plan(job_spec("fine", **{"seed": 3, **change}))) == [said]


def test_a_plan_says_which_version_has_changed_or_that_the_data_has(output, plan, monkeypatch):
    versions = {"tensorflow": "2.20.0", "keras": "3.15.1", "numpy": "2.4.0"}
    with monkeypatch.context() as patch:
        patch.setattr(fingerprints, "installed_versions", lambda: versions)
        leave(output, job_spec("fine"), environment={"versions": versions})
    now = fingerprints.installed_versions()
    (said,) = said_of(plan(job_spec("fine")))
    assert said.startswith("train: ")
    assert f"tensorflow 2.20.0 -> {now['tensorflow']}" in said
    leave(output, job_spec("fine"), environment={"versions": now}, training_fingerprint="0" * 64)
    assert said_of(plan(job_spec("fine"))) == ["train: a data file or the problem's package has changed"]


def test_a_plan_names_a_few_of_many_changed_keys(output, plan):
    leave(output, job_spec("fine"))
    model = ModelSpec(units=3, layers=2, cell="gru", bidirectional=True, attention="luong_dot", dropout=0.1)
    (said,) = said_of(plan(job_spec("fine", model=model, training=LONGER)))
    assert said.count(" -> ") == 6
    assert said.endswith(", 1 more")


def test_unfinished_jobs_are_resumed_or_trained(output, plan):
    def checkpoint(job):
        folder = output.job(job.name).checkpoint
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{fingerprints_of(job, output.root).training[:8]}-0000000001.npz").touch()

    jobs = [job_spec(name) for name in ("new", "stopped", "failed", "killed")]
    for job, status in zip(jobs[1:3], ("interrupted", "failed"), strict=True):
        leave(output, job, status=status)
    assert said_of(plan(*jobs)) == [
        "train: it has no result yet",
        "train: it was interrupted before its first checkpoint",
        "train: it has failed before",
        "train: it has no result yet",
    ]
    for job in jobs[1:]:
        checkpoint(job)
    beams = [job.model_copy(update={"evaluation": BEAM}) for job in jobs]
    assert [said.partition(":")[0] for said in said_of(plan(*jobs))] == ["train", *["resume"] * 3]
    assert [said.partition(":")[0] for said in said_of(plan(*beams))] == ["train", *["resume"] * 3]
    longer = [job.model_copy(update={"training": LONGER}) for job in jobs]
    assert {planned.action for planned in plan(*longer)} == {"train"}


def test_a_result_of_an_earlier_version_is_reported_and_trained_again(output, plan, batch):
    job = job_spec("fine")
    paths = output.job("fine")
    leave(output, job, fingerprint="0" * 64)
    record = json.loads(paths.result.read_text())
    for key in ("training_fingerprint", "evaluation_fingerprint"):
        del record[key]
    paths.result.write_text(json.dumps(record))
    output.plan.write_text(
        json.dumps({"schema_version": 1, "jobs": [{"name": "fine", "fingerprint": "0" * 64}]})
    )
    assert merge_reports([output.root]).totals["passed"] == 1
    said = "train: its result was left by a version without training fingerprints"
    assert said_of(plan(job)) == [said]
    assert batch(job).exit_code == 0
    assert recorded(output, "fine").training_fingerprint == fingerprints_of(job, output.root).training


# --- gates --------------------------------------------------------------------------------------------------


def test_a_changed_gate_judges_again_without_a_worker(batch, output, stand_in, monkeypatch):
    leave(output, job_spec("fine"))
    for module in ("matplotlib", "tensorflow"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    report = batch(job_spec("fine", gate=GateSpec(min_sequence_accuracy=0.9)))
    assert (report.exit_code, report.jobs[0].status) == (3, "gate_failed")
    assert report.jobs[0].reused
    assert stand_in == []
    assert recorded(output, "fine").status == "gate_failed"
    assert batch(job_spec("fine")).exit_code == 0


# --- evaluations --------------------------------------------------------------------------------------------


def test_a_changed_evaluation_evaluates_the_model_again_and_sets_the_old_result_aside(batch, output, plan):
    old = leave(output, job_spec("fine"))
    lines = []
    report = batch(job_spec("fine", evaluation=BEAM), log=Log(lines.append))
    (result,) = report.jobs
    assert report.exit_code == 0
    assert not result.reused
    assert (result.fingerprint, result.training_fingerprint) == (
        fingerprints_of(job_spec("fine", evaluation=BEAM), output.root).evaluation,
        old.training_fingerprint,
    )
    assert result == recorded(output, "fine")
    assert (output.job("fine").model / "train.keras").read_text() == FILES["model/train.keras"]
    (aside,) = report.set_aside
    assert aside.reason == "it is of another evaluation section"
    place = output.root / aside.place
    assert JobResult.from_json((place / "result.json").read_bytes()) == old
    assert (place / "predictions.jsonl").read_text() == FILES["predictions.jsonl"]
    assert any("fine: re-evaluate: evaluation.decoder greedy -> beam" in line for line in lines)
    assert leftovers(output) == []
    assert merge_reports([output.root]).jobs == report.jobs


def test_a_job_that_was_evaluated_again_is_called_that(output):
    result = leave(output, job_spec("fine"))
    assert origin(result) == "trained now"
    again = replace(result, environment={"evaluation": {}})
    assert origin(again) == "evaluated again"
    assert origin(replace(again, reused=True)) == "already done"


def test_a_failed_evaluation_is_repeated_with_the_model_that_was_set_aside(batch, output, plan):
    leave(output, job_spec("raises"))
    job = job_spec("raises", evaluation=BEAM)
    for _ in range(2):
        assert batch(job).exit_code == 1
        assert recorded(output, "raises").status == "failed"
        assert not output.job("raises").card.exists()
        assert (output.job("raises").model / "train.keras").exists()
        (planned,) = plan(job)
        assert planned.action == "re-evaluate"
        assert "; its model is in superseded/raises-" in planned.decision.why
    assert leftovers(output) == []


class Stopping(Log):
    """Asks the batch to stop as soon as a job has begun."""

    def advanced(self, name, step):
        signal.raise_signal(signal.SIGTERM)


def test_an_interrupted_evaluation_leaves_the_result_as_it_was(batch, output):
    old = leave(output, job_spec("waits"))
    job = job_spec("waits", evaluation=BEAM)
    report = batch(job, log=Stopping(lambda line: None))
    assert (report.exit_code, report.jobs[0].status) == (143, "interrupted")
    assert recorded(output, "waits") == old
    assert leftovers(output) == []
    assert not output.superseded.exists()
    merged = merge_reports([output.root])
    assert merged.exit_code == 1
    assert "is of another evaluation section than plan.json; run the batch again" in merged.unusable["waits"]


def test_a_batch_that_fails_fast_leaves_no_half_evaluated_job(batch, output):
    for name in ("raises", "fine"):
        leave(output, job_spec(name))
    report = batch(job_spec("raises", evaluation=BEAM), job_spec("fine", evaluation=BEAM), fail_fast=True)
    assert report.missing == ("fine",)
    assert leftovers(output) == []
    assert recorded(output, "fine").fingerprint == fingerprints_of(job_spec("fine"), output.root).evaluation


def test_two_workers_evaluate_and_train_side_by_side(batch, output):
    leave(output, job_spec("meets-1"))
    report = batch(job_spec("meets-1", evaluation=BEAM), job_spec("meets-2"), workers=2)
    assert [job.status for job in report.jobs] == ["passed", "passed"]
    assert [aside.job for aside in report.set_aside] == ["meets-1"]


def test_fresh_trains_whatever_there_is(batch, output):
    old = leave(output, job_spec("fine"))
    lines = []
    report = batch(job_spec("fine", evaluation=BEAM), fresh=True, log=Log(lines.append))
    assert not (output.job("fine").model / "train.keras").exists()
    assert JobResult.from_json((output.root / report.set_aside[0].place / "result.json").read_bytes()) == old
    assert any("fine: train: every job is trained afresh, as asked" in line for line in lines)
