"""Jobs and results of them, as short as they can be written."""

from job.results.data_facts import DataFacts
from job.results.job_result import JobResult
from job.results.trained_job import TrainedJob
from job.results.validation_result import ValidationResult
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec


def job_spec(name, **sections):
    problem = CopySpec(kind="copy", source_length=2, cardinality=6)
    return JobSpec(name=name, problem=problem, **sections)


def job_result(name, status="passed", **fields):
    given = {"name": name, "status": status, "fingerprint": "f" * 64, "seed": 7, "spec": {}, **fields}
    return JobResult(**given)


def trained_job(name, **fields):
    given = {
        "fingerprint": "f" * 64,
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
