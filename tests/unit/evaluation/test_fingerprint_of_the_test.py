"""A plan and an evaluation agree on the fingerprint of a test, before and after the job is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from job.evaluation.forecast_evaluation import forecast_predictions
from job.evaluation.token_counts import token_facts
from job.evaluation.token_predictions import token_predictions
from job.problems import build_problem
from job.problems.base import Problem
from job.problems.example_texts import example_texts, target_separator
from job.results.data_facts import DataFacts
from job.results.scored_examples import fingerprint_examples, fingerprint_predictions
from job.spec.problem_sections import AdditionSpec, CopySpec, ProblemSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec
from job.spec.time_series_section import TimeSeriesSpec

TEST = "ab\tx y\nab\tz\nqq\tnew words\n"


def planned(problem: Problem, count: int = 1000) -> str:
    texts = example_texts(problem, problem.examples("test", count))
    return fingerprint_examples(texts, target_separator(problem))


def evaluated(problem: Problem, count: int = 1000) -> str:
    test = problem.examples("test", count)
    if problem.target_kind == "numbers":
        predictions = forecast_predictions(problem.series, test, np.nan_to_num(test.future))
        return fingerprint_predictions(predictions, DataFacts())
    facts = token_facts(problem, test, test.target)
    predictions = token_predictions(problem, test, test.target)
    return fingerprint_predictions(predictions, DataFacts(separators=facts.separators))


def text(directory: Path, train: str, test: str = TEST, **fields) -> Problem:
    groups = {}
    for side, content in (("train", train), ("validation", "a\tx\n"), ("test", test)):
        (directory / f"{side}.tsv").write_text(content, "utf-8")
        groups[side] = PairFiles(file=f"{side}.tsv")
    spec = TextPairsSpec(kind="text_pairs", target_tokens="words", **groups, **fields)
    return build_problem(spec, 7, directory)


def series(directory: Path, rows: int) -> Problem:
    numbers = [f"{i % 7}.25" for i in range(40)][-rows:]
    (directory / "s.csv").write_text("y\n" + "\n".join(numbers) + "\n")
    spec = TimeSeriesSpec(
        kind="time_series", file="s.csv", column="y", source_length=3, target_length=2, test=5
    )
    return build_problem(spec, 7, directory)


@pytest.mark.parametrize(
    "spec",
    [CopySpec(kind="copy", source_length=3, cardinality=9), AdditionSpec(kind="addition", digits=2)],
)
def test_generated(tmp_path: Path, spec: ProblemSpec) -> None:
    problem = build_problem(spec, 7, tmp_path)
    assert planned(problem, 50) == evaluated(problem, 50)
    assert planned(problem, 50) != planned(build_problem(spec, 8, tmp_path), 50)


def test_text_whatever_the_training_side_and_its_vocabulary(tmp_path: Path) -> None:
    one = text(tmp_path, "ab\tx y z\ncd\tx\n")
    other = text(tmp_path, "ab\tx\nqq\tnew words and more\nzz\tz\n")
    assert len({planned(one), evaluated(one), planned(other), evaluated(other)}) == 1
    assert planned(text(tmp_path, "ab\tx\n", TEST + "more\tx\n")) != planned(one)
    assert planned(text(tmp_path, "ab\tx\n", source_tokens="words", max_length=1)) != planned(one)


def test_numbers_whatever_the_training_rows(tmp_path: Path) -> None:
    long, short = series(tmp_path, 40), series(tmp_path, 30)
    assert planned(long) == evaluated(long) == planned(short) == evaluated(short)
