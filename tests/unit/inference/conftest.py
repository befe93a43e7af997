"""The trained job's model and its predictions, which several files use."""

import json

import pytest


@pytest.fixture(scope="session")
def model(trained_job):
    from job.inference.token_lines import load_model

    return load_model(trained_job.paths.directory)


@pytest.fixture(scope="session")
def evaluated(trained_job):
    """The lines of `predictions.jsonl`."""
    return [json.loads(line) for line in trained_job.paths.predictions.read_text("utf-8").splitlines()]
