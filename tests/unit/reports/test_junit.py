from dataclasses import replace

import pytest
from junitparser import Error, Failure, JUnitXml
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL

from job.reports.junit import CLASS_NAME, junit_xml
from job.results import Failure as JobFailure
from job.results import Report, Verdict


def cases(report):
    (suite,) = JUnitXml.fromstring(junit_xml(report))
    return {case.name: case for case in suite}


def test_counts_and_head_of_the_suite(mixed):
    document = JUnitXml.fromstring(junit_xml(mixed))
    (suite,) = document
    assert (document.tests, document.failures, document.errors, document.skipped) == (5, 1, 3, 0)
    assert (suite.tests, suite.failures, suite.errors) == (5, 1, 3)
    assert suite.timestamp == "2026-03-01T12:00:00+00:00"
    assert {p.name: p.value for p in suite.properties()} == {
        "exit_code": "1",
        "verdict": "Exit code 1: at least one job failed",
    }


def test_a_case_a_job_all_of_one_class_in_order(mixed):
    found = cases(mixed)
    assert list(found) == ["tutorial", "addition_of-1.digit", "broken", "stopped", "never-run"]
    assert {case.classname for case in found.values()} == {CLASS_NAME}


def test_a_passed_job_has_no_result_and_prints_its_metrics(make_report):
    case = cases(make_report(TUTORIAL))["tutorial"]
    assert case.is_passed
    assert case.time == 14.25
    assert case.system_out.splitlines()[:3] == [
        "trained now",
        "fingerprint: " + "a1" * 32,
        "sequence_accuracy: 99.997 %",
    ]


def test_a_job_done_before_says_so_and_keeps_its_time(mixed):
    case = cases(mixed)["tutorial"]
    assert case.time == 14.25
    assert case.system_out.startswith("already done\n")


def test_missed_gates_are_one_failure_with_every_reason(make_report):
    (result,) = cases(make_report(SHORT))["addition_of-1.digit"].result
    assert isinstance(result, Failure)
    assert result.text.splitlines() == [
        "sequence_accuracy is 0.98996, below its bar of 0.99",
        "unseen_sequence_accuracy was not measured (the bar is 0.5)",
    ]
    assert result.message == "; ".join(result.text.splitlines())


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


@pytest.mark.parametrize("contradiction", [{"status": "passed"}, {"gates": ()}])
def test_a_result_that_contradicts_itself_is_no_success(make_report, contradiction):
    (result,) = cases(make_report(replace(SHORT, **contradiction)))["addition_of-1.digit"].result
    assert isinstance(result, Failure)


def test_characters_that_xml_forbids_are_replaced(make_report):
    message = "nul \x00 escape \x1b surrogate \ud800 \ufffe <tag> & ]]> tab\t é \U0001f600"
    report = make_report(replace(BROKEN, error=JobFailure("E\x0b", message)))
    (result,) = cases(report)["broken"].result
    assert result.type == "E\ufffd"
    assert result.text == ("nul \ufffd escape \ufffd surrogate \ufffd \ufffd <tag> & ]]> tab\t é \U0001f600")


@pytest.mark.parametrize("exit_code", [1, 2, 4, 143])
def test_a_bad_exit_code_is_never_all_green(make_report, exit_code):
    green = make_report(TUTORIAL)
    report = replace(green, exit_code=exit_code, verdict=Verdict(exit_code, ("because",)))
    case = cases(report)["(batch)"]
    (result,) = case.result
    assert isinstance(result, Error)
    assert result.text == "because"
    assert "(batch)" not in cases(green)


def test_an_empty_batch_is_an_error(make_report):
    document = JUnitXml.fromstring(junit_xml(make_report()))
    assert (document.tests, document.errors) == (1, 1)


def test_the_same_report_gives_the_same_bytes(mixed):
    assert junit_xml(Report.from_json(mixed.to_json())) == junit_xml(mixed)


def test_stopped_has_no_time(make_report):
    assert cases(make_report(STOPPED))["stopped"].time == 0
