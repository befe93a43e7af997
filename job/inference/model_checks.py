"""Checks that a model implements the interface `Architecture`, with tiny sizes: for tests of its package."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.errors import ModelDirectoryError
from job.inference.model_files import load_model_file
from job.inference.model_pair import ModelPair, listed
from job.models.architecture_plugin import Architecture, Sizes, counted_parameters
from job.models.plugin_builder import PluginBuilder
from job.models.seq2seq import Models
from job.spec.factories import BrokenPromiseError, require

__all__ = ["BrokenPromiseError", "check_model"]

TOLERANCE = 1e-4
"""Largest difference of two outputs that ought to be equal except for rounding, relative to 1 and to them."""

_ROWS, _SOURCE, _TARGET = 3, 5, 4
_SIZES = {False: Sizes(source=11, target=7), True: Sizes(source=2, target=1, numbers=True)}

Array = NDArray[np.floating]


def check_model(architecture: Architecture, *, numbers: bool = False) -> None:
    """Build a model with tiny sizes, and check it against the interface `Architecture`.

    This function is for the tests of a package that offers a model. It checks the shapes and names of tensors
    and weights; that decoding step by step computes what training computes; that padding and the other
    sources of a batch change nothing; that every weight is trained, and that the three models share them;
    that a saved model is loaded with equal results; that all random numbers come from states of layers; that
    attention weights sum to 1; and `count_parameters`.

    Args:
        architecture: the model with its options, as its factory returns it.
        numbers: check it as a model of numbers instead of tokens.

    Raises:
        BrokenPromiseError: the first check that fails; the message is one sentence.
        Exception: the code of the model fails.
    """
    sizes = _SIZES[numbers]
    checked = _Checked.build(architecture, sizes, masked=not numbers)
    _check_names(checked, PluginBuilder(architecture, sizes, masked=not numbers).train())
    counted, found = counted_parameters(architecture, sizes), checked.models.train.count_params()
    require(counted in (None, found), f"count_parameters returns {counted}, but there are {found} weights")
    _check_weights_are_shared(checked)
    _check_gradients(checked)
    _check_random_numbers(checked)
    _check_steps(checked)
    _check_rows(checked)
    _check_saved(checked)
    if not numbers:
        _check_padding(checked)
        _check_steps(_Checked.build(architecture, sizes, masked=False))


@dataclass(frozen=True)
class _Checked:
    """A built model with a batch of examples.

    Args:
        sizes: of its vocabularies.
        models: the three models.
        source: (B, S) int32, or (B, S, F) float32; with padding if lengths vary.
        inputs: decoder inputs, (B, T) int32, or (B, T, 1) float32.
    """

    sizes: Sizes
    models: Models
    source: Any
    inputs: Any

    @classmethod
    def build(cls, architecture: Architecture, sizes: Sizes, *, masked: bool) -> _Checked:
        builder = PluginBuilder(architecture, sizes, masked=masked)
        models = Models(builder.train(), builder.inference_encoder(), builder.inference_decoder())
        random = np.random.default_rng(7)
        for variable in models.train.trainable_variables:  # a bias that is 0 could be forgotten in a step
            variable.assign(_array(variable) + random.normal(scale=0.3, size=variable.shape))
        if sizes.numbers:
            source = random.normal(size=(_ROWS, _SOURCE, sizes.source)).astype(np.float32)
            inputs = random.normal(size=(_ROWS, _TARGET, 1)).astype(np.float32)
            return cls(sizes, models, source, inputs)
        source = random.integers(1, sizes.source, (_ROWS, _SOURCE)).astype(np.int32)
        if masked:
            source[0, 3:], source[1, 4:] = 0, 0
        inputs = random.integers(1, sizes.target, (_ROWS, _TARGET)).astype(np.int32)
        return cls(sizes, models, source, inputs)

    @property
    def pair(self) -> ModelPair:
        return ModelPair(self.models.inference_encoder, self.models.inference_decoder)

    def trained(self, *, training: bool = False) -> Array:
        """Return the output of the training model, (B, T, V)."""
        return _array(self.models.train([self.source, self.inputs], training=training))


def _stepped(pair: ModelPair, source: Any, inputs: Any) -> tuple[Array, list[Array]]:
    """Decode given inputs step by step.

    Returns:
        the outputs (B, T, V) and, of a model with attention, the attention weights of each step (B, S).
    """
    states, memory = pair.begin(tf.constant(source))
    count, outputs, attention = len(states), [], []
    for t in range(inputs.shape[1]):
        given = [tf.constant(inputs[:, t : t + 1]), *states, *memory]
        output, *rest = listed(pair.decoder(given, training=False))
        states = tuple(rest[:count])
        outputs.append(_array(output))
        attention += [_array(weights)[:, 0] for weights in rest[count:]]
    return np.concatenate(outputs, axis=1), attention


# --- weights ------------------------------------------------------------------------------------------------


def _check_names(checked: _Checked, again: keras.Model) -> None:
    paths, others = _paths(checked.models.train), _paths(again)
    require(
        len(paths) == len(others),
        f"it has {len(paths)} weights, and {len(others)} when it is built again",
    )
    for before, after in zip(paths, others, strict=True):
        require(
            before == after,
            f"weight {before} is called {after} when the model is built again; give every layer a name",
        )
        require(paths.count(before) == 1, f"two weights are called {before}; give every layer a name")
    shared = {id(v) for v in checked.models.train.weights} & {id(v) for v in again.weights}
    require(not shared, "two calls of build share weights; make new layers in each")


def _paths(model: keras.Model) -> list[str]:
    return [variable.path for variable in model.weights]


def _check_weights_are_shared(checked: _Checked) -> None:
    trained = {id(variable) for variable in checked.models.train.weights}
    for function, model in (
        ("encode", checked.models.inference_encoder),
        ("step", checked.models.inference_decoder),
    ):
        own = [variable.path for variable in model.weights if id(variable) not in trained]
        require(not own, f"{function} uses {own[0] if own else ''}, a weight that training does not change")


def _check_gradients(checked: _Checked) -> None:
    variables = checked.models.train.trainable_variables
    with tf.GradientTape() as tape:
        output = checked.models.train([checked.source, checked.inputs], training=True)
        loss = tf.reduce_sum(tf.square(output))
    require(bool(variables), "it has no weights that can be trained")
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        require(
            gradient is not None,
            f"the output does not depend on the weight {variable.path}, so it cannot be trained",
        )


def _check_random_numbers(checked: _Checked) -> None:
    variables = checked.models.train.variables
    before = [_array(variable) for variable in variables]
    outputs = []
    for _ in range(2):
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        outputs.append(checked.trained(training=True))
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    require(
        np.array_equal(outputs[0], outputs[1]),
        "training draws random numbers that no layer keeps, so a resumed training would differ; use "
        "keras.layers.Dropout, or a keras.random.SeedGenerator that is an attribute of a layer",
    )


# --- outputs ------------------------------------------------------------------------------------------------


def _check_steps(checked: _Checked) -> None:
    expected = checked.trained()
    found, attention = _stepped(checked.pair, checked.source, checked.inputs)
    require(bool(np.isfinite(expected).all()), "decode returns numbers that are not finite")
    for t in range(expected.shape[1]):
        require(
            _close(found[:, t], expected[:, t]),
            f"step and decode differ at position {t + 1} by up to "
            f"{np.abs(found[:, t] - expected[:, t]).max():.2g}: step must compute what decode computes there",
        )
    for weights in attention:
        right = weights.shape == checked.source.shape[:2] and _close(weights.sum(axis=1), np.ones(_ROWS))
        require(right, "the attention weights of a step must be (B, 1, S), and sum to 1 for each source")
        padding = checked.source == 0 if not checked.sizes.numbers else np.zeros_like(weights, bool)
        require(_close(weights[padding], 0.0), "the attention weights of padding must be 0")


def _check_rows(checked: _Checked) -> None:
    expected = checked.trained()
    for row in range(_ROWS):
        alone = checked.models.train(
            [checked.source[row : row + 1], checked.inputs[row : row + 1]], training=False
        )
        require(_close(_array(alone)[0], expected[row]), "the output for a source depends on the others")


def _check_padding(checked: _Checked) -> None:
    """Check that further padding changes nothing, in training and step by step."""
    source = np.pad(checked.source, [(0, 0), (0, 3)])
    outputs = {
        "decode": (_array(checked.models.train([source, checked.inputs], training=False)), checked.trained()),
        "step": tuple(_stepped(checked.pair, s, checked.inputs)[0] for s in (source, checked.source)),
        "encode (context)": tuple(_context(checked.pair, s) for s in (source, checked.source)),
    }
    for what, (padded, expected) in outputs.items():
        require(
            _close(padded, expected),
            f"padding of the source changes the result of {what}; use the mask that encode receives",
        )


def _context(pair: ModelPair, source: Any) -> Array:
    return _array(listed(pair.encoder(source, training=False))[0])


# --- files --------------------------------------------------------------------------------------------------


def _check_saved(checked: _Checked) -> None:
    with tempfile.TemporaryDirectory() as folder:
        loaded = Models(*_reloaded(checked.models, Path(folder)))
    again = _Checked(checked.sizes, loaded, checked.source, checked.inputs)
    require(np.array_equal(again.trained(), checked.trained()), _OTHER)
    for found, expected in zip(*(_step_outputs(one) for one in (again, checked)), strict=True):
        require(np.array_equal(found, expected), _OTHER)


def _step_outputs(checked: _Checked) -> list[Array]:
    outputs, attention = _stepped(checked.pair, checked.source, checked.inputs)
    return [outputs, *attention]


_OTHER = "a saved and loaded model computes other outputs; check get_config and build of its layers"


def _reloaded(models: Models, folder: Path) -> Iterator[keras.Model]:
    for name, model in vars(models).items():
        model.save(folder / f"{name}.keras")
        try:
            yield load_model_file(folder / f"{name}.keras")
        except (ModelDirectoryError, ValueError, TypeError) as error:
            raise BrokenPromiseError(f"the saved model cannot be loaded: {error}") from error


def _array(x: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(x))


def _close(one: Array, other: Array | float) -> bool:
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE))
