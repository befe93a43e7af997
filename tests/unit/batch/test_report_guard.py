"""A run that ends before it can report: what is left in the place of the reports of an earlier run."""

import hashlib
import json
import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from in_process import run_in_process

from job.batch.lock import lock_output
from job.batch.planning import make_plan, write_plan
from job.gating import batch_verdict, gates
from job.process.stopping import Request, Stopped
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Report
from job.results.job_result import Artifact, JobResult
from job.spec.spec_loading import load_spec
from job.storage.artifacts import OutputPaths, prepare_output

GATE = "gate: {min_sequence_accuracy: 0.5}"
SPEC = f"""\
version: 1
jobs:
  - name: fine-a
    problem: {{kind: copy, source_length: 2, cardinality: 6}}
    {GATE}
  - name: fine-b
    problem: {{kind: copy, source_length: 3, cardinality: 6}}
    {GATE}
"""
LAST_NIGHT = datetime.now(timezone.utc) - timedelta(days=1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("SEQ2SEQ_JOB_", "GITHUB_")):
            monkeypatch.delenv(name)
    (tmp_path / "jobs.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def command(here, capsys):
    """Run the command in this process; returns its exit code and standard error."""

    def run(*arguments):
        return run_in_process(*arguments), capsys.readouterr().err

    return run


@pytest.fixture
def green(here):
    """Leave what a green run of last night leaves, whole and by its two shards; returns its paths."""
    output = prepare_output(here / "output")
    plan = make_plan(load_spec(here / "jobs.yaml"), output)
    write_plan(output, plan)
    results = []
    for planned in plan:
        artifacts = (Artifact("history.csv", 2, hashlib.sha256(b"x\n").hexdigest()),)
        planned.paths.directory.mkdir()
        planned.paths.history.write_text("x\n")
        spec = planned.job.model_dump(mode="json")
        result = JobResult(planned.job.name, "passed", planned.fingerprint, 7, spec, artifacts=artifacts)
        result = gates.judge_result(replace(result, metrics={"sequence_accuracy": 0.9}), planned.job.gate)
        planned.paths.result.write_text(result.to_json())
        results.append(result)
    for shard, part in (("", results), ("1-of-2", results[:1]), ("2-of-2", results[1:])):
        leave(replace(output, shard=shard), part, LAST_NIGHT)
    return output


def leave(output, results, moment):
    verdict = batch_verdict.decide([result.name for result in results], results)
    write_reports(output, build_report(results, started_at=moment, finished_at=moment, verdict=verdict))


def read(output):
    return Report.from_json(output.report.read_bytes())


def assert_red(output, code, reason):
    """Every file says that the run ended with this code and why, and nothing of last night is left in it."""
    report = read(output)
    assert (report.exit_code, report.jobs) == (code, ())
    assert reason in "\n".join(report.verdict.reasons)
    assert datetime.fromisoformat(report.finished_at) > LAST_NIGHT + timedelta(hours=20)
    assert output.markdown.read_text("utf-8").startswith(f"# Exit code {code}: ")
    assert f"Exit code {code}: " in output.html.read_text("utf-8")
    assert int(ET.parse(output.junit).getroot().get("errors")) == 1
    lines = output.prometheus.read_text("utf-8").splitlines()
    shard = f'{{shard="{output.shard}"}}' if output.shard else ""
    assert f"seq2seq_job_exit_code{shard} {code}" in lines
    assert not [line for line in lines if 'name="fine-a"' in line]


def assert_untouched(output):
    report = read(output)
    assert (report.exit_code, len(report.jobs) > 0) == (0, True)
    assert datetime.fromisoformat(report.finished_at) < LAST_NIGHT + timedelta(hours=1)


BAD = SPEC.replace("source_length: 2", "source_length: 0")


@pytest.mark.parametrize(
    ("arguments", "spec", "code", "reason"),
    [
        ([], BAD, 2, "jobs.yaml:4: jobs[0].problem.source_length: "),
        ([], "version: [", 2, "jobs.yaml"),
        ([], None, 2, "jobs.yaml"),
        (["--only", "z"], SPEC, 2, "matches no job"),
        (["--workers", "many"], SPEC, 2, "expected a number from 1 to 1024"),
        (["--nope"], SPEC, 2, "No such option: --nope"),
        (["--time-limit", "soon"], SPEC, 2, "--time-limit"),
        (["--baseline", "gone"], SPEC, 4, "baseline gone is not there"),
        (["--update-baseline"], SPEC, 2, "expected --baseline too"),
    ],
)
def test_a_run_that_never_starts_leaves_no_green_report(command, here, green, arguments, spec, code, reason):
    (here / "jobs.yaml").write_text(spec) if spec else (here / "jobs.yaml").unlink()
    assert command("--output-dir", "output", *arguments)[0] == code
    assert_red(green, code, reason)
    assert_untouched(replace(green, shard="1-of-2"))


def test_the_output_directory_may_come_from_the_environment(command, here, green, monkeypatch):
    (here / "output").rename(here / "elsewhere")
    monkeypatch.setenv("SEQ2SEQ_JOB_OUTPUT_DIR", "elsewhere")
    assert command("--nope")[0] == 2
    assert_red(OutputPaths(here / "elsewhere"), 2, "No such option")


@pytest.mark.parametrize("arguments", [["nope"], ["validate"], ["validate", "--nope"], ["plan"], ["--help"]])
def test_other_commands_touch_no_report(command, here, green, arguments):
    (here / "jobs.yaml").write_text(BAD)
    command(*arguments)
    assert_untouched(green)


def test_where_there_is_no_batch_nothing_is_written(command, here):
    (here / "jobs.yaml").write_text(BAD)
    (here / "output").mkdir()
    assert command()[0] == 2
    assert [*(here / "output").iterdir()] == []


@pytest.mark.parametrize("name", ["batch", "shard-1-of-2"])
def test_reports_of_a_batch_that_is_running_are_left_alone(command, here, green, name):
    (here / "jobs.yaml").write_text(BAD)
    with lock_output(green.root, name):
        assert command()[0] == 2
        assert_untouched(green)


def test_a_shard_that_never_starts_turns_its_own_report_and_the_merged_one_red(command, here, green):
    (here / "jobs.yaml").write_text(BAD)
    with lock_output(green.root, "shard-2-of-2"):
        assert command("--shard", "1/2")[0] == 2
    assert_red(replace(green, shard="1-of-2"), 2, "jobs.yaml:4")
    assert_red(green, 2, "shard 1-of-2: jobs.yaml:4")
    assert_untouched(replace(green, shard="2-of-2"))


def test_a_shard_that_does_not_know_which_it_is_turns_the_merged_report_red(command, green):
    assert command("--shard", "3/2")[0] == 2
    assert_red(green, 2, "expected a shard from 1 to 2")
    assert_untouched(replace(green, shard="1-of-2"))


@pytest.mark.parametrize("shard", ["", "1-of-2"])
def test_report_says_that_the_last_run_did_not_start_until_a_run_starts(
    command, here, green, stand_in, shard
):
    whole = replace(green, shard="")
    (here / "jobs.yaml").write_text(BAD)
    command(*(["--shard", "1/2"] if shard else []))
    for _ in range(2):
        assert command("report", "output")[0] == 2
        report = read(whole)
        assert [job.name for job in report.jobs] == ["fine-a", "fine-b"]
        assert "did not start, so the results are of earlier ones: jobs.yaml:4" in report.verdict.reasons[0]
    assert command("compare", "output", "output")[0] == 4
    (here / "jobs.yaml").write_text(SPEC)
    assert command(*(["--shard", "1/2"] if shard else []))[0] == 0
    assert command(*(["--shard", "2/2"] if shard else []))[0] == 0
    assert command("report", "output")[0] == 0
    assert read(whole).unstarted == ()


def test_a_killed_run_differs_from_one_that_did_not_start(command, here, green, monkeypatch):
    from job.cli import run_and_log

    (here / "jobs.yaml").write_text(BAD)
    command()
    (here / "jobs.yaml").write_text(SPEC)

    def killed(*arguments, **options):
        assert not green.report.exists()
        raise SystemExit(137)

    monkeypatch.setattr(run_and_log, "run_batch", killed)
    command()
    assert command("report", "output")[0] == 0


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (OSError(28, "No space left on device", "output/jobs/fine-a"), 1, "No space left on device"),
        (Stopped(Request("SIGTERM", 143)), 143, "stopped by SIGTERM"),
        (ZeroDivisionError("so"), 1, "this is a bug of seq2seq-job: ZeroDivisionError: so"),
    ],
)
def test_a_batch_that_ends_before_its_report_leaves_no_passing_report(
    command, here, green, monkeypatch, error, code, reason
):
    from job.cli import run_and_log

    def run_batch(*arguments, **options):
        raise error

    monkeypatch.setattr(run_and_log, "run_batch", run_batch)
    assert command()[0] == code
    assert_red(green, code, reason)
    assert read(green).unstarted == ()


def test_old_reports_are_removed_if_new_ones_cannot_be_written(command, here, green, monkeypatch):
    (here / "jobs.yaml").write_text(BAD)

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert command()[0] == 2
    assert not [path for path in green.report_files if path.exists()]


def test_a_failed_merge_replaces_the_reports_of_its_directory(command, here, green):
    green.root.rename(here / "shards")
    assert command("report", "shards", "--output-dir", "all")[0] == 0
    path = here / "shards" / "jobs" / "fine-a" / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "fingerprint": "0" * 64}))
    assert command("report", "shards", "--output-dir", "all")[0] == 2
    assert_red(OutputPaths(here / "all"), 2, "is of another spec than plan.json")
    assert_untouched(OutputPaths(here / "shards"))
