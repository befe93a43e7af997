"""The published form of `report.json`, and what may be read by it.

The golden file is made anew by `UPDATE_GOLDEN=1 pytest tests/unit/reports`. A change of it that older readers
or older files could not bear asks for a new `SCHEMA_VERSION`.
"""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL

from job.reports.html import html_page
from job.reports.junit import junit_xml
from job.reports.markdown import markdown
from job.reports.prometheus import metrics_text
from job.reports.report_schema import report_schema
from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.results.reading import SCHEMA_VERSION
from job.storage.artifacts import OutputPaths

SCHEMA = Draft202012Validator(report_schema())
OLDER = (Path(__file__).parents[2] / "golden" / "older_report.json").read_text("utf-8")
"""Written by an early program of version 1, without history, seeds or baselines."""


def test_the_schema_equals_the_golden_file(golden):
    golden("report.schema.json", json.dumps(report_schema(), indent=2) + "\n")


def test_it_is_a_valid_json_schema_with_its_version():
    Draft202012Validator.check_schema(SCHEMA.schema)
    assert SCHEMA.schema["$id"] == f"urn:seq2seq-job:report:{SCHEMA_VERSION}"


def test_every_key_is_described():
    definitions = {"Report": SCHEMA.schema, **SCHEMA.schema["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, value in definition["properties"].items()
        if not value.get("description")
    ]
    assert bare == []
    assert {"JobResult", "GateOutcome", "Comparison"} <= definitions.keys()
    assert definitions["JobResult"]["properties"].keys() == {f.name for f in fields(JobResult)}
    assert not any("Args" in definition["description"] for definition in definitions.values())


@pytest.mark.parametrize("jobs", [(), (TUTORIAL, SHORT, BROKEN, STOPPED)])
def test_written_reports_conform_to_the_schema(make_report, jobs):
    report = make_report(*jobs, missing=("never-run",))
    assert [error.message for error in SCHEMA.iter_errors(json.loads(report.to_json()))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": SCHEMA_VERSION + 1},
        {"exit_code": "0"},
        {"jobs": [{}]},
        {"totals": {"passed": "1"}},
        {"verdict": None},
    ],
)
def test_the_schema_rejects_other_documents(mixed, change):
    assert not SCHEMA.is_valid({**json.loads(mixed.to_json()), **change})


def test_an_older_report_conforms_and_is_read_completely():
    found = json.loads(OLDER)
    assert SCHEMA.is_valid(found)
    assert "comparison" not in found
    assert all("history" not in job for job in found["jobs"])
    again = json.loads(Report.from_json(OLDER).to_json())
    assert kept(again, found) == found
    assert len(found["jobs"]) == 3


def kept(new, old):
    """Return `new` without the keys, at any depth, that `old` does not have."""
    match old:
        case dict():
            return {key: kept(new[key], value) for key, value in old.items()}
        case list():
            assert len(new) == len(old)
            return [kept(*pair) for pair in zip(new, old, strict=True)]
    return new


def test_every_report_can_be_written_from_an_older_one(tmp_path):
    report = Report.from_json(OLDER)
    for text in (
        html_page(report, OutputPaths(tmp_path)),
        markdown(report),
        junit_xml(report).decode(),
        metrics_text(report),
    ):
        assert all(job.name in text for job in report.jobs)


def test_keys_of_later_versions_are_ignored(mixed):
    later = {**json.loads(mixed.to_json()), "later": 1}
    assert SCHEMA.is_valid(later)
    assert Report.from_json(json.dumps(later)) == replace(mixed)
