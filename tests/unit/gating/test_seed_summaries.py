"""The runs of a job with several seeds, together: mean, deviation, interval, and gates on the mean."""

import math
from dataclasses import replace

import pytest
from sample_jobs import job_result, job_spec
from scipy import stats

from job.batch.batch_options import BatchOptions
from job.batch.judging import complete_plan
from job.batch.merge import merge_reports
from job.batch.planning import make_plan, write_plan
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.errors import GATE_FAILED, OK
from job.gating.batch_verdict import decide
from job.gating.plan_file import PlanEntry
from job.gating.seed_summaries import SeedFamily, seed_families, summarize_seeds
from job.process.stopping import Stop
from job.results.batch_report import Report
from job.results.data_facts import DataFacts
from job.results.validation_result import ValidationResult
from job.spec.gate_section import GateSpec
from job.spec.schema import Spec

RUNS = ["a-seed-1", "a-seed-2", "a-seed-3"]


def runs(*accuracies, gate=None, **fields):
    spec = {"seeds": [1, 2, 3], "gate": gate or {}}
    return [
        job_result(name, seed=seed, spec=spec, metrics={"sequence_accuracy": accuracy}, **fields)
        for seed, (name, accuracy) in enumerate(zip(RUNS, accuracies, strict=False), 1)
    ]


def family(gate=None):
    return [SeedFamily("a", dict(enumerate(RUNS, 1)), GateSpec.model_validate(gate or {}))]


def test_mean_deviation_and_interval_are_over_the_seeds():
    (found,) = summarize_seeds(runs(0.77, 0.78, 0.79), family())
    assert (found.name, found.seeds, found.jobs, found.absent) == ("a", (1, 2, 3), tuple(RUNS), ())
    (metric,) = found.metrics
    assert metric.values == (0.77, 0.78, 0.79)
    assert metric.mean == pytest.approx(0.78)
    assert metric.deviation == pytest.approx(0.01)
    half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert (metric.low, metric.high) == pytest.approx((0.78 - half, 0.78 + half))
    assert found.gates == ()


def test_the_interval_of_two_seeds_ends_at_what_is_possible():
    (found,) = summarize_seeds(runs(0.91, 1.0), family())
    assert (found.metrics[0].low, found.metrics[0].high) == (pytest.approx(0.3832, abs=1e-4), 1.0)


def test_validation_metrics_are_summarized_beside_those_of_the_test_and_judge_nothing():
    validated = [
        replace(run, validation=ValidationResult(examples=50, metrics={"chrf": chrf, "edit_rate": 0.1}))
        for run, chrf in zip(runs(0.99, 0.99, 0.99, gate=MEAN), (60.0, 70.0, 80.0), strict=True)
    ]
    not_decoded = replace(validated[1], validation=None)
    (found,) = summarize_seeds([validated[0], not_decoded, validated[2]], family(MEAN))
    edit_rate, chrf = found.validation
    assert (edit_rate.metric, edit_rate.values) == ("edit_rate", (0.1, None, 0.1))
    assert (chrf.metric, chrf.values, chrf.mean) == ("chrf", (60.0, None, 80.0), 70.0)
    assert chrf.deviation == pytest.approx(200**0.5)
    assert [metric.metric for metric in found.metrics] == ["sequence_accuracy"]
    assert [gate.metric for gate in found.gates] == ["sequence_accuracy"]


MEAN = {"seeds": "mean", "min_sequence_accuracy": 0.98}


@pytest.mark.parametrize(("accuracies", "code"), [([0.97, 0.98, 1.0], OK), ([0.97, 0.97, 0.99], GATE_FAILED)])
def test_a_gate_on_the_mean_judges_the_mean(accuracies, code):
    results = runs(*accuracies, gate=MEAN)
    found = summarize_seeds(results, family(MEAN))
    (outcome,) = found[0].gates
    assert outcome.value == pytest.approx(sum(accuracies) / 3)
    verdict = decide(RUNS, results, seeds=found)
    assert verdict.exit_code == code
    if code:
        assert verdict.reasons[0].startswith(
            "job a failed its gate on the mean of 3 seeds: sequence_accuracy is 97.67 %, below its"
        )


def test_a_mean_within_sampling_error_of_its_threshold_says_how_many_seeds_are_needed():
    (outcome,) = summarize_seeds(runs(0.97, 0.98, 1.0), family(MEAN))[0].gates
    assert outcome.advice == ("within sampling error over 3 seeds; about 84 seeds would decide it")
    (outcome,) = summarize_seeds(runs(0.9, 0.9, 0.9), family(MEAN))[0].gates
    assert outcome.advice is None


def test_a_gate_on_the_mean_of_a_metric_that_one_seed_lacks_is_failed():
    results = [*runs(0.99, 0.99), job_result(RUNS[2], seed=3, spec={"seeds": [1, 2, 3]})]
    results = [job_result(r.name, seed=r.seed, spec={"gate": MEAN}, metrics=r.metrics) for r in results]
    (found,) = summarize_seeds(results, family(MEAN))
    assert found.metrics[0].values == (0.99, 0.99, None)
    assert [(outcome.value, outcome.passed) for outcome in found.gates] == [(None, False)]


def test_a_gate_on_the_mean_of_an_undefined_metric_says_why_it_is_undefined():
    gate = {"seeds": "mean", "min_bleu": 0.0}
    results = runs(
        0.9, 0.9, 0.9, gate=gate, data=DataFacts(not_measured={"bleu": "no target has four tokens"})
    )
    verdict = decide(RUNS, results, seeds=summarize_seeds(results, family(gate)))
    assert verdict.exit_code == GATE_FAILED
    assert "bleu was not measured" in verdict.reasons[0]
    assert "no target has four tokens" in verdict.reasons[0]


def test_a_gate_on_the_mean_waits_for_all_runs():
    failed = job_result(RUNS[2], "failed", seed=3, spec={"seeds": [1, 2, 3]})
    for results in (runs(0.1, 0.1, gate=MEAN), [*runs(0.1, 0.1, gate=MEAN), failed]):
        (found,) = summarize_seeds(results, family(MEAN))
        assert (found.absent, found.gates) == (("a-seed-3",), ())
    assert decide(RUNS, runs(0.1, 0.1, gate=MEAN), seeds=(found,)).reasons == ("job a-seed-3 has no result",)
    assert summarize_seeds([failed], family(MEAN)) == ()


def test_the_runs_of_a_job_are_found_by_the_plan_and_not_by_their_names():
    of_a = [PlanEntry(name, "f" * 64, GateSpec(), "a", n, (1, 2, 3)) for n, name in enumerate(RUNS, 1)]
    others = [PlanEntry(name, "f" * 64, GateSpec()) for name in ("a", "a-seed-9", "ab-seed-1")]
    assert seed_families([*of_a, *others]) == tuple(family())


def test_results_group_runs_if_the_plan_is_of_an_earlier_version():
    plan = {name: PlanEntry(name, "f" * 64) for name in [*RUNS, "a-seed-9"]}
    results = [*runs(0.1, 0.2, gate=MEAN), job_result("a-seed-9", seed=9)]
    assert seed_families(complete_plan(plan, results)) == tuple(family(MEAN))


@pytest.fixture
def batch(output, stand_in):
    """Run the three seeds of a job of the stand-in, whose accuracy is always one half."""

    def run(gate, part=slice(None)):
        jobs = [job_spec(f"fine-seed-{n}", seed=n, seeds=[1, 2, 3], gate=gate) for n in (1, 2, 3)]
        plan = make_plan(Spec(path=output.root / "jobs.yaml", jobs=tuple(jobs)), output)
        write_plan(output, plan)
        with Stop().handling_signals():
            return run_batch(plan[part], output, output.root, Log(lambda line: None), BatchOptions())

    return run


@pytest.mark.parametrize(("threshold", "code"), [(0.5, 0), (0.6, 3)])
def test_a_batch_judges_the_mean_once_and_its_report_survives_merging(batch, output, threshold, code):
    report = batch(GateSpec(seeds="mean", min_sequence_accuracy=threshold))
    assert report.exit_code == code
    assert [job.status for job in report.jobs] == ["passed"] * 3
    assert len(report.verdict.reasons) == (1 if code else 0)
    assert report.seeds[0].gates[0].passed is not bool(code)
    assert merge_reports([output.root]) == report == Report.from_json(output.report.read_bytes())


def test_every_seed_must_pass_a_gate_that_is_not_on_the_mean(batch):
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
