"""docs/choosing-a-model.md, followed with less training: its spec and its commands, exactly as written."""

import json
import re
from pathlib import Path

import pytest
import yaml
from in_process import run_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "choosing-a-model.md").read_text("utf-8")
SPEC, *_ = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()
]
NAMES = {"sums-small", "sums-wide", "sums-attention"}


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The directory after all commands of the page, and what each of them printed."""
    directory = tmp_path_factory.mktemp("choosing")
    spec = yaml.safe_load(SPEC)
    spec["defaults"] = {
        "training": {"examples": 200, "epochs": 1},
        "evaluation": {"examples": 60, "validation_examples": 60},
    }
    (directory / "variants.yaml").write_text(yaml.safe_dump(spec), "utf-8")
    printed = {}
    for line in COMMANDS:
        program, *arguments = line.split()
        assert program == "seq2seq-job"
        # one worker, which imports TensorFlow once; other commands have no such option
        done = run_in(directory, *arguments, *(["--workers", 1] if arguments[0] == "--spec" else []))
        # models of so little training may differ by more than chance
        assert done.code in ((0, 3) if arguments[0] == "compare" else (0,)), done.err
        printed[line] = done.out
    return directory / "variants", printed


def test_the_page_has_the_commands_of_each_step():
    assert [line.split()[1] for line in COMMANDS] == [
        "--spec",
        "report",
        "rank",
        "rank",
        "report",
        "compare",
    ]


def test_the_test_is_hidden_until_the_choice_is_made(followed):
    _, printed = followed
    hidden, shown = (printed[line] for line in COMMANDS if line.startswith("seq2seq-job report"))
    assert "the test is hidden" in hidden
    assert "the test is hidden" not in shown
    results = [json.loads(path.read_text()) for path in followed[0].glob("jobs/*/result.json")]
    assert {result["name"] for result in results} == NAMES
    assert {result["validation"]["examples"] for result in results} == {60}


def test_the_variants_are_ranked_on_the_same_examples(followed):
    _, printed = followed
    rows = [line for line in printed["seq2seq-job rank variants"].splitlines() if line.split()[:1]]
    assert {row.split()[0] for row in rows} >= NAMES
    table = printed["seq2seq-job rank variants --by validation.edit_rate --format md"]
    ranked = [line for line in table.splitlines() if line.startswith("| `sums-")]
    assert len(ranked) == 3
    assert not any("unpaired" in row or "not comparable" in row for row in ranked)


def test_two_of_them_are_compared_on_the_test(followed):
    _, printed = followed
    text = printed["seq2seq-job compare variants --jobs sums-small,sums-attention"]
    assert "Against the baseline variants, job sums-small of" in text
    assert "sums-attention" in text
