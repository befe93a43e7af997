"""Read the JSON documents that jobs and batches leave, and refuse what is not valid."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from job.metrics import possible_range
from job.results.finite_numbers import nonfinite_places
from job.storage.documents import DocumentError, may_have_nonfinite, parse_json

SCHEMA_VERSION = 1

_ROUNDING = 1e-6
"""How far outside its range rounding may take a metric, such as a BLEU of 100.00000000000004."""


def _measured(values: Any) -> Any:
    """Return metrics or timings without values that are null or not finite, which count as not measured.

    Gates, comparisons and the verdict report a metric that is missing. A value that its metric cannot have is
    an error: the file was damaged or edited.
    """
    if not isinstance(values, dict):
        return values
    found = {k: v for k, v in values.items() if v is not None and not [*nonfinite_places(v)]}
    for name, value in found.items():
        least, most = possible_range(name)
        if isinstance(value, int | float) and not least - _ROUNDING <= value <= most + _ROUNDING:
            raise ValueError(f"{name} is {value:g}, but can only be from {least:g} to {most:g}")
    return found


Measured = Annotated[dict[str, float], BeforeValidator(_measured)]
"""Name -> finite value."""

_MEASURED_PLACE = re.compile(r"(jobs\[\d+\]\.)?(validation\.)?(metrics|timings)\.")

Record = TypeVar("Record")


def read_document(reader: TypeAdapter[Record], text: str | bytes) -> Record:
    """Parse and validate a JSON document of any origin; raises `DocumentError`, a `ValueError`."""
    value = parse_json(text, finite=False)
    found = value.get("schema_version", SCHEMA_VERSION) if isinstance(value, dict) else SCHEMA_VERSION
    if found != SCHEMA_VERSION:  # before what else it lacks is complained about
        raise DocumentError(f"schema_version is {str(found)[:60]}, this program reads {SCHEMA_VERSION}")
    for place in nonfinite_places(value) if may_have_nonfinite(text) else ():
        if not _MEASURED_PLACE.match(place):
            raise DocumentError(f"{place} is not a finite number")
    return validated(reader, value)


def validated(reader: TypeAdapter[Record], value: object) -> Record:
    """Return the record of JSON values; raises `DocumentError` with the key of the first wrong value."""
    try:
        return reader.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(map(str, first["loc"]))[:100]
        message = first["msg"].removeprefix("Value error, ").splitlines()[0][:200]
        raise DocumentError(f"{key}: {message}" if key else message) from None
