"""Finished jobs as a run leaves them, without a run; plans and batches over them."""

import pytest
import yaml
from sample_jobs import job_result

from job.batch.batch_options import BatchOptions
from job.batch.planning import make_plan, write_plan
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.process.stopping import Stop
from job.results.data_facts import DataFacts
from job.results.job_files import list_files
from job.results.job_result import JobResult
from job.spec.evaluation_section import EvaluationSpec
from job.spec.fingerprints import fingerprints_of
from job.spec.schema import Spec
from job.spec.training_section import TrainingSpec

FILES = {
    "model/train.keras": "train weights",
    "model/inference_encoder.keras": "encoder weights",
    "model/inference_decoder.keras": "decoder weights",
    "model/vocabulary.json": "{}",
    "predictions.jsonl": '{"id": "0", "source": "1", "target": "1", "predicted": "1", "correct": true}\n',
    "history.csv": "step,loss\n1,0.5\n",
    "curves.svg": "<svg/>",
}
BEAM = EvaluationSpec(decoder="beam")
LONGER = TrainingSpec(epochs=2)


def leave(output, job, directory=None, **fields):
    """Leave a finished job, as a run does; returns its result."""
    directory = directory or output.job(job.name).directory
    for name, content in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    spec = job.model_dump(mode="json")
    (directory / "spec.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    marks = fingerprints_of(job, output.root)
    given = {
        "fingerprint": marks.evaluation,
        "evaluation_fingerprint": marks.evaluation,
        "training_fingerprint": marks.training,
        "spec": spec,
        "seed": job.seed,
        "metrics": {"sequence_accuracy": 0.5},
        "data": DataFacts(test_examples=1, epochs=1),
        "history": {"step": [1], "loss": [0.5]},
        "artifacts": list_files(directory),
        **fields,
    }
    result = job_result(job.name, **given)
    (directory / "result.json").write_text(result.to_json())
    return result


@pytest.fixture
def plan(output):
    return lambda *jobs: make_plan(Spec(path=output.root / "jobs.yaml", jobs=jobs), output)


@pytest.fixture
def batch(output, plan, stand_in):
    """Run a batch as the command does, with its plan written; returns its report."""

    def run(*jobs, log=None, **options):
        planned = plan(*jobs)
        write_plan(output, planned)
        stop = options.pop("stop", None) or Stop()
        options = BatchOptions(stop=stop, **options)
        with stop.handling_signals():
            return run_batch(planned, output, output.root, log or Log(lambda line: None), options)

    return run


def said_of(plan):
    """Return `action: why` of each job."""
    return [f"{planned.action}: {planned.decision.why}" for planned in plan]


def recorded(output, name):
    return JobResult.from_json(output.job(name).result.read_bytes())


def leftovers(output):
    return [path.name for path in output.jobs.iterdir() if path.name.startswith(".tmp-")]
