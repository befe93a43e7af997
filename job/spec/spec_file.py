"""The data model of the spec file as it is written, before defaults, matrix and seeds; and its JSON Schema.

Jobs have the keys of `schema.JobSpec`, but may leave any of them to `defaults` or to a matrix.
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
SHARED_KEYS = (
    *("problem", "model", "training", "evaluation", "export", "gate", "seeds", "device"),
    *("timeout_minutes", "retries"),
)
"""The keys that `defaults` may have."""
EXTENSION_PREFIX = "x-"
"""Prefix of keys at the top of the file that only hold YAML anchors; nothing else reads them."""
VARIANTS = "variants"
"""Key of a matrix with named bundles of values, and of the name of one in `include` and `exclude`."""

VARIANT_NAME = r"^[A-Za-z0-9._-]*[A-Za-z0-9_-]$"
"""A valid name of a variant."""
WRITTEN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,999}$"
"""A valid name in the file; over 100 characters, also once matrix and seeds are applied, it is shortened."""


class _FilePart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _job_fields(*names: str) -> dict[str, Any]:
    fields = JobSpec.model_fields
    return {name: (fields[name].annotation, fields[name]) for name in names or fields}


_NAME: tuple[Any, Any] = (
    str,
    Field(
        pattern=WRITTEN_NAME,
        description="Name of the job: unique, and safe as a file name. A name over 100 characters, also by "
        "`matrix` and `seeds`, is shortened to its first 70, a dash and 8 hex digits of its SHA-256.",
    ),
)
_SHARED_PROBLEM: tuple[Any, Any] = (
    JobSpec.model_fields["problem"].annotation,
    Field(
        default=None,
        discriminator="kind",
        description="Keys of the problem that the jobs share; a job with another `kind` shares none of them.",
    ),
)
_MATRIX: tuple[Any, Any] = (
    Any,
    Field(
        default=None,
        description="Expand into one job for each combination of the values listed for dotted keys, such as "
        "`model.units: [64, 128]`, and of the named bundles of values in `variants`; `include` and `exclude` "
        "as in GitHub Actions.",
    ),
)

if TYPE_CHECKING:
    Defaults = _FilePart  # a type checker cannot see the generated fields; nothing reads them by name
    JobEntry = _FilePart
else:
    Defaults = create_model(
        "Defaults",
        __base__=_FilePart,
        __doc__="Keys that jobs share; a job's own keys take precedence.",
        **{**_job_fields(*SHARED_KEYS), "problem": _SHARED_PROBLEM},
    )
    JobEntry = create_model(
        "JobEntry",
        __base__=_FilePart,
        __doc__="One job, or several jobs by `matrix` or `seeds`.",
        **{**_job_fields(), "name": _NAME, "matrix": _MATRIX},
    )


class SpecFile(_FilePart):
    """A batch of jobs for seq2seq-job."""

    version: int = Field(ge=1, le=1, description="Version of this format.", json_schema_extra={"const": 1})
    seed: int = Field(
        default=JobSpec.model_fields["seed"].default,
        ge=0,
        lt=2**32,
        description="Seed of every job that does not have its own.",
    )
    defaults: Defaults = Field(default_factory=Defaults, description="Keys that the jobs share.")
    jobs: list[JobEntry] = Field(min_length=1, description="The jobs, in the order of the reports.")


class WithoutTitles(GenerateJsonSchema):
    """Generator of JSON Schemas without titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False: a title that repeats the key is noise in an editor."""
        return False


@cache
def schema_of(model: type[BaseModel]) -> Schema:
    """Return the JSON Schema of a pydantic model; the caller must not modify it."""
    return model.model_json_schema(schema_generator=WithoutTitles)


def alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """Return the alternatives that a schema allows, with references followed and unions split."""
    if "$ref" in schema:
        return alternatives(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    # pydantic before 2.9 writes a reference that has a description as an `allOf` of one
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if not branches:
        return [schema]
    return [option for branch in branches for option in alternatives(branch, root)]


OPTIONS_PREFIXES = ("problem.options.", "model.options.")
"""Prefixes of the options of plugins; a matrix may set any of them, and their packages check them."""


@cache
def matrix_keys() -> dict[str, Schema]:
    """Return the dotted keys that a matrix may set, each with the JSON Schema of its value.

    These are the keys of scalars, such as `seed`, `model.units` and `training.optimizer.learning_rate`.
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
    """Return the schema restricted to some of its alternatives."""
    if len(options) == len(alternatives(schema, root)):
        return schema
    return {"anyOf": options, "description": schema["description"]}


def json_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a spec file, for editors.

    A section may lack any key, because `defaults` or a matrix may give it; whether one does is checked by
    the command `validate`.
    """
    schema = SpecFile.model_json_schema(schema_generator=WithoutTitles)
    definitions = schema["$defs"]
    for name, definition in definitions.items():
        if name != "JobEntry":
            definition.pop("required", None)
    entry, defaults = definitions["JobEntry"], definitions["Defaults"]
    for problem in (entry["properties"]["problem"], defaults["properties"]["problem"]):
        problem["anyOf"] = problem.pop("oneOf")  # without its kind, a problem can look like several
        del problem["discriminator"]
    del defaults["properties"]["problem"]["default"]
    entry["properties"]["matrix"] = {"$ref": "#/$defs/Matrix"}
    entry["required"] = ["name"]
    definitions["Matrix"] = _matrix_schema()
    schema["patternProperties"] = {f"^{re.escape(EXTENSION_PREFIX)}": {"description": "Holds YAML anchors."}}
    return {"$schema": DIALECT, **schema, **_PROBLEM_SOMEWHERE}


_PROBLEM_SOMEWHERE: Schema = {
    "if": {"properties": {"defaults": {"not": {"required": ["problem"]}}}},
    "then": {
        "properties": {
            "jobs": {
                "items": {
                    "if": {"not": {"required": ["matrix"]}},
                    "then": {"required": ["problem"], "properties": {"problem": {"required": ["kind"]}}},
                }
            }
        }
    },
}
"""A job needs a problem with a kind, unless `defaults` has a problem or a matrix may give it."""


def _matrix_schema() -> Schema:
    keys = matrix_keys()
    prefixes = "|".join(map(re.escape, OPTIONS_PREFIXES))
    free, scalar = f"^({prefixes}).", {"type": ["string", "number", "boolean", "null"]}
    bundle = {
        "type": "object",
        "properties": keys,
        "patternProperties": {free: scalar},
        "additionalProperties": False,
    }
    named = {"type": "string", "description": "Name of a variant."}
    entry = {**bundle, "properties": {**keys, VARIANTS: named}, "minProperties": 1}
    entries = {"type": "array", "minItems": 1, "items": entry}
    lists = {key: {"type": "array", "items": value, "minItems": 1} for key, value in keys.items()}
    return {
        "description": _MATRIX[1].description,
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "patternProperties": {free: {"type": "array", "items": scalar, "minItems": 1}},
        "properties": {
            **lists,
            VARIANTS: {
                "description": "Named bundles of values, each a value of the matrix: "
                "`{small: {model.units: 64}, large: {model.units: 256}}` makes NAME-small and NAME-large.",
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": VARIANT_NAME},
                "additionalProperties": bundle,
            },
            "include": {
                **entries,
                "description": "Keys to add to the combinations that they match, or new combinations.",
            },
            "exclude": {**entries, "description": "Combinations, or parts of combinations, to leave out."},
        },
    }
