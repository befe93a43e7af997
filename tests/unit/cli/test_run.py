"""What a run hands to the batch, which is tested in `tests/unit/batch`."""

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from command_options import SPEC

from job.batch.lock import lock_output
from job.batch.progress import Log
from job.process import installed_versions
from job.reports.report_files import build_report
from job.results.batch_report import Verdict
from job.storage.file_names import short_job_name
from job.workers import limits as resources


@pytest.fixture
def batch(monkeypatch):
    """A batch that does nothing; keeps what it was given, and ends as it is told."""
    from job.cli import run_and_log

    given = {"exit_code": 0, "reasons": ()}

    def run_batch(plan, output, directory, log, options):
        given.update(names=[planned.job.name for planned in plan], output=output.root, log=log)
        given.update(vars(options))
        given["directory"] = directory
        now = datetime.now(timezone.utc)
        verdict = Verdict(given["exit_code"], given["reasons"])
        return build_report([], started_at=now, finished_at=now, verdict=verdict, missing=given["names"])

    monkeypatch.setattr(run_and_log, "run_batch", run_batch)
    return given


def test_by_default_all_jobs_run_with_as_many_workers_as_fit(command, batch, monkeypatch):
    limits = resources.Limits(cores=8, cpu_quota=3.5, memory_bytes=1 << 40)
    monkeypatch.setattr(resources, "read_limits", lambda: limits)
    command()
    cores = 3
    assert (batch["gpus"], batch["stop"].request) == ((), None)
    assert batch["names"] == ["tiny", "sums-digits-1", "sums-digits-2"]
    assert batch["output"] == Path("output")
    assert (batch["workers"], batch["fresh"], batch["fail_fast"]) == (cores, False, False)
    assert type(batch["log"]) is Log


def test_each_gpu_has_a_worker(command, batch, monkeypatch):
    limits = resources.Limits(cores=8, cpu_quota=None, memory_bytes=None, gpus=("0", "1"))
    monkeypatch.setattr(resources, "read_limits", lambda: limits)
    command()
    assert (batch["workers"], batch["gpus"]) == (2, ("0", "1"))


def test_a_model_on_all_gpus_has_one_worker_that_sees_them_all(command, batch, here, monkeypatch):
    limits = resources.Limits(cores=8, cpu_quota=None, memory_bytes=None, gpus=("0", "1"))
    monkeypatch.setattr(resources, "read_limits", lambda: limits)
    mirrored = "cardinality: 6}\n    training: {distribution: mirrored}\n"
    (here / "jobs.yaml").write_text(SPEC.replace("cardinality: 6}\n", mirrored))
    command()
    assert (batch["workers"], batch["gpus"], batch["first_worker"]) == (1, ("0,1",), None)
    command("--only", "sums-*")  # none of which asks for it
    assert (batch["workers"], batch["gpus"]) == (2, ("0", "1"))
    assert batch["first_worker"] is not None


def test_the_time_limit_reaches_the_batch(command, batch):
    command("--time-limit", "1e-9")
    assert batch["stop"].request.cause == "the time limit"


def test_a_second_batch_in_one_directory_is_refused(command, batch, here):
    directory = here / "output"
    directory.mkdir()
    with lock_output(directory):
        code, _, err = command()
    assert code == 2
    assert err.startswith("error: output directory output is in use by another batch (process ")
    assert "names" not in batch
    assert {path.name for path in directory.iterdir()} <= {"jobs"}
    command()
    assert not (directory / ".lock").exists()


def test_shards_of_one_output_directory_run_at_once(command, batch, here):
    (here / "output").mkdir()
    with lock_output(here / "output", "shard-1-of-3"):
        assert command("--shard", "2/3")[0] == 0
        assert command("--shard", "1/3")[0] == 2
        assert command()[0] == 2


def test_options_reach_the_batch(command, batch, here):
    (here / "specs").mkdir()
    (here / "jobs.yaml").rename(here / "specs" / "s.yaml")
    command(
        "--spec",
        "specs/s.yaml",
        "--output-dir",
        "out",
        "--workers",
        "3",
        "--fresh",
        "--fail-fast",
        "--tensorboard",
    )
    assert batch["output"] == Path("out")
    assert batch["directory"] == Path("specs")
    assert (batch["workers"], batch["fresh"], batch["fail_fast"]) == (3, True, True)
    assert batch["tensorboard"] is True


def test_variables_reach_the_batch_and_options_win(command, batch, here, monkeypatch):
    (here / "jobs.yaml").rename(here / "s.yaml")
    for name, value in {
        "SPEC": "s.yaml",
        "OUTPUT_DIR": "out",
        "WORKERS": "3",
        "FRESH": "1",
        "FAIL_FAST": "true",
        "ONLY": "tiny *-2",
    }.items():
        monkeypatch.setenv(f"SEQ2SEQ_JOB_{name}", value)
    command("--workers", "5", "--no-fail-fast")
    assert batch["output"] == Path("out")
    assert (batch["workers"], batch["fresh"], batch["fail_fast"]) == (5, True, False)
    assert batch["names"] == ["tiny", "sums-digits-2"]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["sums-*"], ["sums-digits-1", "sums-digits-2"]),
        (["*-2", "tiny"], ["tiny", "sums-digits-2"]),
        (["t?ny"], ["tiny"]),
        (["sums-digits-[1]"], ["sums-digits-1"]),
        (["*"], ["tiny", "sums-digits-1", "sums-digits-2"]),
    ],
)
def test_only_takes_jobs_by_name_in_the_specs_order(command, batch, only, names):
    command(*[argument for pattern in only for argument in ("--only", pattern)])
    assert batch["names"] == names


def test_only_takes_the_whole_name_of_a_job_whose_name_was_shortened(command, batch, here):
    long = "tiny" * 26
    (here / "jobs.yaml").write_text(SPEC.replace("name: tiny", f"name: {long}"))
    command("--only", long)
    assert batch["names"] == [short_job_name(long)]


def test_the_plan_file_holds_every_job_whatever_only_says(command, batch, here):
    command("--only", "tiny")
    jobs = json.loads((here / "output" / "plan.json").read_text())["jobs"]
    assert [entry["name"] for entry in jobs] == ["tiny", "sums-digits-1", "sums-digits-2"]


@pytest.mark.parametrize("exit_code", [0, 1, 3, 129, 130, 143])
def test_the_batchs_exit_code_is_the_commands(command, batch, exit_code):
    batch["exit_code"] = exit_code
    code, out, _ = command()
    assert code == exit_code
    assert out.endswith(f"reports: {Path('output') / 'report.html'}\n")


def test_results_go_to_standard_output_and_progress_to_standard_error(command, batch, monkeypatch):
    from job.cli import run_and_log

    quiet = run_and_log.run_batch

    def talking(plan, output, directory, log, options):
        log.started("tiny")
        return quiet(plan, output, directory, log, options)

    monkeypatch.setattr(run_and_log, "run_batch", talking)
    _, out, err = command("--log-format", "json")
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["started"]
    assert "started" not in out
    assert "Exit code 0" in out
    _, _, err = command()
    assert err.endswith(" tiny: started\n")


def test_github_actions_are_told_what_went_wrong(command, batch, here, monkeypatch):
    batch |= {"exit_code": 3, "reasons": ("because",)}
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary.md"))
    _, out, _ = command()
    assert out.splitlines()[-1].endswith("::because")
    assert (here / "summary.md").read_text().startswith("# Exit code 3")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "nowhere" / "summary.md"))
    code, _, err = command()
    assert code == 3
    assert f"warning: {here / 'nowhere' / 'summary.md'}: No such file or directory; the step has no" in err


def test_a_bad_spec_writes_nothing(command, here):
    (here / "jobs.yaml").write_text("version: 2\njobs: []\n")
    code, _, err = command("--output-dir", "out")
    assert code == 2
    assert all(line.startswith("error: jobs.yaml:") for line in err.splitlines())
    assert not (here / "out").exists()


def test_without_tensorflow_nothing_is_written(command, here, monkeypatch):
    monkeypatch.setattr(installed_versions, "installed", lambda package: None)
    code, _, err = command("--output-dir", "out")
    assert code == 2
    assert err == 'error: tensorflow is not installed; run: pip install --upgrade "tensorflow>=2.20"\n'
    assert not (here / "out").exists()
