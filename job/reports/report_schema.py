"""The JSON Schema of `report.json`, from the dataclasses of `job.results` and their docstrings."""

from __future__ import annotations

import re
from typing import Any

from pydantic import TypeAdapter

from job.results.records import SCHEMA_VERSION, Report
from job.spec.spec_file import DIALECT, Schema, WithoutTitles

_ARGUMENT = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*?)(?=^ {4}\w|\Z)", re.MULTILINE | re.DOTALL)


def report_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a `report.json` of this version.

    What a program of an earlier day left out is optional, and keys that it does not know are allowed.
    """
    schema = TypeAdapter(Report).json_schema(schema_generator=WithoutTitles)
    for definition in (schema, *schema["$defs"].values()):
        _describe(definition)
    for definition in (schema, schema["$defs"]["JobResult"]):
        definition["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    return {"$schema": DIALECT, "$id": f"urn:seq2seq-job:report:{SCHEMA_VERSION}", **schema}


def _describe(definition: dict[str, Any]) -> None:
    """Turn a docstring with a section `Args:` into descriptions of the whole and of its properties."""
    text, _, arguments = definition["description"].partition("\n\nArgs:\n")
    definition["description"] = _line(text)
    for names, meaning in _ARGUMENT.findall(arguments):
        for name in names.split(", "):
            definition["properties"][name]["description"] = _line(meaning)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line[:1].upper() + line[1:]
