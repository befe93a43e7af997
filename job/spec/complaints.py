"""Turn pydantic's errors into complaints that name line and key, what was found and what is allowed.

The allowed values are read from the JSON Schema of the model, so that no limit is written twice.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from job.errors import Complaint
from job.spec.spec_file import WRITTEN_NAME, Schema, alternatives, schema_of
from job.spec.yaml_tree import Node, shorten
from job.storage.file_names import JOB_NAME

_NAME = "1 to 1000 letters, digits, dots, dashes and underscores that begin with a letter or a digit"
_PATTERNS = {JOB_NAME: _NAME, WRITTEN_NAME: _NAME}


def check(tree: Node, model: type[BaseModel], *, partial: bool) -> list[Complaint]:
    """Validate a tree and return a complaint for each error.

    Args:
        tree: the values of the file.
        model: the pydantic model to validate them with.
        partial: the values are incomplete, because defaults or a matrix are not applied yet: missing keys
            below the top are no errors, and rules between keys are not checked.
    """
    try:
        model.model_validate(tree.plain())
    except ValidationError as error:
        return [*explain(error, tree, model, partial=partial)]
    return []


def explain(
    error: ValidationError, tree: Node, model: type[BaseModel], *, partial: bool = False
) -> Iterator[Complaint]:
    """Yield a complaint for each error of a failed validation; arguments as in `check`."""
    for detail in error.errors(include_url=False):
        if partial and _may_vanish(detail["type"], len(detail["loc"])):
            continue
        place = _find(detail["loc"], tree, schema_of(model))
        complaint = _COMPLAINTS.get(detail["type"], _not_allowed)(place, detail)
        if not place.node.broken:
            yield complaint


def _may_vanish(error_type: str, depth: int) -> bool:
    """Return whether an error can disappear once defaults and matrix are applied."""
    return error_type in ("union_tag_not_found", "value_error") or (error_type == "missing" and depth > 1)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` if `word` resembles a known word, else an empty string."""
    close = difflib.get_close_matches(word, [*known], n=1, cutoff=0.74)
    return f"; did you mean {close[0]!r}?" if close else ""


@dataclass(frozen=True)
class _Place:
    """The place of an error in the file and in the schema.

    Args:
        node: the wrong value, or the mapping that lacks `key`.
        schema: the JSON Schema of this place.
        root: the whole JSON Schema, which references in `schema` point into.
        known: the known keys of the enclosing mapping.
        key: the missing key, or empty.
    """

    node: Node
    schema: Schema
    root: Schema
    known: tuple[str, ...] = ()
    key: str = ""

    def complain(self, message: str) -> Complaint:
        return self.node.complaint(message, self.key)


def _find(loc: tuple[int | str, ...], tree: Node, root: Schema) -> _Place:
    place = _Place(tree, root, root)
    for part in loc:
        place = _step(place, part)
    return place


def _step(place: _Place, part: int | str) -> _Place:
    """Follow one part of a pydantic location; the name of a union's branch stays at the same place."""
    if isinstance(part, int):
        items = (option["items"] for option in alternatives(place.schema, place.root) if "items" in option)
        return _Place(place.node.items[part], next(items, {}), place.root)
    branch = place.schema.get("discriminator", {}).get("mapping", {}).get(part)
    if branch:
        return _Place(place.node, {"$ref": branch}, place.root)
    properties: Schema = {}
    others: Any = {}
    for option in alternatives(place.schema, place.root):
        properties |= option.get("properties", {})
        others = option.get("additionalProperties") or others
    known, schema = tuple(properties), properties.get(part, others)
    if part in place.node.entries:
        return _Place(place.node.entries[part], schema, place.root, known)
    if part in properties:
        return _Place(place.node, schema, place.root, known, key=part)
    return place


def _unknown_key(place: _Place, detail: Any) -> Complaint:
    hint = did_you_mean(detail["loc"][-1], place.known)
    return place.complain(f"is not a known key{hint or ';'} known here: {', '.join(place.known)}")


def _missing(place: _Place, detail: Any) -> Complaint:
    return place.complain(f"is required: {allowed(place.schema, place.root)}")


def _no_kind(place: _Place, detail: Any) -> Complaint:
    return place.node.complaint(
        f"is required: {_kinds(place)}", place.schema["discriminator"]["propertyName"]
    )


def _unknown_kind(place: _Place, detail: Any) -> Complaint:
    kind = place.node.entries[place.schema["discriminator"]["propertyName"]]
    hint = did_you_mean(str(kind.value), place.schema["discriminator"]["mapping"])
    return kind.complaint(f"must be {_kinds(place)}, found {kind.found()}{hint}")


def _kinds(place: _Place) -> str:
    return _one_of([repr(kind) for kind in place.schema["discriminator"]["mapping"]])


def _broken_rule(place: _Place, detail: Any) -> Complaint:
    """Return a complaint about the key that the rule's message begins with, if it begins with one."""
    message = str(detail["ctx"]["error"])
    node = place.node
    for key in message.partition(" ")[0].split("."):
        node = node.entries.get(key, node)
    return node.complaint(message)


def _not_allowed(place: _Place, detail: Any) -> Complaint:
    options = alternatives(place.schema, place.root)
    words = [str(option["const"]) for option in options if "const" in option]
    words += [word for option in options for word in option.get("enum", ())]
    value = place.node.value
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    if isinstance(value, float) and value.is_integer() and any(o.get("type") == "integer" for o in options):
        hint = f"; write {shorten(str(int(value)))}"
    return place.complain(f"must be {allowed(place.schema, place.root)}, found {place.node.found()}{hint}")


_COMPLAINTS: dict[str, Callable[[_Place, Any], Complaint]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "union_tag_not_found": _no_kind,
    "union_tag_invalid": _unknown_kind,
    "value_error": _broken_rule,
}
"""The functions that make a complaint, by pydantic's error type; all other types are values not allowed."""


def allowed(schema: Schema, root: Schema) -> str:
    """Describe in words the values that a JSON Schema allows.

    Args:
        schema: the JSON Schema of one value.
        root: the whole JSON Schema, which references in `schema` point into.
    """
    if "discriminator" in schema:
        return f"a mapping with the key {schema['discriminator']['propertyName']}"
    return _one_of([_allowed_alone(option) for option in alternatives(schema, root)])


def _allowed_alone(schema: Schema) -> str:
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return _one_of([*map(repr, schema["enum"])])
    if "pattern" in schema:
        return _PATTERNS[schema["pattern"]]
    return _TYPES[schema["type"]] + _range(schema)


_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "a mapping",
    "array": "a list",
}


def _range(schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" from {_number(schema['minimum'])} to {_number(schema['maximum'])}"
    limits = [f"{words} {_number(schema[key])}" for key, words in _LIMITS.items() if key in schema]
    return f" ({', '.join(limits)})" if limits else ""


_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minItems": "length at least",
    "minLength": "length at least",
    "minProperties": "keys at least",
    "maxLength": "length at most",
}


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _one_of(options: list[str]) -> str:
    *others, last = dict.fromkeys(options)
    return f"{', '.join(others)} or {last}" if others else last
