"""Complaints about models that a job cannot start from, each with its line."""

import pytest

from job.errors import SpecError
from job.spec.equal_trainings import root_names
from job.spec.spec_loading import load_spec

WRONG = {
    "unknown": ("start_from: nobody", "neither another job of this spec"),
    "itself": ("start_from: b", "start from one another: b, b"),
    "a circle": ("start_from: a", "start from one another: b, a, b"),
    "an address": ("start_from: http://bucket/model", "is an address"),
    "nothing to freeze": ("freeze: [encoder]", "freeze needs start_from"),
    "a part twice": ("start_from: a, freeze: [output, output]", "name each part once"),
    "a part that is not there": (
        "start_from: a, freeze: [embeddings]",
        "freeze has no effect on embeddings, which this model does not have",
    ),
    "every part": ("start_from: a, freeze: [decoder, output, encoder]", "freeze leaves nothing to train"),
    "other units": ("start_from: c", "model.units 8 -> 4"),
    "numbers": ("start_from: d", "a problem of another kind"),
}


@pytest.mark.parametrize(("key", "message"), WRONG.values(), ids=WRONG)
def test_a_start_that_cannot_be_is_a_complaint_with_its_line(key, message, tmp_path):
    circle = "start_from: b" if key == "start_from: a" else ""
    (tmp_path / "jobs.yaml").write_text(
        f"""\
version: 1
defaults: {{model: {{units: 4}}}}
jobs:
  - name: a
    problem: {{kind: copy, source_length: 2, cardinality: 6}}
    training: {{{circle}}}
  - name: b
    problem: {{kind: copy, source_length: 2, cardinality: 6}}
    training: {{{key}}}
  - name: c
    problem: {{kind: copy, source_length: 2, cardinality: 6}}
    model: {{units: 8}}
  - name: d
    problem: {{kind: time_series, file: series.csv, column: x, source_length: 4, target_length: 1, test: 9}}
    training: {{examples: all}}
"""
    )
    with pytest.raises(SpecError) as raised:
        load_spec(tmp_path / "jobs.yaml")
    (complaint,) = [found for found in raised.value.complaints if found.line == 9]
    assert complaint.key.startswith("jobs[1].training")
    assert message in complaint.message


def test_jobs_that_start_from_one_another_have_one_root(tmp_path):
    (tmp_path / "jobs.yaml").write_text(
        """\
version: 1
defaults: {problem: {kind: copy, source_length: 2, cardinality: 6}}
jobs:
  - {name: third, training: {start_from: second-seed-2}}
  - {name: second, seeds: [1, 2], training: {start_from: first}}
  - {name: first, seeds: [1, 2]}
  - {name: other}
"""
    )
    assert root_names(load_spec(tmp_path / "jobs.yaml").jobs) == {
        "third": "first-seed-2",
        "second-seed-1": "first-seed-1",
        "second-seed-2": "first-seed-2",
        "first-seed-1": "first-seed-1",
        "first-seed-2": "first-seed-2",
        "other": "other",
    }
