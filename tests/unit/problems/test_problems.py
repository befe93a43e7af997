from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

from job import problems
from job.spec.problem_sections import ProblemSpec, recorded_separator


def kinds():
    union, _ = get_args(ProblemSpec)
    return {get_args(member.model_fields["kind"].annotation)[0] for member in get_args(union)}


def test_the_kinds_of_the_spec_are_those_that_can_be_built():
    assert kinds() == set(problems._GENERATED) | set(problems._FROM_FILES)


@pytest.mark.parametrize(
    "section",
    [
        *({"kind": kind, "source_length": 3, "cardinality": 9} for kind in ("reverse", "copy", "sort")),
        {"kind": "reversed_prefix", "source_length": 3, "target_length": 2, "cardinality": 9},
        {"kind": "addition", "digits": 2},
        {"kind": "text_pairs", "target_tokens": "words"},
        {"kind": "text_pairs", "target_tokens": "characters"},
    ],
)
def test_the_target_separators_of_spec_and_problem_agree(section, tmp_path):
    (tmp_path / "f").write_text("a\tb c\n")
    files = {key: {"file": "f"} for key in ("train", "validation", "test")}
    given = {**files, **section} if section["kind"] == "text_pairs" else section
    spec = TypeAdapter(ProblemSpec).validate_python(given)
    problem = problems.build_problem(spec, 7, tmp_path)
    assert spec.target_separator == problem.target_vocabulary.separator == recorded_separator(section)


@pytest.mark.parametrize("path", sorted(Path(problems.__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_no_module_mentions_tensorflow_or_keras(path):
    imports = [line for line in path.read_text().splitlines() if line.lstrip().startswith(("import", "from"))]
    assert not [line for line in imports if "tensorflow" in line or "keras" in line]
