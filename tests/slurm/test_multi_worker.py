"""deploy/slurm/multi-worker.sbatch: one model by two tasks of a step, on a real cluster of one node."""

import json

import pytest
from slurm_environment import ROOT, variables

SPEC = """\
version: 1
jobs:
  - name: ordinary
    problem: {kind: copy, source_length: 2, cardinality: 6}
    model: {units: 4}
    training: {examples: 320, batch_size: 32}
    evaluation: {examples: 20, validation_examples: 10}
  - name: together
    problem: {kind: reverse, source_length: 3, cardinality: 8}
    model: {units: 16}
    training: {examples: 6400, batch_size: 64, distribution: multi_worker}
    evaluation: {examples: 60, validation_examples: 40}
"""


@pytest.fixture(scope="module")
def environment(cluster, tmp_path_factory):
    return variables(cluster, tmp_path_factory.mktemp("bin"))


def test_two_tasks_train_one_model_together(cluster, environment, tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    script = ROOT / "deploy" / "slurm" / "multi-worker.sbatch"
    options = ["--wait", "--ntasks=2", "--cpus-per-task=1", "--mem-per-cpu=0"]
    cluster.call(
        "sbatch", *options, script, "jobs.yaml", "output", cwd=tmp_path, env=environment, timeout=240
    )
    (log,) = tmp_path.glob("seq2seq-job-*.log")
    assert log.read_text().count("2 jobs: 2 trained") == 2  # both tasks report the same
    for name in ("ordinary", "together"):
        result = json.loads((tmp_path / "output" / "jobs" / name / "result.json").read_text("utf-8"))
        assert result["status"] == "passed"
    assert list((tmp_path / "output" / "queue").glob("*/cluster/together.*.1.ended"))
