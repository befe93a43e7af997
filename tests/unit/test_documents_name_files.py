"""What CONTRIBUTING.md and docs/ say of the code: every file that they name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_of_the_code_that_is_named_is_there(document):
    text = document.read_text("utf-8")
    named = set(re.findall(r"`((?:job|tests|docker|deploy|benchmarks)/[A-Za-z0-9_./-]*\w)/?`", text))
    assert not {path for path in named if not (ROOT / path).exists()} - {"job/cli/NAME.py"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert not {link for link in links if not (document.parent / link).exists()}
