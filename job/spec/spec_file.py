"""The form of the spec file itself: what may be written, before defaults and matrix are applied.

Sections hold the keys of `schema`, but may leave any of them to `defaults` or to a matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from job.spec.schema import JobSpec

Schema = dict[str, Any]
"""A JSON Schema, or a part of one."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SECTIONS = ("model", "training", "evaluation", "gate", "seeds", "device", "timeout_minutes", "retries")
"""What `defaults` may hold."""


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _job_fields(*names: str) -> dict[str, Any]:
    fields = JobSpec.model_fields
    return {name: (fields[name].annotation, fields[name]) for name in names or fields}


_MATRIX: tuple[Any, Any] = (
    Any,
    Field(
        default=None,
        description="Makes one job of each combination of the values listed for dotted keys, such as "
        "`model.units: [64, 128]`; `include` and `exclude` as in GitHub Actions.",
    ),
)

if TYPE_CHECKING:
    Defaults = _Form  # a type checker cannot see the generated fields; nothing reads them by name
    JobEntry = _Form
else:
    Defaults = create_model(
        "Defaults", __base__=_Form, __doc__="What jobs share; a job's own keys win.", **_job_fields(*SECTIONS)
    )
    JobEntry = create_model(
        "JobEntry", __base__=_Form, __doc__="One job, or a family of jobs.", **_job_fields(), matrix=_MATRIX
    )


class SpecFile(_Form):
    """A batch of jobs for seq2seq-job."""

    version: int = Field(ge=1, le=1, description="Version of this format.", json_schema_extra={"const": 1})
    seed: int = Field(
        default=JobSpec.model_fields["seed"].default,
        ge=0,
        lt=2**32,
        description="Seed of every job that has none of its own.",
    )
    defaults: Defaults = Field(default=Defaults(), description="What the jobs share.")
    jobs: list[JobEntry] = Field(min_length=1, description="The jobs, in the order of the reports.")


class WithoutTitles(GenerateJsonSchema):
    """Generates JSON Schemas as editors show them."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False: a title that repeats the key is noise in an editor."""
        return False


@cache
def schema_of(model: type[BaseModel]) -> Schema:
    """Return the JSON Schema of a pydantic model; not to be changed."""
    return model.model_json_schema(schema_generator=WithoutTitles)


def alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """Return what `schema` allows, one schema each: references followed, unions taken apart."""
    if "$ref" in schema:
        return alternatives(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    # pydantic before 2.9 writes a reference that has a description as an `allOf` of one
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if not branches:
        return [schema]
    return [option for branch in branches for option in alternatives(branch, root)]


FREE = "problem.options."
"""What a matrix may set besides: the keys of a mapping that is checked by somebody else."""


@cache
def matrix_keys() -> dict[str, Schema]:
    """Return the dotted keys that a matrix may set, each with the JSON Schema of its value.

    These are the keys of single values: `seed`, `model.units`, `training.optimizer.learning_rate`.
    """
    root = schema_of(JobSpec)
    keys: dict[str, Schema] = {}
    for key, schema in _paths(root, root, ""):
        known = keys.setdefault(key, schema)
        if known != schema:  # `problem.kind` differs from problem to problem
            keys[key] = {"anyOf": [*known.get("anyOf", [known]), schema]}
    del keys["name"]
    return keys


def _paths(schema: Schema, root: Schema, prefix: str) -> Iterator[tuple[str, Schema]]:
    for option in alternatives(schema, root):
        for key, inner in option.get("properties", {}).items():
            single = [leaf for leaf in alternatives(inner, root) if leaf["type"] not in ("object", "array")]
            if any(leaf["type"] != "null" for leaf in single):
                yield prefix + key, _narrowed(inner, single, root)
            yield from _paths(inner, root, f"{prefix}{key}.")


def _narrowed(schema: Schema, options: list[Schema], root: Schema) -> Schema:
    """Return the schema, only some of its alternatives allowed."""
    if len(options) == len(alternatives(schema, root)):
        return schema
    return {"anyOf": options, "description": schema["description"]}


def json_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a spec file, for editors.

    It lets a section leave out keys that `defaults` or a matrix may give; `validate` is what says whether
    they do.
    """
    schema = SpecFile.model_json_schema(schema_generator=WithoutTitles)
    definitions = schema["$defs"]
    for name, definition in definitions.items():
        if name != "JobEntry":
            definition.pop("required", None)
    entry = definitions["JobEntry"]
    problem = entry["properties"]["problem"]
    problem["anyOf"] = problem.pop("oneOf")  # without its kind, a problem can look like several
    del problem["discriminator"]
    entry["properties"]["matrix"] = {"$ref": "#/$defs/Matrix"}
    entry["required"] = ["name"]
    entry["if"] = {"not": {"required": ["matrix"]}}
    entry["then"] = {"required": ["problem"], "properties": {"problem": {"required": ["kind"]}}}
    definitions["Matrix"] = _matrix_schema()
    return {"$schema": DIALECT, **schema}


def _matrix_schema() -> Schema:
    keys = matrix_keys()
    free, scalar = f"^{re.escape(FREE)}.", {"type": ["string", "number", "boolean", "null"]}
    entries = {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": keys,
            "patternProperties": {free: scalar},
            "additionalProperties": False,
            "minProperties": 1,
        },
    }
    lists = {key: {"type": "array", "items": value, "minItems": 1} for key, value in keys.items()}
    return {
        "description": _MATRIX[1].description,
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "patternProperties": {free: {"type": "array", "items": scalar, "minItems": 1}},
        "properties": {
            **lists,
            "include": {
                **entries,
                "description": "Keys added to the combinations that they fit, or new ones.",
            },
            "exclude": {**entries, "description": "Combinations, or parts of some, that are left out."},
        },
    }
