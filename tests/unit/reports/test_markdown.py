"""`report.md`, read with a Markdown parser: the visible text must be the given text.

The golden file is made anew by `UPDATE_GOLDEN=1 pytest tests/unit/reports`; read its diff before committing.
"""

import re
from dataclasses import replace

import pytest
from pages import NASTY, rendered
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL

from job.reports.content import sorted_jobs
from job.reports.markdown import MAX_BYTES, byte_count, choose_versions, first_lines, markdown
from job.results.data_facts import DataFacts, Separators, TokenCounts
from job.results.ensemble_records import EnsembleMetric, EnsembleResult
from job.results.job_result import Failure
from job.results.predictions import Prediction


def an_ensemble(name):
    metric = EnsembleMetric(
        metric="sequence_accuracy",
        value=0.5,
        singles=(0.5, 0.5),
        mean=0.5,
        best=0.5,
        best_job="a",
        gain_over_mean=-1e-6,
        gain_over_best=0.0,
    )
    return EnsembleResult(name=name, members=("a", "b"), status="computed", metrics=(metric,))


@pytest.mark.parametrize("count", [1, 60, 2000])
def test_ensembles_keep_the_limit_and_what_is_left_out_is_stated(make_report, count):
    ensembles = tuple(an_ensemble(f"ensemble-{i}") for i in range(count))
    text = markdown(replace(make_report(TUTORIAL), ensembles=ensembles), max_bytes=20_000)
    assert byte_count(text) <= 20_000
    shown = sum(line.startswith("| `ensemble-") for line in text.splitlines())
    assert 1 <= shown <= count
    assert (f"{count - shown:,} rows of the ensembles" in text) == (shown < count)
    assert "-0.0001 points" in text


def test_the_report_equals_the_golden_file(mixed, golden):
    golden("report.md", markdown(mixed))


def hostile():
    """Return a job in which every text contains markup."""
    mistake = {"edit_distance": 1, "source": "s", "predicted": "p"}
    return replace(
        BROKEN,
        samples=tuple(Prediction(str(i), text, text, text, True) for i, text in enumerate(NASTY)),
        error=Failure("E", "```\n| x |\n<script>alert(1)</script>", "t.txt"),
        spec={"problem": {"file": "<script>|`"}},
        data=DataFacts(signatures={"chrf": "<i>|`"}, problem={"<i>": "|`<i>"}),
        metrics={"chrf": 1.0},
        also=({"sizes": {"<i>|`": 3}, "examples": 1, "metrics": {"chrf": 1.0}},),
        analysis={
            "by_position": [],
            "by_source_length": [],
            "confusions": [{"target": text, "predicted": text, "count": 1} for text in NASTY],
            "worst_mistakes": [{**mistake, "id": f"<i>{i}|", "target": text} for i, text in enumerate(NASTY)],
        },
    )


def test_a_hostile_job_breaks_no_table(make_report):
    page = rendered(markdown(make_report(hostile())))
    assert not {"script", "i", "b", "em", "img", "a"} & set(page.elements)
    assert page.cells.count("right") == len(NASTY)
    for text in NASTY:
        assert page.cells.count(text) == 4
    assert {f"<i>{i}|" for i in range(len(NASTY))} <= set(page.cells)


def test_the_verdict_comes_first_with_all_reasons(mixed):
    lines = markdown(mixed).splitlines()
    assert lines[0] == "# Exit code 1: at least one job failed"
    assert len([line for line in lines[:8] if line.startswith("- ")]) == len(mixed.verdict.reasons) == 4


def test_every_job_has_a_row_and_every_result_a_section(mixed):
    text = markdown(mixed)
    assert re.findall(r"^## `(.*)`: ", text, re.MULTILINE) == [job.name for job in sorted_jobs(mixed)]
    for name in [*(job.name for job in mixed.jobs), "never-run"]:
        assert f"\n| `{name}` | " in text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"test_examples": 10_000, "seen_in_training": 3, "source_space": 10**9}, "are 1,000,000,000 diff"),
        ({"test_examples": 100, "seen_in_training": 97, "source_space": 121}, "There are only 121 different"),
        ({"test_examples": 100, "seen_in_training": 97, "source_space": None}, "97 of them (97.00 %) also"),
        ({"test_examples": 0, "seen_in_training": 0, "source_space": None}, "Evaluated on 0 test sources"),
    ],
)
def test_the_report_states_how_many_test_sources_occur_in_the_training_data(make_report, data, expected):
    text = markdown(make_report(replace(TUTORIAL, data=DataFacts(**data))))
    assert expected in text
    assert ("different sources" in text) == (data["source_space"] is not None)


def test_the_report_states_the_amount_of_training(make_report):
    assert "\nTrained on 100,000 examples in 1 epoch, 782 steps.\n" in markdown(make_report(TUTORIAL))
    assert (
        "\nTrained on 3,000 examples in 3 epochs, 24 steps, stopped early; "
        "the weights are those of epoch 2.\n"
    ) in markdown(make_report(SHORT))


def test_an_interrupted_job_states_the_cause_and_has_not_failed(make_report):
    stopped = replace(STOPPED, error=Failure("Interrupted", "stopped by SIGTERM; go on"))
    _, section = markdown(make_report(stopped)).split("\n## ")
    assert "Not finished: stopped by SIGTERM; go on." in section
    assert "Failed" not in section


def test_a_resumed_job_states_its_step(make_report):
    def text(step):
        return markdown(make_report(replace(SHORT, data=replace(SHORT.data, resumed_from_step=step))))

    assert " It was interrupted, and resumed from step 1,234." in text(1234)
    assert text(1234).replace(" It was interrupted, and resumed from step 1,234.", "") == text(None)
    assert text(None) == markdown(make_report(SHORT))


def test_a_retried_job_states_the_number_of_attempts(make_report):
    assert "in the last of 2 attempts" in markdown(make_report(replace(BROKEN, attempts=2)))
    assert "attempts" not in markdown(make_report(BROKEN))


def test_other_facts_about_the_data_are_listed_once(make_report):
    assert "\nData: left_out `0`.\n" in markdown(make_report(SHORT))
    assert "\nData: vocabulary `51`.\n" in markdown(make_report(TUTORIAL))


def test_a_description_with_the_names_of_facts_replaces_none(make_report):
    described = {"test_examples": "lots", "signatures": "none", "separators": 5, "unknown_tokens": ["?"]}
    text = markdown(make_report(replace(TUTORIAL, data=replace(TUTORIAL.data, problem=described))))
    assert "Evaluated on 10,000 test sources" in text
    assert "`lots`" in text


def test_the_report_states_unknown_tokens_and_why_a_metric_is_missing(make_report):
    data = replace(
        TUTORIAL.data,
        separators=Separators(source="", target=" "),
        test_tokens=TokenCounts(source=1200, target=90, predicted=80),
        unknown_tokens=TokenCounts(source=3, target=1, predicted=0),
        not_measured={"bleu": "no test example is <long> enough"},
    )
    text = markdown(make_report(replace(TUTORIAL, data=data)))
    counts = "3 of 1,200 source tokens, 1 of 90 reference target tokens, 0 of 80 predicted tokens."
    assert f"Unknown to the vocabulary: {counts}" in text
    assert "No bleu: no test example is <long> enough." in rendered(text).text
    assert "separators" not in text


def test_a_report_without_jobs_has_no_table(make_report):
    text = markdown(make_report())
    assert "no job was run" in text
    assert "|" not in text


# --- cutting ------------------------------------------------------------------------------------------------


def long_jobs(count, status):
    """Return jobs with the longest possible texts."""
    texts = ["|" * 1000, "日`" * 500, "x" * 1000]
    samples = tuple(Prediction(str(i), *texts, False) for i in range(10))
    analysis = {
        "by_position": [{"position": i, "count": 1, "accuracy": 0.5} for i in range(1000)],
        "by_source_length": [{"length": i, "count": 1, "accuracy": 0.5} for i in range(1000)],
        "confusions": [{"target": "|" * 200, "predicted": "`" * 200, "count": 1}] * 20,
        "worst_mistakes": [
            {
                "id": str(i),
                "edit_distance": i,
                "source": "|" * 200,
                "target": "`" * 200,
                "predicted": "日" * 200,
            }
            for i in range(10)
        ],
    }
    base = replace(TUTORIAL, status=status, samples=samples, analysis=analysis)
    return [replace(base, name=f"{status}-{i}") for i in range(count)]


def sections(text):
    """Return the section of each job by name."""
    parts = re.split(r"^## `(.*)`: .*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_a_normal_batch_of_a_hundred_jobs_is_not_cut(make_report):
    text = markdown(make_report(*(replace(TUTORIAL, name=f"job-{i}") for i in range(100))))
    assert byte_count(text) < MAX_BYTES < 2**20
    assert "Cut to fit" not in text
    assert len(sections(text)) == 100


def test_a_hundred_jobs_of_the_longest_texts_are_cut_to_fit(make_report):
    jobs = [*long_jobs(60, "passed"), *long_jobs(40, "gate_failed")]
    text = markdown(make_report(*jobs))
    assert 0.9 * MAX_BYTES < byte_count(text) <= MAX_BYTES
    found = sections(text)
    assert list(found) == [job.name for job in [*jobs[60:], *jobs[:60]]]  # in the order of what matters
    whole = [name for name, section in found.items() if "### Samples" in section]
    # passed jobs are shortened first, and of the others the last
    assert 0 < len(whole) < 40
    assert whole == [f"gate_failed-{i}" for i in range(len(whole))]
    assert f": the samples and analysis of {100 - len(whole)} of the jobs.\n" in text
    for section in found.values():
        assert "| sequence accuracy | 99.997 % |" in section


def test_a_cut_report_has_complete_tables(make_report):
    page = rendered(markdown(make_report(*long_jobs(3, "passed")), max_bytes=30_000))
    assert "Cut to fit" in page.text
    assert set(page.elements) >= {"h1", "h2", "table"}
    assert not re.search(r"^\|", page.text, re.MULTILINE)


def test_an_enormous_batch_is_cut_to_the_first_items_of_each_list(make_report):
    jobs = [replace(BROKEN, name=f"{'long-name' * 9}-{i}") for i in range(3000)]
    text = markdown(make_report(*jobs), max_bytes=50_000)
    assert byte_count(text) <= 50_000
    reasons = re.findall("^- job ", text, re.MULTILINE)
    rows = re.findall(r"^\| `long-name", text, re.MULTILINE)
    assert len(reasons) > 30
    assert len(rows) > 100
    found = sections(text)
    assert (
        f"**Cut to fit.** Left out here, but in `report.json`: {3000 - len(reasons):,} of the reasons, "
        f"{3000 - len(rows):,} of the table's rows, the samples and analysis of {len(found)} of the jobs, "
        f"the sections of {3000 - len(found):,} of the jobs.\n"
    ) in text


def test_the_available_room_is_used(make_report):
    report = make_report(*long_jobs(5, "passed"))
    whole = byte_count(markdown(report, max_bytes=10**9))
    uncut = markdown(report, max_bytes=whole + 2000)
    assert "Cut to fit" not in uncut
    assert ": the samples and analysis of 1 of the jobs.\n" in markdown(report, max_bytes=whole - 1)


# --- cutting a text to a size -------------------------------------------------------------------------------


def test_the_size_is_that_of_the_file():
    assert byte_count("aé日\ud800") == 1 + 2 + 3 + 1


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (0, ([], 3)),
        (3, ([], 3)),
        (4, (["abc"], 2)),
        (6, (["abc"], 2)),
        (7, (["abc", "é"], 1)),
        (9, (["abc", "é", "d"], 0)),
    ],
)
def test_the_first_lines_that_fit_with_their_line_ends(room, expected):
    assert first_lines(["abc", "é", "d"], room) == expected


VERSIONS = [["aaaa", "aa", ""], ["bbbb", "b", ""], ["cccc", "ccc", ""]]


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (12, [0, 0, 0]),
        (11, [0, 0, 1]),
        (10, [1, 0, 1]),
        (9, [1, 0, 1]),
        (8, [1, 1, 1]),
        (6, [1, 1, 1]),
        (5, [1, 1, 2]),
        (1, [2, 1, 2]),
        (0, [2, 2, 2]),
        (-1, [2, 2, 2]),
    ],
)
def test_all_sections_are_shortened_in_order_before_one_is_left_out(room, expected):
    assert choose_versions(VERSIONS, [2, 0, 1], room) == expected


def test_no_sections():
    assert choose_versions([], [], 0) == []
