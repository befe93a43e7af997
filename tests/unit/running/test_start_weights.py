"""A model that starts from another one has the tokens of both, also when it is evaluated again."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sample_results import SHORT

from job.errors import ChangedDataError
from job.inference.loading import load
from job.models.earlier_weights import weights_of
from job.process.stopping import Stop
from job.running.evaluate_again import evaluate_again
from job.running.model_cache import ModelCache
from job.running.outputs import save_trained_model
from job.running.prepared_model import prepare_model
from job.running.start_model import find_start
from job.running.task import StartModel, Task
from job.running.timings import StageClock
from job.spec.schema import JobSpec
from job.spec.start_models import MODEL_FILES, start_checksum
from job.storage.artifacts import JobPaths
from job.storage.store_address import with_addresses

MODEL = {"units": 8, "inputs": "embedding", "embedding_size": 4}


@pytest.fixture
def make_task(tmp_path):
    def make(name, letters, **training):
        lines = [f"{a}{b}{a}\t{b}{a}\n" for a in letters for b in letters]
        (tmp_path / f"{name}.tsv").write_text("".join(lines))
        file = {"file": f"{name}.tsv"}
        spec = JobSpec.model_validate(
            {
                "name": name,
                "problem": {"kind": "text_pairs", "train": file, "validation": file, "test": file},
                "model": MODEL,
                "training": {"examples": "all", "batch_size": 12, **training},
                "evaluation": {"examples": 3, "validation_examples": 1},
            }
        )
        paths = JobPaths(tmp_path / "jobs" / name)
        paths.directory.mkdir(parents=True)
        return Task(spec, "e" * 64, tmp_path, paths, None, training_fingerprint="f" * 64)

    return make


def prepared(task):
    """Prepare a model, save it as it is, and return its problem and its weights."""
    found = prepare_model(task, ModelCache(), StageClock(Stop()))
    found.compiled.take_over_weights()
    save_trained_model(task, found.compiled, found.compiled.inference.trained.facts.to_json())
    return found.problem, weights_of(found.compiled.models.train)


@pytest.mark.usefixtures("eagerly")
def test_a_model_keeps_the_tokens_that_the_earlier_one_was_trained_on(make_task):
    """From a-f to c-h: a-h, with the weights of a-f to the bit; also where it is evaluated again alone."""
    parent = make_task("parent", "abcdef")
    earlier, old = prepared(parent)
    model = parent.paths.model
    start = StartModel(model=model, job=None, identity=start_checksum(model))
    child = replace(make_task("child", "cdefgh", start_from=str(model)), start=start)
    problem, new = prepared(child)
    vocabulary = problem.source_vocabulary
    assert vocabulary.tokens == (*earlier.source_vocabulary.tokens, "g", "h")
    assert vocabulary.tokens == problem.target_vocabulary.tokens
    count = len(earlier.source_vocabulary)
    for name, value in old.items():
        axis = {"logits/kernel": 1}.get(name, 0)
        np.testing.assert_array_equal(np.take(new[name], range(value.shape[axis]), axis), value, name)
    assert {new[name].shape[0] for name in ("source_embedding/embeddings", "logits/bias")} == {count + 2}

    model.rename(model.with_name("elsewhere"))
    again = evaluate_again(child, SHORT, Stop())
    assert again.data.unknown_tokens.source == again.data.unknown_tokens.target == 0
    record = json.loads((child.paths.model / "vocabulary.json").read_text("utf-8"))
    assert tuple(record["source"]["tokens"]) == tuple(record["target"]["tokens"]) == vocabulary.tokens
    saved = load(child.paths.directory)
    np.testing.assert_array_equal(saved.encoder.get_weights()[0], new["source_embedding/embeddings"])


def test_errors_of_a_model_from_a_store_name_its_url(make_task, tmp_path):
    """In a worker too, which has only the path of the copy."""
    url = "memory://night/jobs/base"
    model = tmp_path / "cache" / "model"
    model.mkdir(parents=True)
    for name in MODEL_FILES:
        (model / name).write_text("other")
    task = make_task("child", "ab", start_from=f"{url}/model")
    with pytest.raises(ChangedDataError) as raised:
        find_start(replace(task, start=StartModel(model=model, job=None, identity="f" * 64)))
    assert f"the model in {url}/model has changed" in with_addresses(str(raised.value))
