"""The command `cancel`, and a batch of which a job is cancelled."""

import json
import threading
import time

import pytest
from sample_jobs import job_result, job_spec

from job.batch import cancelling
from job.batch.batch_options import BatchOptions
from job.batch.planning import make_plan, write_plan
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.results.job_result import JobResult
from job.spec.schema import Spec


def planned(output, *names):
    spec = Spec(path=output.root / "jobs.yaml", jobs=tuple(job_spec(name) for name in names))
    plan = make_plan(spec, output)
    write_plan(output, plan)
    return plan


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cancelled_job_stops_alone_and_the_batch_says_so(
    command, output, stand_in, monkeypatch, workers, capsys
):
    monkeypatch.setattr(cancelling, "HEARTBEAT_SECONDS", 0.2)
    plan, reports = planned(output, "waits", "fine-1", "fine-2"), []
    options = BatchOptions(workers=workers)
    batch = threading.Thread(
        target=lambda: reports.append(run_batch(plan, output, output.root, Log(lambda line: None), options))
    )
    batch.start()
    while not output.job("waits").progress.exists():
        time.sleep(0.01)
    code, out, err = command("cancel", output.root, "waits")
    batch.join(timeout=60)
    (report,) = reports
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "waits: cancelled"
    assert report.exit_code == 1
    assert {result.name: result.status for result in report.jobs} == {
        "waits": "interrupted",
        "fine-1": "passed",
        "fine-2": "passed",
    }
    assert not output.job("waits").cancel.exists()
    recorded = JobResult.from_json(output.job("waits").result.read_bytes())
    assert recorded.error.type == "Cancelled"
    states = json.loads(command("status", output.root, "--format", "json")[1])["jobs"]
    assert [entry["state"] for entry in states] == ["cancelled", "done", "done"]
    assert make_plan(Spec(path=output.root / "jobs.yaml", jobs=(plan[0].job,)), output)[0].result is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "has no job nobody; expected one of fine-1, fine-2"),
        ("fine-1", "job fine-1 in {} does not run (waiting)"),
        ("fine-2", "job fine-2 in {} has ended already (failed)"),
    ],
)
def test_what_cannot_be_cancelled_is_one_sentence(command, output, name, sentence):
    plan = planned(output, "fine-1", "fine-2")
    output.job("fine-2").directory.mkdir()
    failed = job_result("fine-2", "failed", fingerprint=plan[1].fingerprint)
    output.job("fine-2").result.write_text(failed.to_json())
    code, out, err = command("cancel", output.root, name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence.format(output.root) in err
    assert not output.job(name).cancel.exists()


def test_a_directory_without_a_batch_is_one_sentence(command, tmp_path):
    code, out, err = command("cancel", tmp_path, "a")
    assert (code, out) == (2, "")
    assert "holds no batch" in err
