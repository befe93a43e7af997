"""The runs of a job with several seeds, together: mean, deviation, interval, and bars on the mean."""

import math

import pytest
from sample_jobs import job_result, job_spec
from scipy import stats

from job.batch.merge import merge_reports
from job.batch.plan import make_plan, write_plan
from job.batch.progress import Log
from job.batch.run import run_batch
from job.batch.seeds import families, summarize
from job.errors import GATE_FAILED, OK
from job.gates import decide
from job.results import Report
from job.spec.schema import GateSpec, Spec
from job.stopping import Stop

RUNS = ["a-seed-1", "a-seed-2", "a-seed-3"]


def runs(*accuracies, gate=None, **fields):
    spec = {"seeds": [1, 2, 3], "gate": gate or {}}
    return [
        job_result(name, seed=seed, spec=spec, metrics={"sequence_accuracy": accuracy}, **fields)
        for seed, (name, accuracy) in enumerate(zip(RUNS, accuracies, strict=False), 1)
    ]


def test_mean_deviation_and_interval_are_over_the_seeds():
    (found,) = summarize(runs(0.97, 0.98, 0.99), {"a": RUNS})
    assert (found.name, found.seeds, found.jobs, found.absent) == ("a", (1, 2, 3), tuple(RUNS), ())
    (metric,) = found.metrics
    assert metric.values == (0.97, 0.98, 0.99)
    assert metric.mean == pytest.approx(0.98)
    assert metric.deviation == pytest.approx(0.01)
    half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert (metric.low, metric.high) == pytest.approx((0.98 - half, 0.98 + half))
    assert found.gates == ()


MEAN = {"seeds": "mean", "min_sequence_accuracy": 0.98}


@pytest.mark.parametrize(("accuracies", "code"), [([0.97, 0.98, 1.0], OK), ([0.97, 0.97, 0.99], GATE_FAILED)])
def test_a_bar_on_the_mean_is_for_the_mean_to_clear(accuracies, code):
    results = runs(*accuracies, gate=MEAN)
    found = summarize(results, {"a": RUNS})
    (outcome,) = found[0].gates
    assert outcome.value == pytest.approx(sum(accuracies) / 3)
    verdict = decide(RUNS, results, seeds=found)
    assert verdict.exit_code == code
    if code:
        assert verdict.reasons[0].startswith(
            "job a failed its gate on the mean of 3 seeds: sequence_accuracy is 0.976667, below its"
        )


def test_a_mean_near_its_bar_says_how_many_seeds_would_settle_it():
    (outcome,) = summarize(runs(0.97, 0.98, 1.0, gate=MEAN), {"a": RUNS})[0].gates
    assert outcome.advice == (
        "over 3 seeds chance could have the mean on the other side; about 84 seeds would settle it"
    )
    (outcome,) = summarize(runs(0.9, 0.9, 0.9, gate=MEAN), {"a": RUNS})[0].gates
    assert outcome.advice is None


def test_a_bar_on_a_mean_that_one_seed_has_no_value_for_is_not_cleared():
    results = [*runs(0.99, 0.99), job_result(RUNS[2], seed=3, spec={"seeds": [1, 2, 3]})]
    results = [job_result(r.name, seed=r.seed, spec={"gate": MEAN}, metrics=r.metrics) for r in results]
    (found,) = summarize(results, {"a": RUNS})
    assert found.metrics[0].values == (0.99, 0.99, None)
    assert [(outcome.value, outcome.passed) for outcome in found.gates] == [(None, False)]


def test_without_one_of_the_runs_no_mean_is_judged():
    failed = job_result(RUNS[2], "failed", seed=3, spec={"seeds": [1, 2, 3]})
    for results in (runs(0.1, 0.1, gate=MEAN), [*runs(0.1, 0.1, gate=MEAN), failed]):
        (found,) = summarize(results, {"a": RUNS})
        assert (found.absent, found.gates) == (("a-seed-3",), ())
    assert decide(RUNS, runs(0.1, 0.1, gate=MEAN), seeds=(found,)).reasons == ("job a-seed-3 has no result",)
    assert summarize([failed], {"a": RUNS}) == ()


def test_the_runs_of_a_plan_are_found_by_those_that_say_so():
    other = job_result("a-seed-9-x", seed=9)
    names = [*RUNS, "a", "a-seed-9-x", "ab-seed-1"]
    assert families([*runs(0.1, 0.2), other], names) == {"a": RUNS}


@pytest.fixture
def batch(output, stand_in):
    """Run the three seeds of a job of the stand-in, whose accuracy is always one half."""

    def run(gate, part=slice(None)):
        jobs = [job_spec(f"fine-seed-{n}", seed=n, seeds=[1, 2, 3], gate=gate) for n in (1, 2, 3)]
        plan = make_plan(Spec(path=output.root / "jobs.yaml", jobs=tuple(jobs)), output)
        write_plan(output, plan)
        with Stop().listening():
            return run_batch(plan[part], output, output.root, Log(lambda line: None), workers=1)

    return run


@pytest.mark.parametrize(("bound", "code"), [(0.5, 0), (0.6, 3)])
def test_a_batch_judges_the_mean_once_and_its_report_survives_merging(batch, output, bound, code):
    report = batch(GateSpec(seeds="mean", min_sequence_accuracy=bound))
    assert report.exit_code == code
    assert [job.status for job in report.jobs] == ["passed"] * 3
    assert len(report.verdict.reasons) == (1 if code else 0)
    assert report.seeds[0].gates[0].passed is not bool(code)
    assert merge_reports([output.root]) == report == Report.from_json(output.report.read_bytes())


def test_every_seed_must_clear_a_bar_that_is_not_on_the_mean(batch):
    report = batch(GateSpec(min_sequence_accuracy=0.6))
    assert [job.status for job in report.jobs] == ["gate_failed"] * 3
    assert report.seeds[0].gates == ()
    assert report.exit_code == 3


def test_the_mean_is_judged_once_the_shards_of_a_batch_are_together(batch, output):
    gate = GateSpec(seeds="mean", min_sequence_accuracy=0.6)
    assert batch(gate, slice(0, 2)).exit_code == 0
    assert merge_reports([output.root]).exit_code == 1
    assert batch(gate, slice(2, 3)).exit_code == 0
    assert merge_reports([output.root]).exit_code == 3
