"""Jobs and results of them, as short as they can be written."""

import zlib

from job.results.data_facts import DataFacts
from job.results.job_result import JobResult
from job.results.trained_job import TrainedJob
from job.results.validation_result import ValidationResult
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec


def job_spec(name, **sections):
    """A job with a seed of its own by its name: jobs that differ in their names alone share their results."""
    given = {"seed": zlib.crc32(name.encode()), **sections}
    return JobSpec(name=name, problem=CopySpec(kind="copy", source_length=2, cardinality=6), **given)


def job_result(name, status="passed", **fields):
    given = {"name": name, "status": status, "fingerprint": "f" * 64, "seed": 7, "spec": {}, **fields}
    return JobResult(**given)


def trained_job(name, **fields):
    given = {
        "fingerprint": "f" * 64,
        "training_fingerprint": "",
        "problem_fingerprint": "",
        "test_fingerprint": "",
        "seed": 7,
        "spec": {},
        "metrics": {},
        "data": DataFacts(),
        "timings": {},
        "speed_ranges": {},
        "peak_rss_bytes": 0,
        "parameters": 0,
        "history": {},
        "samples": (),
        "analysis": {},
        "also": (),
        "attention": (),
        "environment": {},
        "attempts": 1,
        "validation": ValidationResult(reason="none in this sample"),
        **fields,
    }
    return TrainedJob(name=name, **given)
