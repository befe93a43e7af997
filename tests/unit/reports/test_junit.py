"""`junit.xml`, validated by tests/junit.xsd: the intersection of Jenkins' schema and GitLab's parser."""

from dataclasses import replace
from pathlib import Path

import pytest
import xmlschema
from junitparser import Error, Failure, JUnitXml, Skipped
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL

from job.reports.junit import BASELINE, GATES, JOBS, junit_xml
from job.results.batch_report import MetricOverSeeds, Report, SeedsSummary, Verdict
from job.results.comparison_records import Comparison, JobComparison, MetricComparison
from job.results.job_result import Failure as JobFailure
from job.results.job_result import GateOutcome

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[2] / "junit.xsd")


def suites(report):
    content = junit_xml(report)
    SCHEMA.validate(content.decode())
    return {suite.name: suite for suite in JUnitXml.fromstring(content)}


def cases(report):
    return {case.name: case for suite in suites(report).values() for case in suite}


def properties(suite):
    return {p.name: p.value for p in suite.properties()}


def test_counts_and_head_of_the_document(mixed):
    document = JUnitXml.fromstring(junit_xml(mixed))
    assert (document.tests, document.failures, document.errors) == (10, 2, 3)
    assert document.time == 21.25
    suite = suites(mixed)["tutorial"]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (3, 0, 0, 0)
    assert suite.timestamp == "2026-03-01T12:00:00+00:00"


def test_one_suite_per_job_in_order(mixed):
    assert [*suites(mixed)] == ["tutorial", "addition_of-1.digit", "broken", "stopped", "never-run"]


def test_facts_about_a_job_are_properties_of_its_suite(mixed):
    assert properties(suites(mixed)["tutorial"]) == {
        "status": "passed",
        "fingerprint": "a1" * 32,
        "seed": "7",
        "metric.sequence_accuracy": "0.999975",
        "metric.unseen_sequence_accuracy": "0.999975",
        "metric.token_accuracy": "0.99999",
        "metric.edit_rate": "1e-05",
        "validation.sequence_accuracy": "0.9925",
        "validation.token_accuracy": "0.9975",
        "validation.edit_rate": "0.0025",
        "gate.min_sequence_accuracy": "0.99",
        "gate.max_train_seconds": "60.0",
    }


def test_classes_are_the_same_for_every_job(mixed):
    found = [(case.classname, case.name) for case in cases(mixed).values()]
    assert found == [
        (JOBS, "tutorial"),
        (GATES, "tutorial: min_sequence_accuracy"),
        (GATES, "tutorial: max_train_seconds"),
        (JOBS, "addition_of-1.digit"),
        (GATES, "addition_of-1.digit: min_sequence_accuracy"),
        (GATES, "addition_of-1.digit: min_unseen_sequence_accuracy"),
        (GATES, "addition_of-1.digit: max_edit_rate"),
        *((JOBS, name) for name in ("broken", "stopped", "never-run")),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        ('classname="seq2seq-job.jobs"', ""),
        ('name="seq2seq-job" ', 'name="seq2seq-job" skipped="0" '),
        ("<properties>", "<properties><property/>"),
        ('time="14.25"', 'time="1e1"'),
        ('name="broken" classname', 'name="stopped" classname'),
    ],
)
def test_the_schema_rejects_invalid_documents(mixed, broken):
    text = junit_xml(mixed).decode()
    assert broken[0] in text
    assert SCHEMA.is_valid(text)
    assert not SCHEMA.is_valid(text.replace(*broken, 1))


def test_a_passed_job_has_no_result_and_prints_its_metrics(make_report):
    case = cases(make_report(TUTORIAL))["tutorial"]
    assert case.is_passed
    assert case.time == 14.25
    assert case.system_out.splitlines()[:3] == [
        "trained now",
        "fingerprint: " + "a1" * 32,
        "sequence_accuracy: 99.997 %",
    ]


def test_a_job_done_before_is_marked_and_keeps_its_time(mixed):
    case = cases(mixed)["tutorial"]
    assert case.time == 14.25
    assert case.system_out.startswith("already done\n")


def test_each_gate_is_a_case_that_states_how_it_failed(make_report):
    result = replace(
        SHORT, gates=(replace(SHORT.gates[0], advice="7,000 examples would settle it"), *SHORT.gates[1:])
    )
    found = cases(make_report(result))
    assert found[SHORT.name].is_passed  # it was trained and evaluated
    (accuracy,) = found[f"{SHORT.name}: min_sequence_accuracy"].result
    assert isinstance(accuracy, Failure)
    assert accuracy.message == "sequence_accuracy is 98.996 %, below its threshold of 99 %"
    assert accuracy.text.splitlines() == [accuracy.message, "7,000 examples would settle it"]
    (unseen,) = found[f"{SHORT.name}: min_unseen_sequence_accuracy"].result
    assert unseen.message == "unseen_sequence_accuracy was not measured (its threshold is 50 %)"
    passed = found[f"{SHORT.name}: max_edit_rate"]
    assert passed.is_passed
    assert passed.system_out == "edit rate: 0.50 %, at most 10.00 %"


def test_a_crash_is_an_error_with_its_traceback_file(make_report):
    (result,) = cases(make_report(BROKEN))["broken"].result
    assert isinstance(result, Error)
    assert result.type == "NonFiniteError"
    assert result.message == "NonFiniteError: the loss is not a finite number at step 3:"
    assert result.text == BROKEN.error.message + "\n\ntraceback: jobs/broken/error.txt"


def test_a_failed_job_without_a_recorded_cause_is_still_an_error(make_report):
    (result,) = cases(make_report(replace(BROKEN, error=None)))["broken"].result
    assert (type(result), result.type) == (Error, "failed")


@pytest.mark.parametrize(("name", "type_"), [("stopped", "interrupted"), ("never-run", "missing")])
def test_interrupted_and_missing_jobs_are_errors(mixed, name, type_):
    (result,) = cases(mixed)[name].result
    assert isinstance(result, Error)
    assert result.type == type_


def test_a_contradictory_result_is_not_a_success(make_report):
    name = SHORT.name
    unnamed = cases(make_report(replace(SHORT, gates=())))
    assert isinstance(unnamed[name].result[0], Failure)
    called_passed = cases(make_report(replace(SHORT, status="passed")))
    assert isinstance(called_passed[f"{name}: min_sequence_accuracy"].result[0], Failure)


def test_characters_that_are_invalid_in_xml_are_replaced(make_report):
    message = "nul \x00 escape \x1b surrogate \ud800 \ufffe <tag> & ]]> tab\t é \U0001f600"
    report = make_report(replace(BROKEN, error=JobFailure("E\x0b", message)))
    (result,) = cases(report)["broken"].result
    assert result.type == "E\ufffd"
    assert result.text == ("nul \ufffd escape \ufffd surrogate \ufffd \ufffd <tag> & ]]> tab\t é \U0001f600")


@pytest.mark.parametrize("exit_code", [1, 2, 4, 143])
def test_a_bad_exit_code_has_a_failing_case(make_report, exit_code):
    green = make_report(TUTORIAL)
    report = replace(green, exit_code=exit_code, verdict=Verdict(exit_code, ("because",)))
    case = cases(report)["(batch)"]
    (result,) = case.result
    assert isinstance(result, Error)
    assert result.text == "because"
    told = properties(suites(report)["(batch)"])
    assert told["exit_code"] == str(exit_code)
    assert told["verdict"].startswith(f"Exit code {exit_code}: ")
    assert "(batch)" not in cases(green)


def compared(verdict, name="tutorial", **fields):
    return JobComparison(name, verdict, f"it is {verdict}", **fields)


def against(report, *jobs):
    return replace(report, comparison=Comparison("base", "2026-03-01T12:00:00+00:00", None, jobs))


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        ("regression", Failure),
        ("not_comparable", Error),
        ("new", Skipped),
        ("unchanged", None),
        ("improvement", None),
    ],
)
def test_a_comparison_with_a_baseline_is_a_case_of_its_job(make_report, verdict, kind):
    report = against(make_report(TUTORIAL), compared(verdict))
    case = next(case for case in suites(report)["tutorial"] if case.classname == BASELINE)
    assert [type(result) for result in case.result] == ([kind] if kind else [])
    assert case.system_out == f"{verdict}: it is {verdict}"


def test_a_comparison_has_the_values_before_and_now(make_report):
    metric = MetricComparison(
        "sequence_accuracy", "t", 0.99, 0.5, -0.49, 0.001, 0.001, 0.01, 0.005, 10, True, "d"
    )
    report = against(make_report(TUTORIAL), compared("regression", metrics=(metric,)))
    (case,) = (case for case in suites(report)["tutorial"] if case.classname == BASELINE)
    assert case.system_out.splitlines()[1] == "sequence_accuracy: 0.99 before, 0.5 now"


def test_a_job_that_only_the_baseline_has_is_a_suite_of_its_own(make_report):
    report = against(make_report(TUTORIAL), compared("unchanged"), compared("removed", "gone"))
    (case,) = suites(report)["gone"]
    assert case.is_skipped


def test_gates_on_the_mean_over_seeds_are_a_suite(make_report):
    runs = [replace(TUTORIAL, name=f"t-seed-{seed}", gates=()) for seed in (1, 2)]
    summary = SeedsSummary(
        name="t",
        seeds=(1, 2),
        jobs=("t-seed-1", "t-seed-2"),
        absent=(),
        gate_on="mean",
        metrics=(MetricOverSeeds("sequence_accuracy", (0.5, 0.7), 0.6, 0.1, 0.1, 1.0),),
        gates=(GateOutcome("sequence_accuracy", 0.9, 0.6, False),),
        validation=(MetricOverSeeds("chrf", (50.0, 52.0), 51.0, 1.4, 38.3, 63.7),),
    )
    found = suites(replace(make_report(*runs), seeds=(summary,)))
    assert [*found] == ["t-seed-1", "t-seed-2", "t"]
    (case,) = found["t"]
    assert isinstance(case.result[0], Failure)
    assert properties(found["t"]) == {
        "seeds": "1, 2",
        "mean.sequence_accuracy": "0.6",
        "mean.validation.chrf": "51.0",
    }


def test_an_empty_batch_is_an_error(make_report):
    document = JUnitXml.fromstring(junit_xml(make_report()))
    assert (document.tests, document.errors) == (1, 1)


def test_the_same_report_gives_the_same_bytes(mixed):
    assert junit_xml(Report.from_json(mixed.to_json())) == junit_xml(mixed)


def test_an_interrupted_job_has_no_time(make_report):
    assert cases(make_report(STOPPED))["stopped"].time == 0
