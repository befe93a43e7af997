"""A data file that is replaced while the batch runs: the job fails, and its fingerprint tells no untruth."""

import hashlib
import os

import pytest
from processes import ended, kill, read, start, wait_until

SPEC = """\
version: 1
defaults:
  model: {units: 8}
  training: {examples: all, epochs: 1, batch_size: 8}
jobs:
  - name: words
    problem: {kind: text_pairs, data: {file: words.tsv}, split: {validation: 0.2, test: 0.2}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    (tmp_path / "words.tsv").write_text("".join(f"{word}b\t{word}\n" for word in "acdefghijklmnopqrstuvwxy"))
    return tmp_path


def test_a_file_replaced_before_its_job_starts_fails_the_job_and_the_next_run_trains_on_it(folder):
    path = folder / "words.tsv"
    facts, planned_with = path.stat(), hashlib.sha256(path.read_bytes()).hexdigest()
    process = start("--spec", "jobs.yaml", "--output-dir", "out", cwd=folder)
    try:
        wait_until((folder / "out" / "plan.json").exists, process)
        other = folder / "other.tsv"
        other.write_text(path.read_text().replace("a", "z"))
        os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        os.replace(other, path)
        code, said = ended(process)
    finally:
        kill(process)
    assert code == 1
    assert "changed data" in said
    assert "words.tsv has changed" in said
    failed = read(folder / "out/jobs/words/result.json")
    assert (failed["status"], failed["error"]["type"]) == ("failed", "ChangedDataError")
    assert planned_with[:8] in failed["error"]["message"]

    again = start("--spec", "jobs.yaml", "--output-dir", "out", cwd=folder)
    try:
        code, said = ended(again)
    finally:
        kill(again)
    assert code == 0, said
    result = read(folder / "out/jobs/words/result.json")
    assert result["fingerprint"] != failed["fingerprint"]
    assert result["data"]["files"] == {"words.tsv": hashlib.sha256(path.read_bytes()).hexdigest()}
