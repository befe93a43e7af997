"""Every value of every `Literal` of the schema has an implementation of its own.

`IMPLEMENTATIONS` has one function for each key whose values are choices. It takes a value, uses it as a job
would, and returns something that depends on it. A new key needs a new function here; a new value must give a
result of its own; and a value that has no implementation must raise and not act as another one.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
from offered import MODEL_CODE, install
from pydantic import BaseModel, ValidationError

from job.errors import DeviceError
from job.metrics import METRICS, leading_metric
from job.problems import build_problem
from job.running.machine import check_device
from job.spec.gate_section import GateSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import (
    AdditionSpec,
    CopySpec,
    PluginSpec,
    ReversedPrefixSpec,
    ReverseSpec,
    SortSpec,
)
from job.spec.schema import JobSpec
from job.spec.text_pairs_section import PairFiles, SubwordSpec, TextPairsSpec
from job.spec.time_series_section import TimeSeriesSpec
from job.spec.training_section import OptimizerSpec, TrainingSpec


def literals(annotation: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield each value of a `Literal` in a type, also deep inside, with the dotted key that may have it."""
    origin = get_origin(annotation)
    if origin is Literal:
        yield from ((key, value) for value in get_args(annotation))
    elif origin in (Union, types.UnionType, list, tuple, dict):
        for inner in get_args(annotation):
            yield from literals(inner, key)
    elif origin is Annotated:
        yield from literals(get_args(annotation)[0], key)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from literals(field.annotation, f"{key}.{name}".lstrip("."))


def choices() -> dict[str, list[Any]]:
    """Return the values of each key of a job that is a choice."""
    found: dict[str, list[Any]] = {}
    for key, value in literals(JobSpec, ""):
        found.setdefault(key, []).append(value)
    return found


CHOICES = choices()
UNKNOWN = "not_implemented"


def chosen(section: BaseModel, **values: Any) -> Any:
    """Return a section with values that need not be valid."""
    return section.model_copy(update=values)


# --- problems ----------------------------------------------------------------------------------------------

LINES = {
    "unicode": "Cafe\N{COMBINING ACUTE ACCENT} \N{LATIN SMALL LIGATURE FI}\tb c\n",
    "tsv": "a\tb\n",
    "in_out": "IN: a OUT: b\n",
    "cmudict": "A  AH0\n",
}
SERIES = "y\n" + "".join(f"{value}\n" for value in (3, 1, 4, 1, 5, 9, 2, 6))
INTEGERS = {"source_length": 3, "cardinality": 9}
KINDS: dict[str, Any] = {
    "reversed_prefix": ReversedPrefixSpec(kind="reversed_prefix", target_length=2, **INTEGERS),
    "reverse": ReverseSpec(kind="reverse", **INTEGERS),
    "copy": CopySpec(kind="copy", **INTEGERS),
    "sort": SortSpec(kind="sort", **INTEGERS),
    "addition": AdditionSpec(kind="addition", digits=1),
    "text_pairs": TextPairsSpec(
        kind="text_pairs",
        train=PairFiles(file="pairs"),
        validation=PairFiles(file="pairs"),
        test=PairFiles(file="pairs"),
    ),
    "time_series": TimeSeriesSpec(
        kind="time_series", file="series", column="y", source_length=2, target_length=1, test=2
    ),
    "plugin": PluginSpec(kind="plugin", name="every_choice"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A spec directory with data files and, installed, a package that offers a problem."""
    folder = tmp_path_factory.mktemp("every_choice")
    (folder / "pairs").write_text(LINES["tsv"])
    (folder / "series").write_text(SERIES)
    code = """
    from job.problems.integers import Sort
    from job.spec.problem_sections import SortSpec

    class Mine(Sort):
        pass

    def build(options, seed, directory):
        return Mine(SortSpec(kind="sort", source_length=4, cardinality=9), seed)
    """
    install(folder / "site", "every_choice_problem", code, name="every_choice")
    install(folder / "site", "every_choice_model", MODEL_CODE, name="every_choice", group="models")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "site"))
        yield folder


def of_kind(kind: Any, directory: Path) -> Any:
    """Return the class of the problem that is built, and check that it has its leading metric."""
    spec = KINDS.get(kind) or chosen(KINDS["copy"], kind=kind)
    problem = build_problem(spec, 7, directory)
    assert METRICS[leading_metric(kind)].family in spec.families
    return type(problem).__name__


def of_text(key: str) -> Callable[[Any, Path], Any]:
    """Return a function that reads a file of text pairs, with one key of the problem set."""

    def read(value: Any, directory: Path) -> Any:
        lines = LINES.get(value, LINES["tsv"]) if key == "format" else LINES["unicode"]
        (directory / "pairs").write_text(lines, encoding="utf-8")
        few = chosen(KINDS["text_pairs"].subwords, size=20)
        problem: Any = build_problem(chosen(KINDS["text_pairs"], subwords=few, **{key: value}), 7, directory)
        sides = (problem.source_vocabulary, problem.target_vocabulary)
        return [key == "format" and value, *(side.to_json() for side in sides)]

    return read


def of_subwords(value: Any, directory: Path) -> Any:
    from job.problems.subwords import Subwords

    texts = ["the cat sat on the mat", "the dogs and the cats"] * 9
    return Subwords.learn(texts, chosen(SubwordSpec(size=30), algorithm=value)).pieces


def of_scaling(value: Any, directory: Path) -> Any:
    problem: Any = build_problem(chosen(KINDS["time_series"], scaling=value), 7, directory)
    return problem.batch(0, 0, 8, 3)[0].tolist()


# --- models ------------------------------------------------------------------------------------------------


def of_model(key: str, **others: Any) -> Callable[[Any, Path], Any]:
    """Return a function that builds a model with one key set and returns its weights and one prediction."""

    def build(value: Any, directory: Path) -> Any:
        import keras

        from job.models.parameter_count import count_parameters
        from job.models.seq2seq import build_training_model

        of_package = {"name": "every_choice"} if value == "plugin" else {}
        small = ModelSpec(units=8, layers=2, embedding_size=4)
        spec = chosen(small, **others, **of_package, **{key: value})
        models = []
        for kernel in ("fused", "keras"):
            keras.utils.set_random_seed(1)
            models.append(build_training_model(spec, 7, 7, masked=True, kernel=kernel))
        assert {model.count_params() for model in models} == {count_parameters(spec, 7, 7)}
        ids = np.asarray([[3, 4, 5]], np.int32), np.asarray([[1, 2]], np.int32)
        predictions = [np.asarray(model(list(ids))).round(5).tolist() for model in models]
        shapes = [[weight.shape for weight in model.weights] for model in models]
        return shapes, predictions

    return build


# --- training, evaluation and gates -------------------------------------------------------------------------


def of_optimizer(value: Any, directory: Path) -> Any:
    """Return the class of the optimizer, once a training loop could be made with it."""
    from job.models.seq2seq import build_training_model
    from job.training.compiled_loop import compile_loop
    from job.training.optimizers import OPTIMIZERS

    spec = TrainingSpec(examples=8, batch_size=8)
    problem = build_problem(KINDS["copy"], 7, directory)
    model = build_training_model(ModelSpec(units=2), 9, 9, masked=False, kernel="fused")
    compile_loop(model, problem, chosen(spec, optimizer=chosen(spec.optimizer, name=value)))
    return OPTIMIZERS[value]


def of_schedule(value: Any, directory: Path) -> Any:
    import tensorflow as tf

    from job.training.schedules import learning_rate

    spec = chosen(OptimizerSpec(), schedule=value)
    return [float(learning_rate(spec, tf.constant(float(step)), 10, 1.0)) for step in range(10)]


def of_average(value: Any, directory: Path) -> Any:
    """Return what averages the weights, and whether training ends with those of its best epoch."""
    from job.training.averaging import weight_average

    spec = chosen(TrainingSpec(), average=value)
    return type(weight_average([], spec)), spec.keeps_best


def of_stopping_metric(value: Any, directory: Path) -> Any:
    """Return the metric with its direction, by which epochs are compared."""
    from job.training.early_stopping import is_better

    return value, is_better(value, 0.2, 0.1)


def of_precision(value: Any, directory: Path) -> Any:
    """Return the type in which a layer computes."""
    import keras

    from job.training.loss_scaling import computing_in

    with computing_in(value):
        return keras.layers.Dense(1).compute_dtype


def of_distribution(value: Any, directory: Path) -> Any:
    """Return the strategy for a machine of two devices, in a cluster."""
    import tensorflow as tf

    from job.training import replicas

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.config, "list_logical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
        patch.setattr(replicas, "_mirrored", lambda: "all devices")
        patch.setattr(replicas, "is_in_cluster", lambda: True)
        patch.setattr(replicas, "cluster_strategy", lambda: "all processes")
        strategy = replicas.strategy_for(value)
    return strategy if isinstance(strategy, str) else type(strategy).__name__


def of_output_bias(value: Any, directory: Path) -> Any:
    """Return the initial bias of a model's output."""
    from job.running.model_cache import ModelCache
    from job.running.output_bias import start_with_frequencies

    job = JobSpec(name="x", problem=KINDS["copy"], model=chosen(ModelSpec(units=2), output_bias=value))
    problem = build_problem(job.problem, 7, directory)
    compiled = ModelCache().prepare(problem, job, "fused")
    start_with_frequencies(job, problem, compiled)
    return compiled.loop.model.get_weights()[-1].tolist()


def of_freeze(value: Any, directory: Path) -> Any:
    """Return the layers of a model that are trained beside the part."""
    from job.models.frozen_parts import freeze
    from job.models.seq2seq import build_training_model

    spec = ModelSpec(units=2, inputs="embedding", embedding_size=2)
    model = build_training_model(spec, 9, 9, masked=False, kernel="keras")
    freeze(model, [value])
    return {layer.name for layer in model.layers if layer.trainable_weights}


def of_examples(value: Any, directory: Path) -> Any:
    """Return the number of examples of an epoch of a file; the choice stands beside numbers."""
    problem: Any = build_problem(KINDS["time_series"], 7, directory)
    return problem.examples_per_epoch(value)


def of_export(value: Any, directory: Path) -> Any:
    """Return the function that writes a format, and the runtime that checks it."""
    from job.inference.export.export_model import FORMATS

    return FORMATS[value].write, FORMATS[value].runtime


def of_device(value: Any, directory: Path) -> Any:
    """Return whether a job may run where there is no GPU."""
    try:
        check_device(value, gpu=False, cuda=True)
    except DeviceError:
        return False
    return True


IMPLEMENTATIONS: dict[str, Callable[[Any, Path], Any]] = {
    "problem.kind": of_kind,
    "problem.format": of_text("format"),
    "problem.source_tokens": of_text("source_tokens"),
    "problem.target_tokens": of_text("target_tokens"),
    "problem.normalize": of_text("normalize"),
    "problem.scaling": of_scaling,
    "problem.subwords.algorithm": of_subwords,
    "model.architecture": of_model("architecture"),
    "model.positions": of_model("positions", architecture="transformer"),
    "model.cell": of_model("cell"),
    "model.attention": of_model("attention"),
    "model.inputs": of_model("inputs"),
    "model.embedding_initializer": of_model("embedding_initializer", inputs="embedding"),
    "model.output_bias": of_output_bias,
    "model.kernel_initializer": of_model("kernel_initializer"),
    "model.recurrent_initializer": of_model("recurrent_initializer"),
    "training.examples": of_examples,
    "training.optimizer.name": of_optimizer,
    "training.optimizer.schedule": of_schedule,
    "training.early_stopping.metric": of_stopping_metric,
    "training.average": of_average,
    "training.precision": of_precision,
    "training.distribution": of_distribution,
    "training.freeze": of_freeze,
    "gate.speed": lambda value, _: chosen(GateSpec(), speed=value).slower_fails,
    "gate.baseline": lambda value, _: chosen(GateSpec(), baseline=value).allows_other_data,
    "gate.seeds": lambda value, _: chosen(GateSpec(), seeds=value).on_mean,
    "export": of_export,
    "device": of_device,
}

NEED_A_TRAINED_MODEL = {"evaluation.decoder"}
"""Keys with a test of their own below."""


def test_every_key_with_choices_is_known_here() -> None:
    assert CHOICES.keys() == IMPLEMENTATIONS.keys() | NEED_A_TRAINED_MODEL


@pytest.mark.parametrize("key", IMPLEMENTATIONS)
def test_every_value_has_an_implementation_of_its_own(key: str, directory: Path) -> None:
    results = {value: IMPLEMENTATIONS[key](value, directory) for value in CHOICES[key]}
    same = [
        (one, other)
        for i, one in enumerate(results)
        for other in [*results][i + 1 :]
        if results[one] == results[other]
    ]
    assert same == []


@pytest.mark.parametrize("key", IMPLEMENTATIONS)
def test_a_value_without_an_implementation_raises(key: str, directory: Path) -> None:
    of_python = "invalid normalization form|not supported between instances of 'int' and 'str'"
    with pytest.raises(
        (NotImplementedError, LookupError, ValueError, TypeError), match=f"{UNKNOWN}|{of_python}"
    ):
        IMPLEMENTATIONS[key](UNKNOWN, directory)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_attention_that_feeds_the_recurrence_is_told_apart_too(bidirectional: bool, directory: Path) -> None:
    build = of_model("attention", input_feeding=True, bidirectional=bidirectional)
    dot, general = (build(value, directory) for value in ("luong_dot", "luong_general"))
    assert dot != general
    assert dot != of_model("attention", bidirectional=bidirectional)("luong_dot", directory)
    with pytest.raises(KeyError, match=UNKNOWN):
        build(UNKNOWN, directory)


@pytest.mark.parametrize("attention", CHOICES["model.attention"])
def test_every_cell_differs_with_every_attention(attention: str, directory: Path) -> None:
    built = [of_model("cell", attention=attention)(cell, directory) for cell in CHOICES["model.cell"]]
    assert all(one != other for i, one in enumerate(built) for other in built[i + 1 :])


@pytest.mark.parametrize("attention", CHOICES["model.attention"])
def test_a_pointer_copies_by_every_attention_or_is_refused(attention: str) -> None:
    from job.models.pointer import GATE
    from job.models.seq2seq import build_training_model

    if attention in ("none", "monotonic"):
        with pytest.raises(ValidationError, match="pointer"):
            ModelSpec(attention=attention, pointer=True)  # type: ignore[arg-type]
        return
    spec = ModelSpec(units=4, attention=attention, pointer=True)  # type: ignore[arg-type]
    model = build_training_model(spec, 7, 7, masked=True, kernel="fused")
    assert model.output_names == ["logits", GATE, "attention_weights"]


def test_every_decoder_searches_in_a_way_of_its_own(trained_job: Any) -> None:
    from job.inference.token_lines import load_model

    model = load_model(trained_job.paths.directory)
    source = np.asarray([model.facts.source.encode("1+2")], np.int32)
    found = {}
    for decoder in CHOICES["evaluation.decoder"]:
        search = dataclasses.replace(model.facts.search, decoder=decoder)
        searching = dataclasses.replace(model, facts=dataclasses.replace(model.facts, search=search))
        ids, scores = searching.compile_search()(source)
        found[decoder] = (ids.shape, np.nan_to_num(scores).tolist())
    assert len({repr(result) for result in found.values()}) == len(found)
    unknown: Any = UNKNOWN
    search = dataclasses.replace(model.facts.search, decoder=unknown)
    with pytest.raises(NotImplementedError, match=UNKNOWN):
        dataclasses.replace(model, facts=dataclasses.replace(model.facts, search=search)).compile_search()
