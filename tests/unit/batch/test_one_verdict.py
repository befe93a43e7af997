"""A verdict comes from the current spec's gates and the recorded metrics: in a run, on reuse, in `report`."""

import json
from dataclasses import replace

import pytest
from sample_jobs import job_result, job_spec

from job.batch.batch_options import BatchOptions
from job.batch.merge import merge_reports
from job.batch.planning import make_plan, write_plan
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.errors import BAD_USAGE, GATE_FAILED, OK, OutputError
from job.gating.plan_file import PlanEntry, write_entries
from job.process.stopping import Stop
from job.results.batch_report import Report
from job.results.job_result import Failure, JobResult
from job.spec.gate_section import GateSpec
from job.spec.schema import Spec
from job.storage.artifacts import prepare_output

MEAN = GateSpec(seeds="mean", min_sequence_accuracy=0.6)
"""A gate that the stand-in, whose accuracy is always one half, fails."""


@pytest.fixture
def batch(output, stand_in):
    """Run a batch of jobs as the command does, with its plan written; returns its report."""

    def run(*jobs, **options):
        plan = make_plan(Spec(path=output.root / "jobs.yaml", jobs=jobs), output)
        write_plan(output, plan)
        with Stop().handling_signals():
            return run_batch(plan, output, output.root, Log(lambda line: None), BatchOptions(**options))

    return run


def seeded(*seeds, gate=MEAN):
    return [job_spec(f"fine-seed-{seed}", seed=seed, seeds=list(seeds), gate=gate) for seed in seeds]


def recorded(output, name):
    return JobResult.from_json(output.job(name).result.read_bytes())


def edit(output, name, **values):
    path = output.job(name).result
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_one_of_several_seeds_reused_as_a_single_job_is_judged_alone(batch, output, stand_in):
    assert batch(*seeded(1, 2)).exit_code == GATE_FAILED
    assert [recorded(output, f"fine-seed-{n}").status for n in (1, 2)] == ["passed", "passed"]
    report = batch(job_spec("fine-seed-1", seed=1, gate=MEAN))
    (job,) = report.jobs
    assert (job.reused, job.status, report.exit_code) == (True, "gate_failed", GATE_FAILED)
    assert len(stand_in) == 1
    assert recorded(output, "fine-seed-1").status == "gate_failed"
    assert merge_reports([output.root]) == report


def test_a_single_job_reused_as_one_of_several_seeds_is_judged_by_their_mean(batch, output):
    assert batch(job_spec("fine-seed-1", seed=1, gate=MEAN)).exit_code == GATE_FAILED
    report = batch(*seeded(1, 2))
    assert [job.status for job in report.jobs] == ["passed", "passed"]
    assert report.verdict.reasons[0].startswith("job fine failed its gate on the mean of 2 seeds")
    assert merge_reports([output.root]) == report


def test_seeds_that_are_no_longer_in_the_spec_are_in_no_mean(batch, output):
    batch(*seeded(1, 2, 3))
    assert batch(*seeded(1, 2)).seeds[0].seeds == (1, 2)
    assert merge_reports([output.root]).seeds[0].seeds == (1, 2)


def test_a_job_name_that_ends_in_seed_and_a_number_is_no_run_of_several_seeds(batch, output):
    gate = GateSpec(seeds="mean", min_sequence_accuracy=0.5)
    report = batch(*seeded(1, 2, gate=gate), job_spec("fine-seed-3", seed=9))
    assert report.seeds[0].jobs == ("fine-seed-1", "fine-seed-2")
    assert merge_reports([output.root]) == report
    assert report.exit_code == OK


@pytest.mark.parametrize("status", ["passed", "gate_failed"])
@pytest.mark.parametrize(("threshold", "code"), [(0.5, OK), (0.6, GATE_FAILED)])
def test_a_recorded_status_is_not_believed(batch, output, stand_in, status, threshold, code):
    job = job_spec("fine", gate=GateSpec(min_sequence_accuracy=threshold))
    batch(job)
    outcomes = [{"metric": "sequence_accuracy", "bound": threshold, "value": 0.9, "passed": not code}]
    for gates in ([], outcomes):
        edit(output, "fine", status=status, gates=gates)
        merged = merge_reports([output.root])
        assert (merged.exit_code, merged.jobs[0].reused) == (code, False)
        assert merged.jobs[0].gates[0].value == 0.5
        again = batch(job)
        assert (again.exit_code, len(stand_in)) == (code, 1)
        assert recorded(output, "fine").status == again.jobs[0].status
        batch(job, fresh=True)
        del stand_in[:-1]


def test_a_failed_job_whose_status_is_edited_has_failed(batch, output):
    batch(job_spec("raises"))
    edit(output, "raises", status="passed")
    merged = merge_reports([output.root])
    assert (merged.exit_code, merged.jobs[0].status) == (1, "failed")
    assert batch(job_spec("raises")).jobs[0].reused is False


def test_a_metric_that_was_edited_is_judged_as_it_is(batch, output):
    job = job_spec("fine", gate=GateSpec(min_sequence_accuracy=0.5))
    assert batch(job).exit_code == OK
    edit(output, "fine", metrics={"sequence_accuracy": 0.25})
    assert merge_reports([output.root]).exit_code == GATE_FAILED
    assert batch(job).exit_code == GATE_FAILED


# --- merging ------------------------------------------------------------------------------------------------


@pytest.fixture
def leave(tmp_path):
    """Leave an output directory with a plan of one job `a` and a result of it."""

    def leave(folder, result, gate=MEAN):
        output = prepare_output(tmp_path / folder)
        write_entries(output, [PlanEntry("a", "f" * 64, gate, seed=7)])
        if result is not None:
            output.job("a").directory.mkdir()
            output.job("a").result.write_text(result.to_json())
        return output.root

    return leave


def both_ways(one, two, tmp_path):
    for number, roots in enumerate(([one, two], [two, one])):
        yield merge_reports(roots, tmp_path / f"all-{number}")


GOOD = job_result("a", metrics={"sequence_accuracy": 0.9}, timings={"train_seconds": 5.0})


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (replace(GOOD, timings={"train_seconds": 50.0}), GATE_FAILED),
        (replace(GOOD, timings={"train_seconds": 6.0}), OK),
        (replace(GOOD, status="gate_failed"), OK),
        (job_result("a", "failed", error=Failure("ValueError", "no")), OK),
        (job_result("a", "passed", error=Failure("ValueError", "no")), OK),
    ],
)
def test_a_merge_does_not_depend_on_the_order_of_directories(leave, tmp_path, other, code):
    gate = GateSpec(min_sequence_accuracy=0.6, max_train_seconds=10.0)
    first, second = both_ways(leave("one", GOOD, gate), leave("two", other, gate), tmp_path)
    assert first.exit_code == code
    assert first.jobs == second.jobs
    assert first.verdict == second.verdict


def test_two_failures_of_one_job_are_merged_the_same_either_way(leave, tmp_path):
    failed = [job_result("a", "failed", error=Failure("ValueError", text)) for text in ("this", "that")]
    first, second = both_ways(leave("one", failed[0]), leave("two", failed[1]), tmp_path)
    assert (first.exit_code, first.verdict) == (1, second.verdict)


def test_results_that_contradict_each_other_are_refused_and_both_are_named(leave, tmp_path):
    one = leave("one", GOOD)
    two = leave("two", replace(GOOD, metrics={"sequence_accuracy": 0.5}))
    said = set()
    for number, roots in enumerate(([one, two], [two, one])):
        with pytest.raises(OutputError, match="job a has two results that contradict each other") as caught:
            merge_reports(roots, tmp_path / f"all-{number}")
        assert caught.value.exit_code == BAD_USAGE
        said.add(str(caught.value))
    (sentence,) = said
    assert f"sequence_accuracy is 0.9 in {one}/jobs/a/result.json and 0.5 in {two}/jobs/a/" in sentence


def test_plans_with_different_gates_are_refused(leave, tmp_path):
    roots = [leave("one", GOOD, GateSpec(min_drop=0.1)), leave("two", None, GateSpec(min_drop=0.2))]
    with pytest.raises(
        OutputError, match=r'job a has gate \{"min_drop": 0.1\} in one and gate \{"min_drop": 0.2'
    ):
        merge_reports(roots)


def test_merging_again_replaces_an_earlier_merge_in_the_destination(leave, tmp_path):
    leave("all", replace(GOOD, metrics={"sequence_accuracy": 0.5}), GateSpec(min_drop=0.1))
    merged = merge_reports([leave("one", GOOD)], tmp_path / "all")
    assert merged.jobs[0].metrics == GOOD.metrics
    assert merged.exit_code == OK
    assert [path.name for path in (tmp_path / "all" / "superseded").iterdir()] == ["a-ffffffff"]
    assert Report.from_json((tmp_path / "all" / "report.json").read_bytes()) == merged


def test_an_unreadable_gate_of_an_earlier_version_is_reported(leave):
    root = leave("one", replace(GOOD, spec={"gate": {"min_happiness": 1}}), gate=None)
    with pytest.raises(OutputError, match="the result of job a records a gate that cannot be read"):
        merge_reports([root])
