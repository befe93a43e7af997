"""The inference models are saved as plain Keras: a process that cannot import this package decodes with them.
Models that earlier versions saved, with layers of the package, are still loaded."""

import io
import re
import subprocess
import sys
import zipfile
from itertools import combinations, product
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import plain_decoding
import pytest
import tensorflow as tf
from keras import ops

from job.inference.model_files import check_model_file
from job.models.attention import AttentionDecoder
from job.models.reversal import Reverse
from job.models.seq2seq import build_models
from job.spec.model_section import ModelSpec

SIZE, START, UNITS = 7, 1, 3
SOURCES = np.array([[3, 4, 5, 6], [2, 0, 0, 0], [6, 1, 2, 0]], np.int32)
NUMBERS = np.random.default_rng(5).normal(size=(3, 4, 2)).astype(np.float32)

ATTENTIONS = {
    "none": {},
    "luong_dot": {"attention": "luong_dot"},
    "luong_general": {"attention": "luong_general"},
    "luong_dot_fed": {"attention": "luong_dot", "input_feeding": True},
    "luong_general_fed": {"attention": "luong_general", "input_feeding": True},
    "bahdanau": {"attention": "bahdanau"},
    "monotonic": {"attention": "monotonic"},
}
INPUTS = {
    "one_hot": {},
    "embedding": {"inputs": "embedding", "embedding_size": 4},
    "tied": {"inputs": "embedding", "embedding_size": 4, "tied_embeddings": True},
    "numbers": {},
}
DEPTHS = {
    "1": {},
    "2": {"layers": 2},
    "residual": {"layers": 2, "residual": True, "dropout": 0.3, "recurrent_dropout": 0.2},
}
EVERY = [
    (*others, attention, inputs)
    for *others, attention, inputs in product(
        ("lstm", "gru"), DEPTHS, ("forward", "both"), ATTENTIONS, INPUTS
    )
    if (attention, inputs) != ("monotonic", "numbers")
]
TRANSFORMERS = [
    ("transformer", "rotary", "one_hot"),
    ("transformer", "sinusoidal", "tied"),
    ("transformer", "learned", "one_hot"),
    ("transformer", "rotary", "numbers"),
]
ARCHITECTURES = [
    ("lstm", "1", "forward", "one_hot"),
    ("gru", "2", "both", "embedding"),
    ("lstm", "residual", "both", "tied"),
    ("gru", "residual", "forward", "numbers"),
]
SOME = [
    (*others[:3], attention, others[3])
    for number, attention in enumerate(ATTENTIONS)
    for others in (ARCHITECTURES[number % 4], ARCHITECTURES[(number + 1 + number // 4) % 4])
]
"""Each attention with two of the architectures, and each architecture with three attentions."""


def every_two_choices():
    """Return recurrent architectures such that every two choices that go together meet in one at least."""
    meetings = {one: {*combinations(enumerate(one), 2)} for one in EVERY}
    missing, chosen = set.union(*meetings.values()), []
    while missing:
        chosen.append(max(EVERY, key=lambda one: len(meetings[one] & missing)))
        missing -= meetings[chosen[-1]]
    return chosen


def recurrent(cell, depth, directions, attention, inputs):
    keys = {**DEPTHS[depth], **ATTENTIONS[attention], **INPUTS[inputs]}
    return ModelSpec(units=UNITS, cell=cell, bidirectional=directions == "both", **keys)


def transformer(positions, inputs):
    keys = {"tied_embeddings": inputs == "tied", "max_positions": 3, "dropout": 0.3, "layers": 2}
    return ModelSpec(architecture="transformer", units=8, heads=2, positions=positions, **keys)


def build(*architecture):
    """Return the models of an architecture with random weights, a source and what the decoder reads first."""
    numbers = architecture[-1] == "numbers"
    kind, *rest = architecture
    spec = transformer(*rest) if kind == "transformer" else recurrent(*architecture)
    sizes = (2, 1) if numbers else (SIZE, SIZE)
    models = build_models(spec, *sizes, masked=not numbers, numbers=numbers)
    randomise(models.train)
    source = NUMBERS if numbers else SOURCES
    start = NUMBERS[:, -1:, :1] if numbers else np.full((3, 1), START, np.int32)
    return SimpleNamespace(models=models, source=source, start=start)


def randomise(model):
    random = np.random.default_rng(3)
    model.set_weights([random.normal(scale=0.7, size=w.shape) for w in model.weights])


def decode(models, source, start):
    pair = models.inference_encoder, models.inference_decoder
    return plain_decoding.decode(*pair, tf.constant(source), tf.constant(start), 4)


def decode_elsewhere(directory):
    """Decode with all models under a directory in a process that cannot import this package."""
    command = [sys.executable, "-I", plain_decoding.__file__, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "architectures",
    [
        [SOME[0], SOME[-1], TRANSFORMERS[0]],
        pytest.param([*SOME, *TRANSFORMERS], marks=pytest.mark.once),
        pytest.param(every_two_choices(), marks=pytest.mark.exhaustive),
    ],
    ids=["three", "some", "every two choices"],
)
def test_a_process_without_this_package_decodes_the_same_bits(architectures, tmp_path):
    here = {}
    for architecture in architectures:
        name, one = "-".join(architecture), build(*architecture)
        here[name] = decode(one.models, one.source, one.start)
        (tmp_path / name).mkdir()
        one.models.inference_encoder.save(tmp_path / name / "encoder.keras")
        one.models.inference_decoder.save(tmp_path / name / "decoder.keras")
        for side in ("encoder", "decoder"):
            check_model_file(tmp_path / name / f"{side}.keras")  # or `predict` would refuse it
        np.savez(tmp_path / name / "given.npz", source=one.source, start=one.start)
        keras.utils.clear_session()
    decode_elsewhere(tmp_path)
    for name, expected in here.items():
        with np.load(tmp_path / name / "found.npz") as arrays:
            found = [arrays[key] for key in arrays.files]
        assert len(found) == len(expected), name
        assert all(map(np.array_equal, found, expected)), name


def saved_values(file):
    """Return how many numbers the weights of a `.keras` file are."""
    with zipfile.ZipFile(file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        sizes = []
        weights.visititems(lambda _, item: sizes.append(item.size if isinstance(item, h5py.Dataset) else 0))
    return sum(sizes)


@pytest.mark.parametrize(
    "architecture",
    [
        ("gru", "2", "both", "luong_general_fed", "tied"),
        ("gru", "2", "both", "bahdanau", "tied"),
        ("gru", "2", "forward", "monotonic", "tied"),
        ("transformer", "learned", "tied"),
    ],
)
def test_a_saved_model_holds_each_weight_once(architecture, tmp_path):
    for name, model in vars(build(*architecture).models).items():
        model.save(tmp_path / f"{name}.keras")
        assert saved_values(tmp_path / f"{name}.keras") == model.count_params()


# --- models of earlier versions -----------------------------------------------------------------------------


def earlier_encoder():
    """Return an encoder in two directions as version 0.1 saved it: with the layer `Reverse`."""
    source = keras.Input((None,), dtype="int32", name="source")
    mask, x = ops.not_equal(source, 0), ops.one_hot(source, SIZE)
    options = {"return_sequences": True, "return_state": True}
    outputs, *last = keras.layers.GRU(UNITS, **options, name="encoder_1")(x, mask=mask)
    reverse, restore = Reverse(name="reversed"), Reverse(name="restored")
    back, *first = keras.layers.GRU(UNITS, **options, name="encoder_backward_1")(
        reverse(x, mask=mask), mask=mask
    )
    joined = ops.concatenate([outputs, restore(back, mask=mask)], axis=-1)
    state = keras.layers.Dense(UNITS, activation="tanh", name="bridge_h1")(
        ops.concatenate([*last, *first], axis=-1)
    )
    memory = keras.layers.Dense(UNITS, use_bias=False, name="memory")(joined)
    return keras.Model(source, [state, memory], name="inference_encoder")


def earlier_decoder():
    """Return a decoder that attends in its recurrence as version 0.1 saved it: with `AttentionDecoder`."""
    previous = keras.Input((1,), dtype="int32", name="previous_symbol")
    state = keras.Input((UNITS,), name="state_h1")
    memory = keras.Input((None, UNITS), name="encoder_outputs")
    source = keras.Input((None,), dtype="int32", name="source")
    decoder = AttentionDecoder(cell="gru", units=UNITS, layers=1, score="bahdanau", name="decoder")
    given = ops.one_hot(previous, SIZE), [state], memory
    x, weights, after = decoder(*given, mask=ops.not_equal(source, 0))
    weights = keras.layers.Identity(name="attention_weights")(weights)
    logits = keras.layers.Dense(SIZE, name="logits")(x)
    return keras.Model([previous, state, memory, source], [logits, after, weights], name="inference_decoder")


def test_models_of_earlier_versions_decode_like_current_ones(tmp_path):
    today = build("gru", "1", "both", "bahdanau", "one_hot")
    earlier = SimpleNamespace(inference_encoder=earlier_encoder(), inference_decoder=earlier_decoder())
    for name, model in vars(earlier).items():
        values = {w.path: w.numpy() for w in getattr(today.models, name).weights}
        paths = [re.sub(r"(\w+)/gru_cell", r"\1/\1_cell", w.path) for w in model.weights]
        assert set(paths) == values.keys()
        model.set_weights([values[path] for path in paths])
        model.save(tmp_path / f"{name}.keras")
    loaded = SimpleNamespace(
        **{name: keras.models.load_model(tmp_path / f"{name}.keras") for name in vars(earlier)}
    )
    assert any(isinstance(layer, Reverse) for layer in loaded.inference_encoder.layers)
    found = decode(loaded, today.source, today.start)
    expected = decode(today.models, today.source, today.start)
    for ours, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, same, atol=2e-6)
