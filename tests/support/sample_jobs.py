"""Jobs and results of them, as short as they can be written."""

from job.results.records import JobResult
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec


def job_spec(name, **sections):
    problem = CopySpec(kind="copy", source_length=2, cardinality=6)
    return JobSpec(name=name, problem=problem, **sections)


def job_result(name, status="passed", **fields):
    given = {"name": name, "status": status, "fingerprint": "f" * 64, "seed": 7, "spec": {}, **fields}
    return JobResult(**given)
