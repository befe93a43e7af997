"""The number by which a tracker recognizes the batch of an output directory: `mlflow.json`."""

from __future__ import annotations

import json
import re
import secrets

from job.storage.artifacts import OutputPaths
from job.storage.documents import read_json
from job.storage.exclusive import create_exclusively

RECORD = "mlflow.json"


def batch_number(output: OutputPaths) -> str:
    """Return the number of the batch in an output directory, which shards and later runs share."""
    path = output.root / RECORD
    create_exclusively(path, json.dumps({"batch": secrets.token_hex(16)}).encode() + b"\n")
    found = read_json(path)
    number = found.get("batch") if isinstance(found, dict) else None
    if not isinstance(number, str) or not re.fullmatch("[0-9a-f]{32}", number):
        raise ValueError(f"{path} is damaged; remove it, and the batch gets new runs")
    return number
