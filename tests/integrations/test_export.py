"""Models of every kind in their own runtimes: they predict what the model predicts, or the export fails."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from offered import install, install_example

from job.errors import ExportError
from job.inference.export import export_model as exporting
from job.inference.export.export_model import export_model
from job.inference.export.functions import ExportedModel
from job.inference.model_facts import ModelFacts, Search
from job.inference.tokens import TrainedModel
from job.models.seq2seq import build_models
from job.problems.vocabulary import Vocabulary
from job.process.stopping import Request, Stop, Stopped
from job.results.export_result import ExportResult
from job.spec.model_section import ModelSpec

LETTERS = tuple("abcdefgh")
MODELS: dict[str, dict[str, Any]] = {
    "one-hot inputs": {},
    "stacked": {"cell": "gru", "layers": 2, "attention": "luong_general", "residual": True},
    "bahdanau": {"attention": "bahdanau", "bidirectional": True, "inputs": "embedding"},
    "input feeding": {"attention": "luong_dot", "input_feeding": True, "cell": "gru"},
    "monotonic": {"attention": "monotonic", "inputs": "embedding"},
    "rotary": {"architecture": "transformer", "heads": 2, "layers": 2},
    "learned": {"architecture": "transformer", "heads": 2, "positions": "learned", "max_positions": 5},
    "sinusoidal": {"architecture": "transformer", "heads": 2, "positions": "sinusoidal"},
    "pointer": {"attention": "luong_general", "pointer": True},
    "pointer of a Transformer": {"architecture": "transformer", "heads": 2, "pointer": True},
    "plugin": {"architecture": "plugin", "name": "gated_convolutions", "options": {"units": 8, "layers": 2}},
}
MODELS["plugin with caches"] = {"architecture": "plugin", "name": "caching", "options": {}}
CACHING = """
import keras
from keras import ops
from job.models.architecture_plugin import Encoded, Step

class Network:
    'A decoder that attends to its earlier inputs, in a cache, and counts them in a state of its own.'

    def __init__(self, sizes):
        self.source = keras.layers.Embedding(sizes.source, 6, name="source_embedding")
        self.target = keras.layers.Embedding(sizes.target, 6, name="target_embedding")
        self.logits = keras.layers.Dense(sizes.target, name="logits")

    def encode(self, source, mask):
        real = ops.cast(ops.not_equal(source, 0), "float32")[:, :, None]
        mean = ops.sum(self.source(source) * real, axis=1, keepdims=True)
        begun = {"position": ops.sum(ops.zeros_like(mean), axis=(1, 2))[:, None]}
        return Encoded(context=mean[:, 0], memory={"mean": mean}, states=begun, caches={"keys": (1, 6)})

    def decode(self, inputs, encoded):
        x = self.target(inputs) + encoded.memory["mean"]
        at = ops.cumsum(ops.ones_like(inputs), axis=1)
        hidden = ops.where(at[:, :, None] >= at[:, None, :], 0.0, -1e9)
        return self.read(x, x, hidden, ops.cast(at - 1, "float32")[:, :, None])

    def step(self, inputs, states, memory):
        x = self.target(inputs) + memory["mean"]
        keys, at = ops.concatenate([states["keys"], x[:, None]], axis=2), states["position"]
        logits = self.read(x, keys[:, 0], 0.0, at[:, :, None])
        return Step(output=logits, states={"keys": keys, "position": at + 1.0})

    def read(self, x, keys, hidden, at):
        weights = ops.softmax(ops.matmul(x, ops.transpose(keys, (0, 2, 1))) + hidden, axis=-1)
        return self.logits(ops.matmul(weights, keys) + x * ops.cos(at))

class Model:
    def build(self, sizes):
        return Network(sizes)

def build(options):
    return Model()
"""
EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_model"

QUANTIZED = ("bahdanau", "rotary", "pointer")
"""Those that are exported with weights of 8 bits, too."""


def random_model(spec: dict[str, Any], *, fixed: bool = False, **search: Any) -> TrainedModel:
    """A model with random weights, by which sources have many different targets.

    The target vocabulary has some of the source's letters, in another order.
    """
    numbered = bool(spec.get("pointer"))
    source, target = (
        Vocabulary(("<pad>", "<start>", "<end>", "<unk>", *letters), "", 1, 2, 3, numbered=numbered)
        for letters in (LETTERS, LETTERS[:-3:-1] + LETTERS[:4])
    )
    target = replace(target, end=None) if fixed else target
    spec = spec if "name" in spec else {"units": 8, **spec}
    models = build_models(ModelSpec(**spec), len(source), len(target), masked=not fixed)
    facts = ModelFacts(source, target, fixed, 5 if fixed else None, 9, Search(**search))
    model = TrainedModel(models.inference_encoder, models.inference_decoder, facts)
    for seed in range(100):
        random = np.random.default_rng(seed)
        models.train.set_weights([random.normal(scale=0.9, size=w.shape) for w in models.train.weights])
        if len(np.unique(model.decode(sources(model)), axis=0)) > 10:
            return model
    raise AssertionError("every one of these models has the same few targets for all sources")


def sources(model: TrainedModel, count: int = 60) -> Any:
    """Sources of different lengths; with a pointer some of their tokens are in no vocabulary."""
    random = np.random.default_rng(5)
    width = model.facts.source_length or 13
    last = len(model.facts.source) + (3 if model.copies else 0)
    ids = random.integers(3, last, size=(count, width)).astype(np.int32)
    lengths = np.full(count, width) if model.facts.fixed_length else random.integers(1, width + 1, count)
    return np.where(np.arange(width) < lengths[:, None], ids, 0)


@pytest.mark.parametrize("name", MODELS)
def test_both_runtimes_predict_what_the_model_predicts(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("plugin"):  # which the runtimes need not import
        folder = tmp_path_factory.mktemp("installed")
        install(folder, "caching", CACHING, name="caching", group="models")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.syspath_prepend(install_example(EXAMPLE, tmp_path_factory.mktemp("example")))
    search = {"rotary": {"max_length_factor": 0.8}, "stacked": {"max_length": 7}}.get(name, {})
    model = random_model(MODELS[name], fixed=name == "one-hot inputs", **search)
    if name == "monotonic":  # a search of another kind evaluates the job, and the export stays greedy
        model = replace(model, facts=replace(model.facts, search=Search(decoder="beam")))
    given = sources(model)
    formats: list[Any] = ["saved_model", "onnx", *(["onnx_int8"] if name in QUANTIZED else [])]
    expected = replace(
        model, facts=replace(model.facts, search=replace(model.facts.search, decoder="greedy"))
    )
    score = share_equal_to(expected.decode(given))
    results = export_model(model, formats, given, tmp_path, score=score, threads=1, stop=Stop())
    assert [(r.format, r.examples, r.near_ties) for r in results] == [(name, 60, 0) for name in formats]
    for result in results:
        files = [path for path in (tmp_path / result.format).rglob("*") if path.is_file()]
        assert result.bytes == sum(path.stat().st_size for path in files) > 0
        assert result.sequences_per_second > 0
    assert {path.name for path in tmp_path.iterdir()} == {*formats, "README.md", "vocabulary.json"}
    if name in QUANTIZED:
        check_quantized(results[-1], results[-2], tmp_path)
    check_description(tmp_path)


def not_called(_: Any) -> Any:
    raise AssertionError("an export that must be exact is not scored")


def share_equal_to(expected: Any) -> Any:
    return lambda ids: {"sequence_accuracy": float((ids == expected).all(axis=1).mean())}


def check_quantized(result: ExportResult, exact: ExportResult, folder: Path) -> None:
    """Check that the weights have 8 bits, and that the export is scored by its own predictions."""
    import onnx

    assert exact.approximation is None
    found = result.approximation
    assert found is not None
    assert found.model_metrics == {"sequence_accuracy": 1.0}
    assert found.metrics["sequence_accuracy"] == pytest.approx(1 - found.differing / 60)
    assert found.differing < 60
    assert {path.name for path in (folder / "onnx_int8").iterdir()} == {"encoder.onnx", "decoder_step.onnx"}
    for name in ("encoder", "decoder_step"):
        graph = onnx.load(folder / "onnx_int8" / f"{name}.onnx").graph
        assert any(array.data_type == onnx.TensorProto.INT8 for array in graph.initializer)


def check_description(folder: Path) -> None:
    """Check that the description has the names, the shapes and the types of the files."""
    import onnxruntime

    text = (folder / "README.md").read_text("utf-8")
    for file in ("encoder", "decoder_step"):
        session = onnxruntime.InferenceSession(folder / "onnx" / f"{file}.onnx")
        for array in (*session.get_inputs(), *session.get_outputs()):
            kind = {"tensor(int32)": "int32", "tensor(float)": "float32"}[array.type]
            sizes = ["V" if size == "classes" else size for size in array.shape]
            sizes = ["n", "V"] if array.name == "logits" else sizes
            shape = ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "")
            described = (f"`{array.name}`, ({shape}) {kind}", f"`{array.name}` | ({shape}) {kind}")
            assert any(words in text for words in described), array


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_an_export_of_other_weights_is_refused_with_the_place(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = random_model({}, fixed=True), random_model({}, fixed=True)
    *weights, bias = other.decoder.get_weights()
    other.decoder.set_weights([*weights, bias[::-1]])
    right = exporting.FORMATS[kind]
    wrong = replace(right, write=lambda _, *where: right.write(ExportedModel(other), *where))
    monkeypatch.setitem(exporting.FORMATS, kind, wrong)
    given = sources(model)
    with pytest.raises(ExportError) as error:
        export_model(model, [kind], given, tmp_path, score=not_called, threads=1, stop=Stop())
    expected, found = (m.decode(given) for m in (model, other))
    row = int(np.flatnonzero((expected != found).any(axis=1))[0])
    place = int((expected[row] != found[row]).argmax())
    message = str(error.value)
    assert f"the {kind} export failed" in message
    assert f"in test example {row} at symbol {place + 1} the model has id {expected[row, place]} " in message
    assert f"and the export id {found[row, place]} " in message
    assert not (tmp_path / "README.md").exists()


@pytest.mark.parametrize(
    ("program", "blocked"),
    [("run_saved_model", "keras"), ("run_onnx", "tensorflow"), ("quantize_onnx", "tensorflow")],
)
@pytest.mark.parametrize("package", ["job", None])
def test_the_programs_cannot_import_what_users_lack(program: str, blocked: str, package: str | None) -> None:
    file = Path(exporting.__file__).with_name(f"{program}.py")
    code = file.read_text("utf-8").partition("import numpy")[0].partition("def main")[0]
    code += f"import {package or blocked}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_a_stop_ends_the_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    stop = Stop()

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(real(*arguments, **options))
        stop.ask(Request("SIGTERM", 143))
        return started[-1]

    model, real = random_model({}, fixed=True), subprocess.Popen
    monkeypatch.setattr("job.inference.export.runtimes.subprocess.Popen", start)
    with pytest.raises(Stopped):
        export_model(model, ["saved_model"], sources(model), tmp_path, score=not_called, threads=1, stop=stop)
    assert started[0].poll() is not None
