"""`seq2seq-job compare` in this process: what it prints, and the code that it leaves with."""

import errno
import json
from dataclasses import replace

import pytest
from in_process import run_in_process
from recording import a_job, leave, right_and_wrong

from job.cli import terminal_output
from job.results.data_facts import DataFacts, Separators
from job.results.scored_examples import fingerprint_predictions


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Leave two batches of jobs `a` and `b`, compare them; returns exit code, standard output and error."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*options, wrong, gone="gone", **fields):
        before, now = right_and_wrong(1000, range(10)), right_and_wrong(1000, wrong)
        leave(tmp_path / "before", [(a_job("a", before), before), (a_job(gone, before), before)])
        leave(tmp_path / "now", [(a_job("a", now, **fields), now), (a_job("b", now), now)])
        return run_in_process("compare", "before", "now", *options), *capsys.readouterr()

    return run


def test_a_regression_is_exit_code_3_and_a_sentence(compare):
    code, out, err = compare(wrong=range(9, 40))
    assert code == 3
    assert err.startswith(
        "job a is worse than its baseline: sequence_accuracy was 0.99 and is 0.969 (exact McNem"
    )
    row = next(line for line in out.splitlines() if line.startswith("a "))
    assert row.split()[:7] == ["a", "regression", "sequence", "accuracy", "(%)", "99.00", "96.90"]
    assert "  - a: exact McNemar on sequence accuracy: 30 right before and wrong now, 9 the other way" in out
    assert "  - b: the baseline does not have this job" in out
    assert "  - gone: only the baseline has this job" in out
    assert max(map(len, out[: out.index("  - ")].splitlines())) <= 80


def test_no_change_is_exit_code_0_and_nothing_on_standard_error(compare):
    code, out, err = compare(wrong=range(10))
    assert (code, err) == (0, "")
    assert "unchanged" in out


def test_what_cannot_be_compared_is_exit_code_4(compare):
    code, out, err = compare(wrong=range(10), problem_fingerprint="q" * 64)
    assert code == 4
    assert err.startswith("job a cannot be compared: the baseline is of another problem: the content of its ")
    assert "not comparable" in out


def test_as_json_it_is_the_report_s_own_record(compare):
    code, out, _ = compare("--format", "json", wrong=range(9, 40))
    assert code == 3
    record = json.loads(out)
    assert [job["verdict"] for job in record["jobs"]] == ["regression", "new", "removed"]
    assert record["baseline"] == "before"
    assert record["jobs"][0]["lost_count"] == 30


@pytest.mark.parametrize(
    ("form", "wrong", "expected"), [("json", range(10), 1), ("md", range(9, 40), 3), ("text", range(10), 0)]
)
def test_incomplete_output_is_no_success(compare, monkeypatch, form, wrong, expected):
    """Unless the verdict's exit code says more; text is beside the exit code."""
    monkeypatch.setattr(
        terminal_output, "output_error", lambda: OSError(errno.ENOSPC, "No space left on device")
    )
    code, _, err = compare("--format", form, wrong=wrong)
    assert code == expected
    said = "error: standard output: No space left on device; the output is incomplete" in err
    assert said == (expected == 1)


def test_as_markdown_it_is_a_table(compare):
    _, out, _ = compare("--format", "md", wrong=range(9, 40), gone="gone")
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| `a` | **regression** | sequence accuracy (%) | 99.00 | 96.90 | -2.10 | ")
    assert "- a: exact McNemar on sequence accuracy: 30 right before" in out


def test_another_format_is_refused(compare):
    code, _, err = compare("--format", "html", wrong=[])
    assert code == 2
    assert "expected one of text, md, json" in err


@pytest.mark.parametrize(("arguments", "code"), [(["gone", "now"], 4), (["now", "gone"], 2)])
def test_a_batch_that_is_not_there(compare, capsys, arguments, code):
    compare(wrong=[])
    assert run_in_process("compare", *arguments) == code
    assert "gone is not there; expected a report.json or an output directory" in capsys.readouterr().err


# --- two jobs of one batch ----------------------------------------------------------------------------------


@pytest.fixture
def variants(tmp_path, monkeypatch, capsys):
    """Leave a batch of variants that get some of the same 1,000 test examples wrong; compare two of them."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    wrong = {"small": range(60), "wide": range(10), "alike": range(1, 12)}
    sides = {name: right_and_wrong(1000, numbers) for name, numbers in wrong.items()}
    sides["other"] = right_and_wrong(1000, [], offset=5000)
    jobs = [
        (a_job(name, side, problem_fingerprint=name[0] * 64, data=facts(side)), side)
        for name, side in sides.items()
    ]
    leave(tmp_path / "output", [(with_examples(*job), job[1]) for job in jobs], plan=sides)

    def run(*options):
        return run_in_process("compare", "output", *options), *capsys.readouterr()

    return run


def facts(predictions):
    return DataFacts(test_examples=len(predictions), separators=Separators(source=" ", target=" "))


def with_examples(result, predictions):
    return replace(result, test_fingerprint=fingerprint_predictions(predictions, result.data))


def test_a_worse_variant_is_exit_code_3_and_the_first_is_the_baseline(variants):
    code, out, err = variants("--jobs", "wide,small", "--format", "json")
    record = json.loads(out)
    assert code == 3
    assert err.startswith(
        "job small is worse than its baseline: sequence_accuracy was 0.99 and is 0.94 (exact"
    )
    assert record["baseline"] == "output, job wide"
    (job,) = record["jobs"]
    assert (job["name"], job["verdict"], job["lost_count"], job["won_count"]) == (
        "small",
        "regression",
        50,
        0,
    )
    assert job["metrics"][0]["paired"]


@pytest.mark.parametrize(
    ("jobs", "verdict"),
    [("small, wide", "improvement"), ("wide,alike", "unchanged"), ("alike,wide", "unchanged")],
)
def test_a_variant_that_is_not_worse_is_exit_code_0(variants, jobs, verdict):
    code, out, err = variants("--jobs", jobs)
    assert (code, err) == (0, "")
    assert f"Against the baseline output, job {jobs.split(',')[0]} of " in out
    assert verdict in out


def test_variants_of_other_test_examples_cannot_be_compared(variants):
    code, _, err = variants("--jobs", "wide,other")
    assert code == 4
    assert err.startswith("job other cannot be compared: its test examples are not those of the baseline")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "wide"], "--jobs: expected the names of two jobs as BASELINE,CANDIDATE, found 'wide'"),
        (["--jobs", "wide,wide"], "--jobs: expected the names of two jobs"),
        (
            ["--jobs", "wide,gone"],
            "--jobs: output has no result of a job 'gone'; its jobs: small, wide, alike, oth",
        ),
        (["output", "--jobs", "wide,small"], "expected BASELINE CANDIDATE, or one batch and --jobs A,B"),
        ([], "expected BASELINE CANDIDATE, or one batch and --jobs A,B"),
    ],
)
def test_what_is_not_two_jobs_of_a_batch_is_exit_code_2(variants, options, message):
    code, out, err = variants(*options)
    assert (code, out) == (2, "")
    assert message in err


def test_a_batch_of_variants_that_is_not_there_is_exit_code_2(variants, capsys):
    assert run_in_process("compare", "gone", "--jobs", "a,b") == 2
    assert "gone is not there" in capsys.readouterr().err


def test_a_variant_with_changed_predictions_is_exit_code_1(variants, tmp_path):
    path = tmp_path / "output/jobs/wide/predictions.jsonl"
    path.write_text(path.read_text() + "\n")
    code, _, err = variants("--jobs", "wide,small")
    assert code == 1
    assert "job wide: " in err
