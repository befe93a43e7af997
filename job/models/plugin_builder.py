"""Assemble the three Keras models of a network of another package, and check the shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from job.models.architecture_plugin import Architecture, Encoded, Sizes, Step, require_build
from job.models.inputs import named, sequence_input, source_mask
from job.spec.entry_points import MODELS
from job.spec.factories import BrokenPromiseError, reporting_bugs, require

OUTPUT = "outputs"
"""Name of the output of the training model and of the decoder."""


class PluginBuilder:
    """Builder of the three models: builds the network once and connects it to inputs and outputs.

    The inference models have outputs and inputs with these names:

    - encoder: source (B, S) -> `context`, `state_NAME` for each state, `memory_NAME` for each memory.
    - decoder: `previous_symbol` (B, 1), the states, the caches `state_NAME` and the memory -> `outputs`
      (B, 1, V), the next states and caches, and with attention `attention_weights` (B, 1, S).

    Args:
        architecture: the model of another package.
        sizes: of its vocabularies.
        masked: whether source lengths vary, with id 0 as padding on the right.
        name: name of its entry point, for errors; None to let its exceptions pass.

    Raises:
        DataErrors: the network has a bug; also raised by the methods.
    """

    def __init__(
        self, architecture: Architecture, sizes: Sizes, *, masked: bool, name: str | None = None
    ) -> None:
        self.sizes, self.masked, self.name = sizes, masked, name
        with self._reporting():
            require_build(architecture)
            self.network = architecture.build(sizes)
            lacking = [
                f for f in ("encode", "decode", "step") if not callable(getattr(self.network, f, None))
            ]
            require(not lacking, f"the result of build lacks {', '.join(lacking)}")

    def _reporting(self) -> AbstractContextManager[None]:
        return nullcontext() if self.name is None else reporting_bugs(MODELS, self.name)

    def train(self) -> keras.Model:
        """Build `Models.train`."""
        with self._reporting():
            source = self._input("source", None, self.sizes.source)
            inputs = self._input("decoder_input", None, self.sizes.target)
            output = self.network.decode(inputs, self._encode(source))
            _check_tensor("the result of decode", output, (None, None, self.sizes.target), exact=(2,))
            return _model([source, inputs], named(OUTPUT, output), "train")

    def inference_encoder(self) -> keras.Model:
        """Build `Models.inference_encoder`."""
        with self._reporting():
            source = self._input("source", None, self.sizes.source)
            encoded = self._encode(source)
            outputs = [named("context", encoded.context)]
            outputs += [named(f"state_{name}", state) for name, state in encoded.states.items()]
            outputs += [named(f"memory_{name}", memory) for name, memory in encoded.memory.items()]
            return _model(source, outputs, "inference_encoder")

    def inference_decoder(self) -> keras.Model:
        """Build `Models.inference_decoder`."""
        with self._reporting():
            encoded = self._encode(self._input("source", None, self.sizes.source))
            states = {name: _input_like(f"state_{name}", x) for name, x in encoded.states.items()}
            for name, (heads, width) in encoded.caches.items():
                states[name] = keras.Input((heads, None, width), name=f"state_{name}")
            memory = {name: _input_like(f"memory_{name}", x) for name, x in encoded.memory.items()}
            inputs = self._input("previous_symbol", 1, self.sizes.target)
            found = self.network.step(inputs, dict(states), dict(memory))
            _check_step(found, states, self.sizes)
            outputs = [named(OUTPUT, found.output)]
            outputs += [named(f"next_{name}", found.states[name]) for name in states]
            if found.attention is not None:
                outputs.append(named("attention_weights", found.attention))
            return _model([inputs, *states.values(), *memory.values()], outputs, "inference_decoder")

    def _input(self, name: str, length: int | None, size: int) -> Any:
        return sequence_input((length,), size, name, numbers=self.sizes.numbers)

    def _encode(self, source: Any) -> Encoded:
        mask = None if self.sizes.numbers else source_mask(source, self.masked)
        encoded = self.network.encode(source, mask)
        require(isinstance(encoded, Encoded), "encode must return a job.models.architecture_plugin.Encoded")
        for field in ("states", "caches", "memory"):
            _check_mapping(f"{field} of Encoded", getattr(encoded, field))
        _check_names([*encoded.states, *encoded.caches], "states and caches")
        for name, form in encoded.caches.items():
            pair = isinstance(form, tuple) and len(form) == 2 and all(type(size) is int for size in form)
            require(pair, f"cache {name!r} must be (heads, width), found {form!r}")
        _check_names(encoded.memory, "memory")
        _check_tensor("context", encoded.context, (None, None), exact=())
        require(isinstance(encoded.context.shape[1], int), "context must have a fixed width")
        for name, state in encoded.states.items():
            _check_rows(f"state {name!r}", state)
            require(len(state.shape) <= 3, f"state {name!r} has more than three axes; {_CACHE}")
        for name, memory in encoded.memory.items():
            _check_rows(f"memory {name!r}", memory)
            heads = len(memory.shape) != 4 or None not in (memory.shape[1], memory.shape[3])
            require(heads, f"memory {name!r} with four axes must be (rows, heads, S, width)")
        return encoded


def _model(inputs: Any, outputs: Any, name: str) -> keras.Model:
    try:
        return keras.Model(inputs, outputs, name=name)
    except ValueError as error:
        twice = re.search('The name "(.*)" is used', str(error))
        if twice is None:
            raise
        raise BrokenPromiseError(
            f"two layers, or a layer and a tensor of the interface, are called {twice[1]!r}; rename the layer"
        ) from error


_CACHE = "keys or values that grow with the target belong into caches"


def _input_like(name: str, x: Any) -> Any:
    return keras.Input(x.shape[1:], dtype=x.dtype, name=name)


def _check_names(names: Iterable[object], what: str) -> None:
    listed = [*names]
    for name in listed:
        valid = isinstance(name, str) and name.isidentifier()
        require(valid, f"the names of {what} must be Python identifiers, found {name!r}")
        require(listed.count(name) == 1, f"{name!r} is the name of a state and of a cache")


def _check_mapping(what: str, found: object) -> None:
    require(isinstance(found, Mapping), f"{what} must be a dict, found {type(found).__name__}")


def _check_rows(what: str, x: Any) -> None:
    require(keras.backend.is_keras_tensor(x), f"{what} must be a Keras tensor, found {type(x).__name__}")
    require(len(x.shape) >= 1 and x.shape[0] is None, f"{what} must have one row for each source")


def _check_tensor(
    what: str, x: Any, shape: tuple[int | None, ...], *, exact: tuple[int, ...] | None = None
) -> None:
    """Check the number of axes and the lengths of the axes in `exact`; of all if it is None."""
    _check_rows(what, x)
    axes = range(1, len(shape)) if exact is None else exact
    right = len(x.shape) == len(shape) and all(x.shape[i] == shape[i] for i in axes)
    require(right, f"{what} must have shape {_shown(shape)}, found {_shown(x.shape)}")
    floating = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
    require(floating, f"{what} must be floating-point, found {x.dtype}")


def _check_step(found: Step, states: Mapping[str, Any], sizes: Sizes) -> None:
    require(isinstance(found, Step), "step must return a job.models.architecture_plugin.Step")
    _check_tensor("the output of step", found.output, (None, 1, sizes.target))
    _check_mapping("states of Step", found.states)
    same = set(found.states) == set(states)
    require(same, f"step must return the states {_list(states)}, found {_list(found.states)}")
    for name, before in states.items():
        after = found.states[name]
        _check_rows(f"state {name!r} after a step", after)
        form = (len(before.shape), keras.backend.standardize_dtype(before.dtype))
        found_form = (len(after.shape), keras.backend.standardize_dtype(after.dtype))
        require(
            form == found_form and _fits(before.shape, after.shape),
            f"state {name!r} must stay {_shown(before.shape)} of {before.dtype} in a step, found "
            f"{_shown(after.shape)} of {after.dtype}",
        )
    if found.attention is not None:
        _check_tensor("the attention of step", found.attention, (None, 1, None), exact=(1,))


def _fits(before: tuple[int | None, ...], after: tuple[int | None, ...]) -> bool:
    return all(length in (None, new) for length, new in zip(before, after, strict=True))


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"
