"""Output directories as batches leave them, with predictions that are right or wrong as asked."""

import hashlib
from dataclasses import replace
from datetime import datetime, timezone

from job.gating import batch_verdict
from job.reports.report_files import build_report, write_reports
from job.results.data_facts import DataFacts
from job.results.job_result import Artifact, JobResult
from job.results.predictions import Prediction
from job.results.validation_result import ValidationResult
from job.storage.artifacts import prepare_output

MACHINE = {
    "versions": {"keras": "3.15.1", "python": "3.12.1"},
    "processor": "some processor",
    "cores": 2,
    "devices": ["CPU"],
    "platform": "Linux",
    "kernel": "fused",
    "git_commit": "c0ffee" * 6,
}
PROBLEM = {"kind": "copy", "source_length": 3, "cardinality": 9}


def a_prediction(number, right, offset=0):
    text = f"{number + offset} 2 3"
    return Prediction(str(number), text, text, text if right else f"{number + offset} 2 4", bool(right))


def a_forecast(number, target, predicted):
    return Prediction(str(number), f"{number} {number}", repr(target), repr(predicted), None)


def a_job(name, predictions=(), **fields):
    """A result whose metrics are those of its predictions."""
    spec = {"problem": PROBLEM, "evaluation": {"decoder": "greedy"}, "gate": fields.pop("gate", {})}
    right = [prediction.correct for prediction in predictions]
    accuracy = {} if None in right or not right else {"sequence_accuracy": sum(right) / len(right)}
    given = {
        "status": "passed",
        "fingerprint": "f" * 64,
        "problem_fingerprint": "p" * 64,
        "seed": 7,
        "spec": spec,
        "metrics": accuracy,
        "data": DataFacts(test_examples=len(predictions)),
        "environment": MACHINE,
        **fields,
    }
    return JobResult(name=name, **given)


def a_run(name, predictions, **fields):
    """A result and the predictions that it was measured on."""
    return a_job(name, predictions, **fields), predictions


def validated(predictions, **metrics):
    """What a result records of validation examples with these predictions."""
    right = [prediction.correct for prediction in predictions]
    accuracy = {} if None in right else {"sequence_accuracy": sum(right) / len(right)}
    return ValidationResult(examples=len(predictions), metrics={**accuracy, **metrics}, seen_in_training=0)


def leave(root, jobs, *, plan=(), missing=(), hour=2, validation=None):
    """Write an output directory.

    Args:
        root: where.
        jobs: result -> predictions, or None for no file of them.
        plan: names of its plan.json; none for no such file.
        validation: job name -> predictions for its validation examples.
    """
    output = prepare_output(root)
    results = []
    for result, predictions in jobs:
        paths = output.job(result.name)
        paths.directory.mkdir()
        listed = [_written(paths.predictions, predictions)] if predictions is not None else []
        if of_validation := (validation or {}).get(result.name):
            listed.append(_written(paths.validation_predictions, of_validation))
        results.append(replace(result, artifacts=tuple(listed)))
        paths.result.write_text(results[-1].to_json())
    if plan:
        entries = ", ".join(f'{{"name": "{name}", "fingerprint": "{"f" * 64}"}}' for name in plan)
        output.plan.write_text(f'{{"schema_version": 1, "jobs": [{entries}]}}')
    moment = datetime(2026, 7, 1, hour, tzinfo=timezone.utc)
    names = [*(result.name for result in results), *missing]
    report = build_report(
        results,
        started_at=moment,
        finished_at=moment,
        verdict=batch_verdict.decide(names, results),
        missing=missing,
    )
    write_reports(output, report)
    return root


def _written(path, predictions):
    content = "".join(prediction.to_line() + "\n" for prediction in predictions).encode()
    path.write_bytes(content)
    return Artifact(path.name, len(content), hashlib.sha256(content).hexdigest())


def right_and_wrong(count, wrong, offset=0):
    """Predictions of which those with the numbers in `wrong` are wrong."""
    return [a_prediction(number, number not in wrong, offset) for number in range(count)]
