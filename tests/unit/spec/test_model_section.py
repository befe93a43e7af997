"""Which keys an architecture has, and which sizes a Transformer can have."""

import pytest
from pydantic import ValidationError

from job.errors import SpecError
from job.spec.model_section import PLUGIN_KEYS, RECURRENT_KEYS, TRANSFORMER_KEYS, ModelSpec
from job.spec.schema import JobSpec
from job.spec.spec_loading import load_spec

OTHER_VALUES = {
    "cell": "gru",
    "bidirectional": True,
    "attention": "luong_dot",
    "input_feeding": True,
    "embedding_size": 8,
    "embedding_initializer": "normal",
    "residual": True,
    "recurrent_dropout": 0.1,
    "recurrent_initializer": "glorot_uniform",
    "heads": 2,
    "feed_forward": 7,
    "positions": "learned",
    "max_positions": 9,
}
SHARED_VALUES = {
    "units": 8,
    "layers": 2,
    "inputs": "embedding",
    "tied_embeddings": True,
    "dropout": 0.1,
    "pointer": True,
    "kernel_initializer": "he_normal",
    "output_bias": "frequencies",
}


def complaints(tmp_path, model):
    """Return the complaints about a spec with a job whose model, on line 5, is `model`."""
    path = tmp_path / "jobs.yaml"
    path.write_text(
        "version: 1\njobs:\n- name: a\n  problem: {kind: copy, source_length: 3, cardinality: 9}\n"
        f"  model: {{{model}}}\n"
    )
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return [(c.line, c.key, c.message) for c in caught.value.complaints]


def test_every_key_belongs_to_one_architecture_or_to_both():
    shared = {"architecture", "units", "layers", "inputs", "tied_embeddings", "dropout", "pointer"}
    shared |= {"kernel_initializer", "output_bias"}
    assert shared == {"architecture", *SHARED_VALUES}
    assert shared | {*RECURRENT_KEYS, *TRANSFORMER_KEYS, *PLUGIN_KEYS} == ModelSpec.model_fields.keys()
    assert OTHER_VALUES.keys() == {*RECURRENT_KEYS, *TRANSFORMER_KEYS}


@pytest.mark.parametrize("key", OTHER_VALUES)
def test_a_key_of_the_other_architecture_is_refused(key):
    own, other = ("recurrent", "transformer") if key in RECURRENT_KEYS else ("transformer", "recurrent")
    fits = {
        "input_feeding": {"attention": "luong_dot"},
        "embedding_initializer": {"inputs": "embedding"},
    }.get(key, {})
    assert getattr(ModelSpec(architecture=own, **{**fits, key: OTHER_VALUES[key]}), key) == OTHER_VALUES[key]
    with pytest.raises(ValidationError, match=f"{key} applies to architecture {own} only"):
        ModelSpec(architecture=other, **{key: OTHER_VALUES[key]})
    default = ModelSpec.model_fields[key].default
    assert ModelSpec(architecture=other, **{key: default}) == ModelSpec(architecture=other)


def test_one_hot_vectors_have_no_initial_embeddings():
    with pytest.raises(ValidationError, match="embedding_initializer normal needs inputs embedding"):
        ModelSpec(embedding_initializer="normal")
    assert "embedding_initializer" not in ModelSpec().model_dump(mode="json")


@pytest.mark.parametrize("key", SHARED_VALUES)
def test_a_plugin_has_no_key_of_the_built_in_architectures(key):
    given = {"architecture": "plugin", "name": "mine"}
    with pytest.raises(ValidationError, match=f"{key} does not apply to architecture plugin; leave it out"):
        ModelSpec(**given, **{key: SHARED_VALUES[key]})
    default = ModelSpec.model_fields[key].default
    assert ModelSpec(**given, **{key: default}) == ModelSpec(**given)


def test_the_spec_of_a_plugin_has_its_own_keys_alone():
    spec = ModelSpec(architecture="plugin", name="mine", options={"size": 3})
    assert spec.model_dump(mode="json") == {
        "architecture": "plugin",
        "name": "mine",
        "options": {"size": 3},
    }
    assert not {*PLUGIN_KEYS} & ModelSpec().model_dump(mode="json").keys()


def test_the_parts_of_a_plugin_cannot_be_frozen():
    job = {"name": "a", "problem": {"kind": "copy", "source_length": 3, "cardinality": 9}}
    job |= {"training": {"start_from": "b", "freeze": ["encoder"]}}
    assert JobSpec.model_validate(job).training.freeze == ["encoder"]
    with pytest.raises(ValidationError, match="freeze names parts of the built-in architectures"):
        JobSpec.model_validate({**job, "model": {"architecture": "plugin", "name": "mine"}})


def test_a_resolved_spec_can_be_read_again():
    of_package = ModelSpec(architecture="plugin", name="mine", options={"deep": [1]})
    for spec in (
        ModelSpec(),
        ModelSpec(architecture="transformer", units=32, positions="learned"),
        of_package,
    ):
        assert ModelSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("model", "key", "message"),
    [
        (
            "architecture: transformer, cell: gru",
            "jobs[0].model.cell",
            "cell applies to architecture recurrent only; leave it out or write lstm",
        ),
        (
            "architecture: transformer, bidirectional: true",
            "jobs[0].model.bidirectional",
            "bidirectional applies to architecture recurrent only; leave it out or write false",
        ),
        (
            "feed_forward: 9",
            "jobs[0].model.feed_forward",
            "feed_forward applies to architecture transformer only; leave it out or write null",
        ),
        (
            "architecture: transformer, units: 30",
            "jobs[0].model.units",
            "units must be a multiple of heads, 4",
        ),
        (
            "architecture: transformer, units: 12, heads: 4",
            "jobs[0].model.units",
            "units must be a multiple of 8, twice heads, with rotary positions",
        ),
        (
            "architecture: transformer, units: 9, heads: 3, positions: sinusoidal",
            "jobs[0].model.positions",
            "units must be even with sinusoidal positions",
        ),
        (
            "architecture: transformer, attention: monotonic",
            "jobs[0].model.attention",
            "attention applies to architecture recurrent only; leave it out or write none",
        ),
        (
            "attention: monotonic, input_feeding: true",
            "jobs[0].model.input_feeding",
            "input_feeding needs attention luong_dot or luong_general",
        ),
        (
            "architecture: lstm",
            "jobs[0].model.architecture",
            "must be 'recurrent', 'transformer' or 'plugin', found 'lstm'",
        ),
        (
            "architecture: plugin",
            "jobs[0].model.architecture",
            "architecture plugin needs name, the entry point of the model",
        ),
        (
            "options: {units: 3}",
            "jobs[0].model.options",
            "options applies to architecture plugin only; leave it out or write {}",
        ),
        (
            "architecture: plugin, name: mine, cell: gru",
            "jobs[0].model.cell",
            "cell applies to architecture recurrent only; leave it out or write lstm",
        ),
    ],
)
def test_complaints_name_the_key_and_what_to_do(tmp_path, model, key, message):
    found = complaints(tmp_path, model)
    assert found == [(5, key, message)]


def test_the_coverage_penalty_needs_attention():
    job = {"name": "a", "problem": {"kind": "copy", "source_length": 3, "cardinality": 9}}
    given = {**job, "evaluation": {"decoder": "beam", "coverage_penalty": 0.2}}
    with pytest.raises(ValidationError, match="coverage_penalty needs a model with attention"):
        JobSpec.model_validate(given)
    for model in ({"attention": "luong_dot"}, {"attention": "monotonic"}, {"architecture": "transformer"}):
        JobSpec.model_validate({**given, "model": model})


def test_monotonic_attention_is_for_tokens(tmp_path):
    path = tmp_path / "jobs.yaml"
    path.write_text(
        "version: 1\njobs:\n- name: a\n  problem: {kind: time_series, file: a.csv, column: y, "
        "source_length: 2, target_length: 1, test: 2}\n  model: {attention: monotonic}\n"
    )
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    (found,) = caught.value.complaints
    assert (found.line, found.key) == (5, "jobs[0].model.attention")
    assert found.message == (
        "attention monotonic is for tokens, but this problem forecasts numbers; "
        "choose luong_general or another attention"
    )


def test_sizes_that_fit_are_accepted():
    ModelSpec(architecture="transformer", units=12, heads=4, positions="sinusoidal")
    ModelSpec(architecture="transformer", units=9, heads=3, positions="learned")
    ModelSpec(units=7)  # of recurrent layers any width is
    assert ModelSpec(architecture="transformer", units=16).feed_forward_units == 64
    assert ModelSpec(architecture="transformer", units=16, feed_forward=5).feed_forward_units == 5


# --- the pointer --------------------------------------------------------------------------------------------


def test_a_pointer_needs_attention(tmp_path):
    (complaint,) = complaints(tmp_path, "pointer: true")
    assert complaint == (
        5,
        "jobs[0].model.pointer",
        "pointer copies by attention: set attention, or drop pointer",
    )
    assert ModelSpec(pointer=True, attention="bahdanau").pointer
    assert ModelSpec(pointer=True, architecture="transformer").pointer


def test_a_model_without_a_pointer_has_the_spec_of_before():
    assert "pointer" not in ModelSpec().model_dump(mode="json")
    with_one = ModelSpec(pointer=True, attention="bahdanau").model_dump(mode="json")
    assert with_one["pointer"] is True
    assert ModelSpec.model_validate(with_one).pointer


def with_pointer(**problem):
    return JobSpec.model_validate(
        {"name": "a", "problem": problem, "model": {"pointer": True, "attention": "luong_dot"}}
    )


def test_a_pointer_does_not_forecast_numbers():
    series = {"kind": "time_series", "file": "y.csv", "column": "y", "source_length": 3}
    series |= {"target_length": 1, "test": 5}
    with pytest.raises(ValidationError, match="pointer copies tokens, but this problem forecasts numbers"):
        with_pointer(**series)


def test_a_pointer_copies_subwords_to_subwords_alone():
    pairs = {"kind": "text_pairs", "data": {"file": "pairs.tsv"}}
    assert with_pointer(**pairs, source_tokens="subwords", target_tokens="subwords").model.pointer
    with pytest.raises(ValidationError, match="only one side has subwords"):
        with_pointer(**pairs, source_tokens="subwords", target_tokens="words")
