from dataclasses import replace

from sample_results import TUTORIAL

from job.reports.markdown import markdown
from job.reports.remarks import remarks
from job.results.records import GateOutcome, MetricOverSeeds, SeedsSummary

SEEDS = SeedsSummary(
    name="sums",
    seeds=(1, 2, 3),
    jobs=("sums-seed-1", "sums-seed-2", "sums-seed-3"),
    absent=(),
    gate_on="mean",
    metrics=(MetricOverSeeds("sequence_accuracy", (0.97, 0.98, 0.99), 0.98, 0.01, 0.9552, 1.0048),),
    gates=(GateOutcome("sequence_accuracy", 0.985, 0.98, False, "about 20 seeds would settle it"),),
)


def test_a_job_with_seeds_says_its_mean_deviation_and_interval(make_report):
    report = replace(make_report(TUTORIAL), seeds=(SEEDS,))
    assert [*remarks(report)] == [
        "sums over 3 of 3 seeds: sequence accuracy 98.00 %, standard deviation 1.00 %, "
        "95 % interval 95.52 % to 100.48 %",
        "sums: the bar on the mean, sequence accuracy at least 98.50 %, is missed",
        "sums over 3 seeds: sequence accuracy 98.00 % is near its bar of 98.50 %: "
        "about 20 seeds would settle it",
    ]
    assert "- sums over 3 of 3 seeds: sequence accuracy 98.00 %, standard" in markdown(report)


def test_a_mean_that_is_not_judged_says_so(make_report):
    metric = MetricOverSeeds("sequence_accuracy", (0.97, None, None), 0.97, None, None, None)
    part = replace(SEEDS, absent=SEEDS.jobs[1:], metrics=(metric,), gates=())
    assert [*remarks(replace(make_report(TUTORIAL), seeds=(part,)))] == [
        "sums over 1 of 3 seeds: sequence accuracy 97.00 %",
        "sums: the bars on the mean are not judged without sums-seed-2, sums-seed-3",
    ]


def test_a_bar_that_chance_could_decide_is_named(make_report):
    near = GateOutcome("sequence_accuracy", 0.99, 0.9912, True, "about 20,000 test examples would settle it")
    report = make_report(replace(TUTORIAL, gates=(near,)))
    assert [*remarks(report)] == [
        "tutorial: sequence accuracy 99.12 % is near its bar of 99.00 %: "
        "about 20,000 test examples would settle it"
    ]
    assert [*remarks(make_report(TUTORIAL))] == []
