"""`seq2seq-job rank` in this process: what it prints, and the code that it leaves with."""

import errno
import json

import pytest
from in_process import run_in_process
from recording import a_job, leave, right_and_wrong, validated

from job.cli import terminal_output
from job.results.data_facts import DataFacts
from job.results.job_result import Failure
from job.results.validation_result import ValidationResult

WRONG = {"small": range(60), "wide": range(20), "deep": range(4, 25)}
"""Job -> numbers of the 200 validation examples that it gets wrong; in the test it is the other way round."""


@pytest.fixture
def rank(tmp_path, monkeypatch, capsys):
    """Leave a batch of three variants and others without metrics; run `rank` over it."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    tests = {name: right_and_wrong(200, range(60, 60 + 100 - len(wrong))) for name, wrong in WRONG.items()}
    sides = {name: right_and_wrong(200, wrong, offset=1000) for name, wrong in WRONG.items()}
    jobs = [
        (
            a_job(
                name,
                tests[name],
                validation=validated(sides[name], edit_rate=0.5),
                timings={"train_seconds": 9},
            ),
            tests[name],
        )
        for name in WRONG
    ]
    older = right_and_wrong(9, [])
    jobs.append((a_job("older", older), older))
    none = ValidationResult(reason="problem.validation is 0")
    jobs.append(
        (a_job("series", validation=none, data=DataFacts(not_measured={"bleu": "it is short"})), None)
    )
    jobs.append((a_job("broken", status="failed", error=Failure("E", "no")), None))
    plan = [*WRONG, "older", "series", "broken", "waiting"]
    leave(tmp_path / "output", jobs, plan=plan, missing=["waiting"], validation=sides)

    def run(*options, output="output"):
        return run_in_process("rank", output, *options), *capsys.readouterr()

    return run


def test_jobs_are_ordered_by_validation_and_ties_with_the_best_are_marked(rank):
    code, out, err = rank("--format", "json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert (record["metric"], record["direction"]) == ("validation.sequence_accuracy", "higher")
    assert [job["name"] for job in record["jobs"]] == ["wide", "deep", "small"]
    assert [job["value"] for job in record["jobs"]] == [0.9, 0.895, 0.7]
    assert [job["tied_with_best"] for job in record["jobs"]] == [True, True, False]
    assert [job["comparison"] for job in record["jobs"]] == ["best", "paired", "paired"]
    assert {job["examples"] for job in record["jobs"]} == {200}
    assert all(job["interval"][0] < job["value"] < job["interval"][1] for job in record["jobs"])
    assert {job["name"]: job["reason"] for job in record["left_out"]} == {
        "older": "its validation examples were not decoded; run the batch again with --fresh",
        "series": "problem.validation is 0",
        "broken": "it is failed",
        "waiting": "it has no result yet",
    }


def test_a_name_alone_is_the_metric_of_the_test(rank):
    _, out, _ = rank("--by", "sequence_accuracy", "--format", "json")
    record = json.loads(out)
    assert record["metric"] == "sequence_accuracy"
    assert [job["name"] for job in record["jobs"]] == ["older", "small", "deep", "wide"]
    assert record["jobs"][1]["comparison"] == "unpaired"


def test_times_are_ranked_without_a_test(rank):
    _, out, _ = rank("--by", "train_seconds", "--format", "json")
    jobs = json.loads(out)["jobs"]
    assert [(job["examples"], job["interval"]) for job in jobs] == [(None, None)] * 3
    assert [job["tied_with_best"] for job in jobs] == [True, None, None]


def test_as_text_it_is_a_table_with_what_was_left_out(rank):
    code, out, _ = rank("--by", "validation.sequence_accuracy")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    titles = [word for row in rows[:3] for word in row]
    assert {"job", "validation", "sequence", "accuracy", "examples"} <= {*titles}
    rows = rows[4:]
    assert " ".join(rows[0]) == "wide 90.00 % 85.06 % to 93.43 % 200 best"
    assert rows[1][-4:] == ["cannot", "be", "told", "apart"]
    assert rows[2][-1] == "worse"
    assert "  - series: not ranked: problem.validation is 0" in out
    assert "paired bootstrap" in out
    assert max(map(len, out[: out.index("  - ")].splitlines())) <= 80


def test_as_markdown_it_is_a_table(rank):
    _, out, _ = rank("--format", "md")
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| `wide` | 90.00 % |")
    assert "- broken: not ranked: it is failed" in out


@pytest.mark.parametrize("by", ["validation.accuracy", "accuracy", "validation.train_seconds", "validation."])
def test_an_unknown_metric_is_exit_code_2_and_the_known_ones(rank, by):
    code, out, err = rank("--by", by)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: --by: there is no metric {by!r}; expected one of sequence_accuracy, ")
    assert len(err.splitlines()) == 1


def test_a_metric_that_no_job_has_is_exit_code_2_and_the_reasons(rank):
    code, _, err = rank("--by", "bleu")
    assert code == 2
    assert err.startswith(
        "error: no job of output has bleu: a job of copy has no bleu; it is short; it is failed"
    )


@pytest.mark.parametrize("output", ["gone", "."])
def test_a_directory_without_a_batch_is_exit_code_2(rank, output):
    code, out, err = rank(output=output)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {output} holds no batch")


def test_a_job_with_a_changed_file_is_left_out_by_name(rank, tmp_path):
    path = tmp_path / "output/jobs/wide/validation_predictions.jsonl"
    path.write_text(path.read_text() + "\n")
    _, out, _ = rank("--format", "json")
    record = json.loads(out)
    assert [job["name"] for job in record["jobs"]] == ["deep", "small"]
    reason = next(job["reason"] for job in record["left_out"] if job["name"] == "wide")
    assert "validation_predictions.jsonl has changed since it was recorded" in reason


def test_output_that_is_not_complete_is_no_success(rank, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(terminal_output, "output_error", lambda: full)
    code, _, err = rank("--format", "json")
    assert code == 1
    assert "standard output: No space left on device" in err
