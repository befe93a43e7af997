"""Jobs with the same training: one of them trains, and the others evaluate its model."""

import json
import signal

import pytest
from finished_jobs import BEAM, LONGER, leave, leftovers, recorded, said_of
from sample_jobs import job_spec

from job.batch.batch_options import BatchOptions
from job.batch.merge import merge_reports
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.batch.shard import parse_shard
from job.batch.shard_jobs import expected_deal, jobs_of_shard
from job.batch.shared_trainings import share_trainings
from job.results.job_result import JobResult
from job.spec.evaluation_section import EvaluationSpec
from job.spec.fingerprints import fingerprints_of
from job.spec.gate_section import GateSpec
from job.spec.training_section import TrainingSpec

SAMPLE = EvaluationSpec(decoder="sample")
FORMS = pytest.mark.parametrize(
    "form", [{"workers": 1}, {"workers": 2}, {"lease_seconds": 5.0}], ids=["one", "two", "queue"]
)


def alike(name, **sections):
    """A job with the training of every other one; `-model` in its name has the stand-in leave a model."""
    return job_spec(name, seed=3, **sections)


def model(paths):
    """Return which job trained the model in a job directory."""
    encoder, decoder = ((paths.model / f"inference_{part}.keras") for part in ("encoder", "decoder"))
    trained = encoder.read_text().removeprefix("encoder of ")
    assert decoder.read_text() == f"decoder of {trained}"
    return trained


class Events(Log):
    """Keeps the events of the log."""

    def __init__(self):
        super().__init__(lambda line: self.events.append(json.loads(line)), machine=True)
        self.events = []

    def of(self, name):
        """Return the planned actions of a job and why."""
        found = [event for event in self.events if event["event"] == "planned" and event["job"] == name]
        return [f"{event['action']}: {event['reason']}" for event in found]

    @property
    def order(self):
        kinds = ("started", "finished")
        return [f"{e['event']} {e['job']}" for e in self.events if e["event"] in kinds]


# --- the plan -----------------------------------------------------------------------------------------------


def test_a_plan_trains_once_and_says_whose_model_the_others_take(plan):
    planned = share_trainings(
        plan(alike("a"), job_spec("other"), alike("b", evaluation=BEAM), alike("c", evaluation=SAMPLE))
    )
    waiting = "re-evaluate: the model of a, once it is trained"
    assert said_of(planned) == ["train: it has no result yet"] * 2 + [waiting] * 2
    assert [each.model_of for each in planned] == [None, None, "a", "a"]


def test_a_job_that_was_interrupted_is_resumed_before_one_that_is_new(plan, output):
    folder = output.job("b").checkpoint
    folder.mkdir(parents=True)
    (folder / f"{fingerprints_of(alike('b'), output.root).training[:8]}-0000000001.npz").touch()
    planned = share_trainings(plan(alike("a"), alike("b", evaluation=BEAM)))
    assert [(each.action, each.model_of) for each in planned] == [("re-evaluate", "b"), ("resume", None)]


def test_a_finished_model_is_evaluated_at_once(plan, output):
    leave(output, alike("a"))
    planned = share_trainings(plan(alike("a"), alike("b", evaluation=BEAM), alike("c", evaluation=SAMPLE)))
    assert [(each.action, each.model_of) for each in planned] == [
        ("skip", None), ("re-evaluate", "a"), ("re-evaluate", "a"),
    ]  # fmt: skip
    assert all(said.endswith("; its model is in jobs/a") for said in said_of(planned)[1:])


def test_the_model_of_an_earlier_state_of_the_job_is_its_own(plan, output):
    leave(output, alike("a"), output.superseded / "a-1")
    (planned,) = share_trainings(plan(alike("a", evaluation=BEAM)))
    assert (planned.action, planned.model_of) == ("re-evaluate", None)


# --- runs ---------------------------------------------------------------------------------------------------


@FORMS
def test_one_job_trains_and_the_others_take_its_model(batch, output, plan, form):
    log = Events()
    jobs = (
        alike("fine-model-b", evaluation=BEAM),
        alike("fine-model-a", gate=GateSpec(min_sequence_accuracy=0.4)),
        alike("fine-model-c", evaluation=SAMPLE),
        job_spec("fine-other"),
    )
    report = batch(*jobs, log=log, **form)
    assert report.exit_code == 0
    assert [job.model_of for job in report.jobs] == [None, "fine-model-b", "fine-model-b", None]
    assert [job.name for job in report.jobs] == [job.name for job in jobs]
    assert {model(output.job(job.name)) for job in jobs[:3]} == {"fine-model-b"}
    for job in jobs:
        found = recorded(output, job.name)
        assert found.fingerprint == fingerprints_of(job, output.root).evaluation
        assert found.spec == job.model_dump(mode="json")
    reason = "re-evaluate: the model of fine-model-b, which has the same training"
    assert log.of("fine-model-a") == log.of("fine-model-c") == [reason]
    ended = log.order.index("finished fine-model-b")
    assert min(log.order.index(f"started fine-model-{name}") for name in "ac") > ended
    assert report.set_aside == ()
    assert leftovers(output) == []
    assert merge_reports([output.root]).jobs == report.jobs
    assert [each.action for each in plan(*jobs)] == ["skip"] * 4


@FORMS
def test_if_the_first_fails_the_next_one_trains_for_the_others(batch, output, form):
    log = Events()
    names = ("raises-model-a", "fine-model-b", "fine-model-c")
    report = batch(*map(alike, names), log=log, **form)
    assert [job.status for job in report.jobs] == ["failed", "passed", "passed"]
    assert [job.model_of for job in report.jobs] == [None, None, "fine-model-b"]
    why = "no model came of raises-model-a with the same training; it has no result yet"
    assert log.of("fine-model-b") == [f"train: {why}"]
    assert model(output.job("fine-model-c")) == "fine-model-b"
    assert report.exit_code == 1


@FORMS
def test_a_job_that_starts_from_a_shared_model_waits_for_it(batch, output, form):
    log = Events()
    child = job_spec("fine-child", training=TrainingSpec(start_from="fine-model-b"))
    report = batch(child, alike("fine-model-a"), alike("fine-model-b", evaluation=BEAM), log=log, **form)
    assert report.exit_code == 0
    assert log.order == [
        f"{event} fine-{name}"
        for name in ("model-a", "model-b", "child")
        for event in ("started", "finished")
    ]


def test_a_model_that_is_not_there_is_trained(batch, output):
    log = Events()
    report = batch(alike("fine-a"), alike("fine-b", evaluation=BEAM), log=log)
    assert [job.model_of for job in report.jobs] == [None, None]
    assert log.of("fine-b") == ["train: the model of fine-a is gone or damaged"]
    assert (report.exit_code, leftovers(output)) == (0, [])


def test_the_next_run_resumes_what_waited(output, batch):
    class Stopping(Log):
        def advanced(self, name, step):
            signal.raise_signal(signal.SIGTERM)

    jobs = [alike("waits-model-a"), alike("fine-model-b", evaluation=BEAM)]
    report = batch(*jobs, log=Stopping(lambda line: None))
    assert [job.status for job in report.jobs] == ["interrupted"] * 2
    assert "stopped by SIGTERM before it was started" in report.jobs[1].error.message
    assert not output.job("fine-model-b").result.exists()
    leave(output, jobs[0])
    log = Events()
    report = batch(*jobs, log=log)
    assert [job.model_of for job in report.jobs] == [None, "waits-model-a"]
    assert log.of("fine-model-b")[0].endswith("its model is in jobs/waits-model-a")


def test_what_is_in_the_way_of_a_shared_model_is_set_aside(batch, output):
    jobs = [alike("fine-model-a"), alike("fine-model-b", evaluation=BEAM)]
    old = leave(output, jobs[1])
    jobs = [job.model_copy(update={"training": LONGER}) for job in jobs]
    report = batch(*jobs)
    assert [job.model_of for job in report.jobs] == [None, "fine-model-a"]
    (aside,) = report.set_aside
    assert aside.job == "fine-model-b"
    assert "it is of another spec, data or version" in aside.reason
    assert JobResult.from_json((output.root / aside.place / "result.json").read_bytes()) == old


def test_a_node_of_a_queue_tells_the_others_what_was_set_aside(batch, output):
    jobs = [alike("fine-model-a"), alike("fine-model-b", evaluation=BEAM)]
    leave(output, jobs[1])
    jobs = [job.model_copy(update={"training": LONGER}) for job in jobs]
    report = batch(*jobs, lease_seconds=5.0)
    assert [aside.job for aside in report.set_aside] == ["fine-model-b"]


@pytest.mark.parametrize("first", ["fine-model-a", "raises-model-a"])
def test_fresh_trains_once_and_takes_no_earlier_model(batch, output, first):
    jobs = [alike(first), alike("fine-model-b", evaluation=BEAM)]
    for job in jobs:
        leave(output, job)
    leave(output, jobs[1], output.superseded / "fine-model-b-1")
    report = batch(*jobs, fresh=True)
    trained = first if first.startswith("fine") else "fine-model-b"
    assert model(output.job("fine-model-b")) == trained
    assert report.jobs[1].model_of == (trained if trained == first else None)
    assert [(aside.job, aside.reason) for aside in report.set_aside] == [
        (job.name, "it is to be trained again") for job in jobs
    ]


def test_a_failed_evaluation_of_a_shared_model_is_repeated_alone(batch, output, plan):
    jobs = [alike("fine-model-a"), alike("raises-model-b", evaluation=BEAM)]
    assert batch(*jobs).exit_code == 1
    assert recorded(output, "raises-model-b").status == "failed"
    assert [each.action for each in plan(*jobs)] == ["skip", "re-evaluate"]


def test_a_job_chosen_alone_is_trained(output, plan, stand_in):
    jobs = [alike("fine-model-a"), alike("fine-model-b", evaluation=BEAM)]
    (chosen,) = (each for each in plan(*jobs) if each.job.name == "fine-model-b")
    report = run_batch([chosen], output, output.root, Events(), BatchOptions())
    assert model(output.job("fine-model-b")) == "fine-model-b"
    assert report.jobs[0].model_of is None


# --- shards -------------------------------------------------------------------------------------------------


def test_shards_deal_jobs_with_the_same_training_together(output):
    jobs = [alike("a"), job_spec("x"), alike("b", evaluation=BEAM), job_spec("y"), alike("c")]
    costs = {job.name: 50.0 for job in jobs}
    deal = expected_deal(jobs, 3, costs, {}, output)
    assert [deal.names(i) for i in (1, 2, 3)] == [("a", "b", "c"), ("x",), ("y",)]
    assert deal.loads == (54.0, 50.0, 50.0)  # two evaluations beside one training
    assert jobs_of_shard(parse_shard("1/3", {}), jobs, {*costs}, costs, {}, output) == {"a", "b", "c"}
