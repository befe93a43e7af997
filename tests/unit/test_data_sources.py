"""Every data file of the repository is named with its source and licence in examples/README.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUFFIXES = (".csv", ".tsv", ".gz", ".zip", ".npz", ".parquet", ".jsonl")
FOLDERS = ("benchmarks", "deploy", "docs", "examples", "job", "tests")
PAGE = (ROOT / "examples" / "README.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.partition("## Where the data come from")[2].splitlines()
    if line.startswith("| `")
]


def data_files():
    """Return the data files of the repository, without results of benchmarks and what users put there."""
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in SUFFIXES and not name.startswith(("benchmarks/results/", "examples/data/")):
                yield name


def test_every_data_file_has_a_source_and_a_licence():
    named = {name for row in ROWS for name in re.findall(r"`((?:examples|tests|job|docs)/[^`]+)`", row[0])}
    assert named == set(data_files())
    assert all(len(row) == 3 and all(row) for row in ROWS)


def test_packages_that_specs_read_have_one_too():
    specs = [ROOT / "jobs.yaml", *(ROOT / "examples").glob("*.yaml")]
    used = {name for path in specs for name in re.findall(r"package:(\w+)/", path.read_text("utf-8"))}
    assert used
    assert used == {name for row in ROWS for name in re.findall(r"`package:(\w+)`", row[0])}
