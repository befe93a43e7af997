"""Write the reference pages, docs/spec-reference.md and docs/cli-reference.md, from the code: `make docs`.

A test compares the pages with what this module returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from job.cli.app import app
from job.spec.spec_file import json_schema

DIRECTORY = Path(__file__).parent
NOTE = "<!-- Written by `make docs` from the code; edit the descriptions there. -->\n"


def main() -> None:
    """Write all pages."""
    for name, page in pages().items():
        (DIRECTORY / name).write_text(page, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the content of each page by its file name."""
    return {"spec-reference.md": spec_reference(), "cli-reference.md": cli_reference()}


# --- the spec -----------------------------------------------------------------------------------------------


def spec_reference() -> str:
    """Return the page of all keys of a spec: a heading for each mapping, a row for each key."""
    schema = json_schema()
    lines = [
        "# Keys of a spec",
        "",
        NOTE.strip(),
        "",
        "Every key with its values, default and meaning; `seq2seq-job schema` prints the same for editors.",
        "",
        *_table("", schema, schema["$defs"]),
    ]
    for name, section in sorted(schema["$defs"].items()):
        if "properties" in section:
            lines += ["", f"## {name}", "", *_table(section.get("description", ""), section, schema["$defs"])]
    return "\n".join(lines) + "\n"


def _table(description: str, section: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    if description:
        yield _one_line(description)
        yield ""
    yield "| key | values | default | |"
    yield "| --- | --- | --- | --- |"
    required = section.get("required", ())
    for key, schema in section["properties"].items():
        default = "required" if key in required else _default(schema)
        cells = (f"`{key}`", _values(schema, definitions), default, _one_line(schema.get("description", "")))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(schema: dict[str, Any]) -> str:
    if "default" not in schema:
        return ""
    value = schema["default"]
    shown = {None: "null", True: "true", False: "false", "": "''"}
    if isinstance(value, dict | list):
        return "" if value else "empty"
    number = isinstance(value, int | float) and not isinstance(value, bool)  # 1 would be found as True
    return f"`{value if number else shown.get(value, value)}`"


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        section = definitions[name]
        return f"[{name}](#{name.lower()})" if "properties" in section else _values(section, definitions)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(_values(one, definitions) for one in schema[choice]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_values(schema.get('items', {}), definitions)}"
    return f"{_type(schema)}{_bounds(schema)}"


def _type(schema: dict[str, Any]) -> str:
    names = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}
    kind = schema.get("type", "any value")
    return names.get(kind, kind) if isinstance(kind, str) else " or ".join(kind)


def _bounds(schema: dict[str, Any]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in schema else "from "
    below = " below " if "exclusiveMaximum" in schema else " to "
    if low is None and high is None:
        return ""
    first = "" if low is None else f" {above}{low:,}"
    return "," + first + ("" if high is None else f"{below}{high:,}")


# --- the commands -------------------------------------------------------------------------------------------


def cli_reference() -> str:
    """Return the page of all commands with their arguments and options."""
    group: Any = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        NOTE.strip(),
        "",
        "`seq2seq-job` without a command runs the batch. Every option can be set by its variable.",
        "",
        "## seq2seq-job",
        "",
        *_command(group),
    ]
    for name in group.list_commands(None):
        lines += ["", f"## seq2seq-job {name}", "", *_command(group.commands[name])]
    return "\n".join(lines) + "\n"


def _command(command: Any) -> Iterator[str]:
    yield _one_line(re.split(r"\n\n|\f", command.help or "")[0])
    parameters = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    if parameters:
        yield from ["", "| argument or option | variable | |", "| --- | --- | --- |"]
    for parameter in parameters:
        variable = parameter.envvar if isinstance(parameter.envvar, str) else ""
        yield f"| {_shape(parameter)} | {f'`{variable}`' if variable else ''} | {_help(parameter)} |"


def _shape(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    value = "" if getattr(parameter, "is_flag", False) else f" {parameter.metavar or 'VALUE'}"
    return names + value.replace("|", "\\|")


def _help(parameter: Any) -> str:
    text = _one_line(getattr(parameter, "help", None) or "").replace("|", "\\|")
    default = parameter.default
    shown = isinstance(default, str | int | float | Path) and not isinstance(default, bool) and default != ""
    return f"{text} Default: `{default}`." if shown and "efault" not in text else text


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
