"""The reference pages of docs/ are those that the code gives."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("name", ["spec-reference.md", "cli-reference.md"])
def test_a_page_is_up_to_date(pages, name):
    assert (DOCS / name).read_text("utf-8") == pages[name], "run `make docs`"


def test_the_pages_have_every_key_and_command(pages):
    assert "| `min_sequence_accuracy` |" in pages["spec-reference.md"]
    assert (
        "| `learning_rate` | number, above 0 to 10 | `0.008` | Peak learning rate. |"
        in pages["spec-reference.md"]
    )
    assert "## seq2seq-job rank" in pages["cli-reference.md"]
    assert (
        "| `--spec` PATH | `SEQ2SEQ_JOB_SPEC` | The spec file. Default: `jobs.yaml`. |"
        in pages["cli-reference.md"]
    )
