"""The model card, in the form that the Hugging Face hub documents, and as text for people."""

from dataclasses import replace

import pytest
import yaml
from sample_results import SHORT, TUTORIAL

from job.reports.model_card import GENERATED, NO_LICENCE, model_card
from job.results.data_facts import DataFacts
from job.results.job_result import JobResult

SHA = "5e" * 32
INTERVALS = {"sequence_accuracy": (0.99985, 0.99999)}


def text_pairs(**files):
    spec = {"problem": {"kind": "text_pairs", "train": [*files]}, "model": {"architecture": "transformer"}}
    metrics = {"sequence_accuracy": 0.5, "bleu": 31.25, "chrf": 50.5}
    return replace(
        TUTORIAL,
        spec=spec,
        metrics=metrics,
        data=replace(TUTORIAL.data, problem={"files": files}, signatures={"bleu": "nrefs:1|tok:13a"}),
    )


FORECAST = JobResult(
    name="sales",
    status="passed",
    fingerprint="e5" * 32,
    seed=3,
    spec={"problem": {"kind": "time_series", "file": "sales.csv", "column": "sales", "unit": "EUR"}},
    metrics={"rmse": 4.9, "persistence_rmse": 17.3, "mae": 3.6},
    data=DataFacts(test_examples=40, problem={"files": {"sales.csv": SHA}}),
)
PLUGIN = replace(SHORT, spec={"problem": {"kind": "plugin", "name": "roman"}})
RESULTS = {"generated": TUTORIAL, "text": text_pairs(**{"a.tsv": SHA}), "series": FORECAST, "plugin": PLUGIN}


def metadata_of(card):
    """Return what the hub reads: the YAML between the first two lines of dashes."""
    first, text, rest = card.split("---\n", 2)
    assert first == ""
    assert rest.startswith("\n# ")
    return yaml.safe_load(text)


def check_model_index(index, name):
    """Check the form that the hub documents (huggingface/hub-docs, modelcard.md)."""
    (model,) = index
    assert model["name"] == name
    assert model["results"]
    for entry in model["results"]:
        assert entry.keys() == {"task", "dataset", "metrics"}
        assert all(isinstance(entry["task"][key], str) and entry["task"][key] for key in ("type", "name"))
        dataset = entry["dataset"]
        assert all(isinstance(dataset[key], str) and dataset[key] for key in ("type", "name", "split"))
        assert entry["metrics"]
        for metric in entry["metrics"]:
            assert isinstance(metric["type"], str)
            assert isinstance(metric["value"], float)


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_the_metadata_have_the_form_of_the_hub(result):
    metadata = metadata_of(model_card(result, {}))
    assert metadata["library_name"] == "keras"
    assert "license" not in metadata  # the hub refuses one that it does not know, and the spec says none
    assert all(isinstance(tag, str) and tag for tag in metadata["tags"])
    check_model_index(metadata["model-index"], result.name)
    used = {m["type"] for entry in metadata["model-index"][0]["results"] for m in entry["metrics"]}
    assert set(metadata["metrics"]) == used


def test_metrics_of_test_and_validation_are_there_by_the_names_of_the_hub():
    test, validation = metadata_of(model_card(TUTORIAL, {}))["model-index"][0]["results"]
    assert (test["dataset"]["split"], validation["dataset"]["split"]) == ("test", "validation")
    assert {"type": "exact_match", "value": 0.999975, "name": "sequence accuracy"} in test["metrics"]
    assert {"type": "accuracy", "value": 0.9975, "name": "token accuracy"} in validation["metrics"]
    (bleu,) = [
        metric
        for metric in metadata_of(model_card(RESULTS["text"], {}))["model-index"][0]["results"][0]["metrics"]
        if metric["name"] == "bleu"
    ]
    assert bleu == {"type": "sacrebleu", "value": 31.25, "name": "bleu"}


def test_a_forecast_is_no_text_and_persistence_is_no_metric_of_the_model():
    card = model_card(FORECAST, {"rmse": (4.0, 6.0)})
    (entry,) = metadata_of(card)["model-index"][0]["results"]
    assert entry["task"]["type"] == "time-series-forecasting"
    assert [metric["type"] for metric in entry["metrics"]] == ["rmse", "mae"]
    assert "persistence" in card  # in the table, to compare with
    assert "| 4 EUR to 6 EUR |" in card
    assert "prediction.values" in card


def test_the_table_has_each_metric_beside_its_interval_and_validation():
    card = model_card(TUTORIAL, INTERVALS)
    assert "| sequence accuracy | 99.997 % | 99.98 % to 99.999 % | 99.25 % | higher |" in card
    assert "| token accuracy | 99.999 % |  | 99.75 % | higher |" in card
    assert "Wilson" in card
    assert "Wilson" not in model_card(TUTORIAL, {})


def test_data_files_have_checksums_and_a_note_on_their_licence():
    card = model_card(text_pairs(**{"train.tsv": SHA, "test.tsv": "6f" * 32}), {})
    assert f"| `train.tsv` | `{SHA}` |" in card
    assert f"| `test.tsv` | `{'6f' * 32}` |" in card
    assert NO_LICENCE.format(" (`problem.licence`)") in card
    assert GENERATED not in card
    assert "nrefs&#58;1" in card
    stated = text_pairs(**{"train.tsv": SHA})
    stated.spec["problem"]["licence"] = "CC BY-SA 3.0 | Wiktionary"
    card = model_card(stated, {})
    assert "Licence of the data, as the spec states it: CC BY-SA 3.0 \\| Wiktionary." in card
    assert "which licence these data are" not in card
    assert "| licence |" not in card
    generated = model_card(TUTORIAL, {})
    assert GENERATED in generated
    assert "which licence these data are" not in generated
    of_package = model_card(PLUGIN, {})
    assert NO_LICENCE.format("") in of_package  # whatever data a package has
    assert "generated with seed" not in of_package


def test_it_says_how_to_load_the_model():
    card = model_card(TUTORIAL, {})
    assert 'job.load("path/to/this/directory")' in card
    assert "seq2seq-job predict path/to/this/directory" in card
    assert 'keras.models.load_model("inference_encoder.keras")' in card


def test_it_names_the_package_of_a_model_of_the_users_own():
    environment = {**TUTORIAL.environment, "model": "gated-convolutions 1.0"}
    card = model_card(replace(TUTORIAL, environment=environment), {})
    assert "of the same version and `gated-convolutions 1.0`, whose model it is" in card
    assert "plain Keras" not in card
    assert "plain Keras" in model_card(TUTORIAL, {})


def test_it_depends_on_the_result_without_its_verdict():
    assert model_card(TUTORIAL, INTERVALS) == model_card(TUTORIAL, INTERVALS)
    missed = tuple(replace(gate, passed=False, bound=1.0) for gate in TUTORIAL.gates)
    judged = replace(TUTORIAL, status="gate_failed", gates=missed, judged=True, reused=True, attempts=2)
    assert model_card(judged, INTERVALS) == model_card(TUTORIAL, INTERVALS)
    assert "not measured" not in model_card(SHORT, {})  # a gate on a metric that the job does not have


@pytest.mark.parametrize("name", ["---\nlicense: mit", "a`|b\n# c", "!!python/object:os.system", "- x: {"])
def test_names_from_outside_stay_text(name):
    result = text_pairs(**{name: SHA})
    card = model_card(result, {})
    metadata = metadata_of(card)
    assert metadata.keys() == {"library_name", "tags", "metrics", "model-index"}
    dataset = metadata["model-index"][0]["results"][0]["dataset"]
    assert dataset["name"] == name.replace("\n", "␊")
    assert [line for line in card.splitlines() if line.startswith("# ")] == ["# tutorial"]


@pytest.mark.parametrize("files", ["a.tsv", ["a.tsv"], {"a.tsv": 3}, None])
def test_what_a_plugin_describes_as_files_need_not_be_files(files):
    result = replace(PLUGIN, data=replace(PLUGIN.data, problem={"files": files}))
    check_model_index(metadata_of(model_card(result, {}))["model-index"], result.name)
