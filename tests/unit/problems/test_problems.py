from pathlib import Path
from typing import get_args

import pytest

from job import problems
from job.spec.schema import ProblemSpec


def kinds():
    union, _ = get_args(ProblemSpec)
    return {get_args(member.model_fields["kind"].annotation)[0] for member in get_args(union)}


def test_every_kind_of_the_spec_can_be_built_and_no_other():
    assert kinds() == set(problems._GENERATED) | set(problems._FROM_FILES)


@pytest.mark.parametrize("path", sorted(Path(problems.__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_no_module_names_tensorflow_or_keras(path):
    imports = [line for line in path.read_text().splitlines() if line.lstrip().startswith(("import", "from"))]
    assert not [line for line in imports if "tensorflow" in line or "keras" in line]
