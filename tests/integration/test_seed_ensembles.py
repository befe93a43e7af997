"""Jobs with `ensemble: true`, by the command: whole, again, from shards, and with a member that fails."""

import json
import shutil
import subprocess
import sys

import pytest
from in_process import run_in_process

SPEC = """
version: 1
defaults:
  training: {examples: 640, epochs: 3, batch_size: 32, optimizer: {learning_rate: 0.02}}
  model: {units: 12}
jobs:
  - name: copy
    seeds: [1, 2]
    problem: {kind: copy, source_length: 3, cardinality: 9}
    evaluation: {examples: 200, validation_examples: 50, ensemble: true}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The directory of a spec, with the output of its batch."""
    folder = tmp_path_factory.mktemp("ensemble")
    (folder / "jobs.yaml").write_text(SPEC)
    assert run_in_process("--spec", folder / "jobs.yaml", "--output-dir", folder / "output") == 0
    return folder


def ensemble(output):
    return json.loads((output / "report.json").read_text())["ensembles"][0]


def test_the_report_has_the_gain_over_the_single_models(finished):
    found = ensemble(finished / "output")
    assert (found["name"], found["status"], found["examples"]) == ("copy", "computed", 200)
    assert found["members"] == ["copy-seed-1", "copy-seed-2"]
    accuracy = found["metrics"][0]
    assert accuracy["metric"] == "sequence_accuracy"
    folder = finished / "output" / "ensembles" / "copy"
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert accuracy["value"] == pytest.approx(sum(row["correct"] for row in rows) / 200)
    single = json.loads((finished / "output/jobs/copy-seed-1/result.json").read_text())["metrics"]
    assert accuracy["singles"][0] == single["sequence_accuracy"]
    assert accuracy["gain_over_mean"] == pytest.approx(accuracy["value"] - sum(accuracy["singles"]) / 2)
    assert 0 < accuracy["p_value_over_best"] <= 1
    for name in ("report.md", "report.html"):
        text = (finished / "output" / name).read_text()
        assert "Ensembles" in text
        assert "copy, ensemble of 2 models" in text


def test_predict_gives_the_stored_predictions_in_a_new_process(finished, tmp_path):
    folder = finished / "output" / "ensembles" / "copy"
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    given = "".join(f"{row['source']}\n" for row in rows)
    command = [sys.executable, "-m", "job", "predict", str(folder)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines() == [row["predicted"] for row in rows]


def test_it_is_computed_again_only_if_a_member_has_changed(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "again")
    spec, output = tmp_path / "again" / "jobs.yaml", tmp_path / "again" / "output"
    assert run_in_process("--spec", spec, "--output-dir", output) == 0
    assert ensemble(output)["reused"]
    spec.write_text(SPEC.replace("ensemble: true", "ensemble: true, decoder: beam"))
    assert run_in_process("--spec", spec, "--output-dir", output) == 0
    assert not ensemble(output)["reused"]
    assert ensemble(output)["fingerprint"] != ensemble(finished / "output")["fingerprint"]


def test_a_merge_of_shards_computes_what_no_shard_could(finished, tmp_path):
    """Each directory has one of the seeds, and the plan of both, as shards leave them."""
    for seed in (1, 2):
        shard = tmp_path / f"shard-{seed}"
        shutil.copytree(
            finished / "output" / "jobs" / f"copy-seed-{seed}", shard / "jobs" / f"copy-seed-{seed}"
        )
        shutil.copy(finished / "output" / "plan.json", shard)
    merged = tmp_path / "merged"
    assert run_in_process("report", tmp_path / "shard-1", tmp_path / "shard-2", "--output-dir", merged) == 0
    files = [root / "ensembles/copy/predictions.jsonl" for root in (finished / "output", merged)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert ensemble(merged)["fingerprint"] == ensemble(finished / "output")["fingerprint"]


def test_without_a_member_there_is_no_ensemble_and_the_report_names_it(finished, tmp_path, capsys):
    output = tmp_path / "output"
    shutil.copytree(finished / "output", output)
    shutil.rmtree(output / "jobs" / "copy-seed-2")
    assert run_in_process("report", output) == 1
    assert (
        "the ensemble of job copy is not computed: its member copy-seed-2 has no result"
        in capsys.readouterr().out
    )
    assert ensemble(output)["status"] == "failed"


def test_an_ensemble_whose_member_was_replaced_does_not_predict(finished, tmp_path, capsys):
    output = tmp_path / "output"
    shutil.copytree(finished / "output", output)
    shutil.rmtree(output / "jobs" / "copy-seed-2")
    shutil.copytree(output / "jobs" / "copy-seed-1", output / "jobs" / "copy-seed-2")
    assert run_in_process("predict", output / "ensembles" / "copy", "--input", finished / "jobs.yaml") == 2
    assert "is not the file that the ensemble was evaluated with" in capsys.readouterr().err


def test_an_ensemble_without_seeds_is_an_error_with_its_place(tmp_path, capsys):
    (tmp_path / "jobs.yaml").write_text(SPEC.replace("    seeds: [1, 2]\n", ""))
    assert run_in_process("validate", "--spec", tmp_path / "jobs.yaml") == 2
    error = capsys.readouterr().err
    assert "jobs.yaml:9: jobs[0].evaluation.ensemble: ensemble needs the models of several seeds" in error
    assert "set ensemble: false" in error


PAIRS = """
version: 1
jobs:
  - name: pairs
    seeds: [1, 2]
    problem:
      kind: text_pairs
      train: {file: pairs.tsv}
      validation: {file: pairs.tsv}
      test: {file: pairs.tsv}
    model: {units: 8}
    training: {epochs: 1, batch_size: 2}
    evaluation: {ensemble: true}
"""


def test_an_ensemble_of_pairs_of_text_is_computed(tmp_path):
    """The recorded spec of such a job has sections that nobody has written, such as `subwords`."""
    (tmp_path / "pairs.tsv").write_text("".join(f"{word}\t{word[::-1]}\n" for word in ("ab", "abc", "cb")))
    (tmp_path / "jobs.yaml").write_text(PAIRS)
    assert run_in_process("--spec", tmp_path / "jobs.yaml", "--output-dir", tmp_path / "output") == 0
    found = ensemble(tmp_path / "output")
    assert (found["name"], found["status"], found["examples"]) == ("pairs", "computed", 3)
