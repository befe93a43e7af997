"""What differs between two results of a job besides their metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest
from recording import MACHINE, a_job

from job.gating.differences import changed_settings
from job.results.comparison_records import ChangedSetting
from job.results.data_facts import DataFacts
from job.spec.schema import JobSpec

PROBLEM = {"kind": "copy", "source_length": 3, "cardinality": 9}


def spec(**sections):
    job = {"name": "a", "problem": PROBLEM, **sections}
    return JobSpec.model_validate(job).model_dump(mode="json")


def changes(before, now):
    return [(each.key, each.before, each.after) for each in changed_settings(before, now)]


def test_equal_results_differ_in_nothing():
    result = a_job("a", spec=spec())
    assert changed_settings(result, replace(result, metrics={"sequence_accuracy": 0.1})) == ()


def test_keys_of_the_spec_have_their_dotted_names_in_its_order():
    before = a_job("a", spec=spec(training={"optimizer": {"learning_rate": 0.006}}, seed=7))
    now = spec(training={"optimizer": {"learning_rate": 0.003}, "epochs": 3}, seed=8, gate={"min_bleu": None})
    assert changes(before, a_job("a", spec=now, seed=8)) == [
        ("seed", 7, 8),
        ("training.epochs", 1, 3),
        ("training.optimizer.learning_rate", 0.006, 0.003),
    ]


def test_a_section_that_one_side_lacks_is_none_there():
    stopping = {"early_stopping": {"patience": 2}}
    found = changes(a_job("a", spec=spec()), a_job("a", spec=spec(training=stopping)))
    assert ("training.early_stopping.patience", None, 2) in found


def test_lists_are_compared_whole():
    before, now = ({"also": [{"source_length": n}]} for n in (4, 5))
    found = changes(a_job("a", spec=spec(evaluation=before)), a_job("a", spec=spec(evaluation=now)))
    assert found == [("evaluation.also", '[{"source_length": 4}]', '[{"source_length": 5}]')]


def test_a_key_that_an_earlier_version_lacked_had_its_default():
    earlier = spec()
    del earlier["gate"]["alpha"], earlier["training"]["optimizer"]
    assert changes(a_job("a", spec=earlier), a_job("a", spec=spec())) == []


def test_a_spec_of_another_version_is_compared_as_it_is():
    other = {**spec(), "model": {"of": "tomorrow"}}
    assert ("model.of", "tomorrow", None) in changes(a_job("a", spec=other), a_job("a", spec=spec()))


def described(**problem):
    return a_job("a", spec=spec(), data=DataFacts(problem=problem))


def test_data_is_compared_by_checksums_and_sizes():
    before = described(files={"a.tsv": "1" * 64}, pairs={"train": 10, "test": 2, "read": 12})
    now = described(files={"a.tsv": "2" * 64}, pairs={"train": 11, "test": 2, "read": 13})
    assert changes(before, now) == [
        ("data.files.a.tsv", "1" * 64, "2" * 64),
        ("data.pairs.train", 10, 11),
    ]


def test_data_of_a_job_that_did_not_finish_is_not_known():
    before = described(files={"a.tsv": "1" * 64})
    assert changes(before, replace(before, status="failed", data=DataFacts())) == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("processor", "another", ("machine.processor", "some processor", "another")),
        ("devices", ["CPU", "GPU"], ("machine.devices", '["CPU"]', '["CPU", "GPU"]')),
        ("git_commit", "d00d", ("git_commit", MACHINE["git_commit"], "d00d")),
        (
            "versions",
            {**MACHINE["versions"], "keras": "3.16.0", "numpy": "2"},
            ("versions.keras", "3.15.1", "3.16.0"),
        ),
    ],
)
def test_the_environment(key, value, expected):
    before = a_job("a", spec=spec())
    assert changes(before, a_job("a", spec=spec(), environment={**MACHINE, key: value})) == [expected]


def test_what_one_side_does_not_record_is_no_difference():
    before = a_job("a", spec=spec(), environment={**MACHINE, "git_dirty": True, "git_commit": None})
    assert changes(before, a_job("a", spec=spec())) == []


def test_one_is_not_true():
    one, true = ({"problem": {"options": {"x": value}}} for value in (1, True))
    (found,) = changed_settings(a_job("a", spec=one), a_job("a", spec=true))
    assert found == ChangedSetting("problem.options.x", 1, True)
    assert found.after is True
