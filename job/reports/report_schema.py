"""Generate the JSON Schema of `report.json` from the dataclasses of `job.results` and their docstrings."""

from __future__ import annotations

import re
from typing import Any

from pydantic import TypeAdapter

from job.results.batch_report import Report
from job.results.reading import SCHEMA_VERSION
from job.spec.spec_file import DIALECT, Schema, WithoutTitles

_ARGUMENT = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*?)(?=^ {4}\w|\Z)", re.MULTILINE | re.DOTALL)


def report_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a `report.json` of this version.

    Fields that earlier versions did not write are optional, and unknown keys are allowed.
    """
    schema = TypeAdapter(Report).json_schema(schema_generator=WithoutTitles)
    for definition in (schema, *schema["$defs"].values()):
        _describe(definition)
    for definition in (schema, schema["$defs"]["JobResult"]):
        definition["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    return {"$schema": DIALECT, "$id": f"urn:seq2seq-job:report:{SCHEMA_VERSION}", **schema}


def _describe(definition: dict[str, Any]) -> None:
    """Move the `Args:` section of a description, a docstring, to the descriptions of the properties."""
    text, _, arguments = definition["description"].partition("\n\nArgs:\n")
    definition["description"] = _line(text)
    for names, meaning in _ARGUMENT.findall(arguments):
        for name in names.split(", "):
            definition["properties"][name]["description"] = _line(meaning)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line[:1].upper() + line[1:]
