"""The `data` of a result: typed facts beside what the problem says of itself."""

import json

import pytest

from job.results.data_facts import DataFacts, Separators, TokenCounts
from job.results.job_result import JobResult

LEAST = {"name": "x", "status": "passed", "fingerprint": "f", "seed": 1, "spec": {}}
TRAINED = {
    "train_examples": 100,
    "epochs": 2,
    "steps": 8,
    "stopped_early": False,
    "best_epoch": None,
    "resumed_from_step": None,
    "test_examples": 20,
    "seen_in_training": 4,
    "source_space": None,
}
COUNTS = {"source": 3, "target": 2, "predicted": 1}


def read(data):
    return JobResult.from_json(json.dumps({**LEAST, "data": data})).data


def written(facts):
    return json.loads(JobResult("x", "passed", "f", 1, {}, data=facts).to_json())["data"]


def test_json_has_the_keys_that_it_always_had():
    record = {
        "vocabulary": 51,
        **TRAINED,
        "signatures": {"bleu": "nrefs:1"},
        "separators": {"source": ""},
        "test_tokens": COUNTS,
        "unknown_tokens": COUNTS,
    }
    facts = read(record)
    assert facts == DataFacts(
        **TRAINED,
        signatures={"bleu": "nrefs:1"},
        separators=Separators(source=""),
        test_tokens=TokenCounts(**COUNTS),
        unknown_tokens=TokenCounts(**COUNTS),
        problem={"vocabulary": 51},
    )
    assert written(facts) == {**record, "problem": {"vocabulary": 51}}
    assert read(written(facts)) == facts


def test_what_is_not_known_is_left_out():
    assert written(DataFacts()) == {}
    assert written(DataFacts(test_examples=12)) == {"test_examples": 12}


def test_a_description_with_the_names_of_facts_changes_none_of_them():
    described = {"test_examples": "lots", "signatures": "none", "problem": "mine", "largest": 9}
    facts = DataFacts(**TRAINED, problem=described)
    assert written(facts) == {**TRAINED, "largest": 9, "problem": described}
    assert read(written(facts)) == facts


@pytest.mark.parametrize("value", ["mine", 5, None, {"a": 1}])
def test_a_result_of_an_earlier_version_whose_description_had_a_key_problem_is_read(value):
    facts = read({**TRAINED, "problem": value})
    assert facts.test_examples == 20
    assert facts.problem == (value if isinstance(value, dict) else {"problem": value})


@pytest.mark.parametrize("key", ["test_examples", "seen_in_training", "steps"])
@pytest.mark.parametrize("value", ["lots", -1, 2.5, True])
def test_a_fact_that_is_no_count_is_refused_by_name(key, value):
    with pytest.raises(ValueError, match=rf"^data\.{key}: "):
        read({**TRAINED, key: value})


@pytest.mark.parametrize("value", [[], {"bleu": 5}])
def test_a_reason_that_is_no_text_is_refused(value):
    with pytest.raises(ValueError, match=r"^data\.not_measured"):
        read({"not_measured": value})
