"""The interface of a model of another package, and how it is loaded; nothing here imports TensorFlow.

A package offers an `Architecture`. Its `build` makes the layers, as a `Network` of three functions from which
`plugin_builder.py` assembles the models to train, to save and to decode with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from job.spec.entry_points import MODELS
from job.spec.factories import BrokenPromiseError, call_factory, reporting_bugs, require
from job.spec.model_section import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the inputs and the output that a model is built for.

    Args:
        source: number of classes of the source vocabulary; for numbers, of columns of the series.
        target: number of classes of the target vocabulary; 1 for numbers. The width of the output.
        numbers: whether both sides are numbers instead of token ids.
    """

    source: int
    target: int
    numbers: bool = False


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What a network's encoder passes to its decoder: Keras tensors whose first axis is B, the rows.

    Args:
        context: a vector of each source, (B, C) floating-point: reports project it, and `encode` writes it.
        states: name -> the state before the first target position. Each step replaces the states by others
            of the same shapes and dtypes, with at most three axes.
        memory: name -> what all steps read and none changes: encoder outputs, keys, the mask. A tensor with
            four axes is keys or values of attention heads, (B, heads, S, width).
        caches: name -> (heads, width) of a state (B, heads, T, width) that is empty at first, T = 0, and that
            each step extends by one position: the keys or the values of self-attention.
    """

    context: Any
    states: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    caches: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a network's decoder returns for one position.

    Args:
        output: logits, (B, 1, V); for numbers the value, (B, 1, 1).
        states: name -> the next state, for each name in `Encoded.states` and `Encoded.caches`.
        attention: the weights of the source positions, (B, 1, S), with sum 1 and 0 for padding; None for a
            model without attention. Attention plots, `coverage_penalty` and `predict(attention=True)` need
            them.
    """

    output: Any
    states: Mapping[str, Any]
    attention: Any = None


class Network(Protocol):
    """The layers of a model, and three functions that connect them; B rows, S and T positions.

    The functions are called with symbolic Keras tensors, more than once, and must use the same layers each
    time. Everything they compute is by Keras layers and `keras.ops`. Every layer has a name of its own.
    """

    def encode(self, source: Any, mask: Any) -> Encoded:
        """Encode sources.

        Args:
            source: (B, S) int32, padded on the right with 0; for numbers (B, S, F) float32.
            mask: (B, S) bool, False for padding; None where all sources have one length.
        """

    def decode(self, inputs: Any, encoded: Encoded) -> Any:
        """Return the output for all positions of given decoder inputs (teacher forcing).

        Args:
            inputs: (B, T) int32, the start id and then the target without its last id; for numbers
                (B, T, 1) float32.
            encoded: the result of `encode`.

        Returns:
            logits, (B, T, V); for numbers values, (B, T, 1). Those of position t depend on the inputs up to
            t alone.
        """

    def step(self, inputs: Any, states: Mapping[str, Any], memory: Mapping[str, Any]) -> Step:
        """Return the output for one position: what `decode` returns there.

        Args:
            inputs: the input of this position, (B, 1) int32; for numbers (B, 1, 1) float32.
            states: name -> the state before this position, also of the caches.
            memory: name -> `Encoded.memory`.
        """


class Architecture(Protocol):
    """A model of another package, with its options.

    It may also have `count_parameters(sizes) -> int`, the number of weights of the model that `build` makes:
    then `plan` shows it, and estimates of a job's time depend on it.
    """

    def build(self, sizes: Sizes) -> Network:
        """Make the layers; two calls make independent ones with the same names.

        Raises:
            DataError: there is no such model, for example of numbers.
        """


Factory: TypeAlias = Callable[[Mapping[str, Any]], Architecture]
"""The object that an entry point of the group `seq2seq_job.models` names: called with the spec's `options`.

It raises `ValueError` or `DataError` if the options are wrong. The commands `validate` and `plan` call it, so
it should import Keras and TensorFlow in `build` only.
"""


def load_architecture(spec: ModelSpec) -> Architecture:
    """Load the model that a spec with architecture `plugin` names.

    Raises:
        DataErrors: there is no such model, it cannot be loaded, or it rejects its options; keys are those of
            the section.
    """
    assert spec.name is not None
    with reporting_bugs(MODELS, spec.name):
        architecture: Architecture = call_factory(MODELS, spec.name, spec.options)
        require_build(architecture)
    return architecture


def require_build(architecture: object) -> None:
    """Raise `BrokenPromiseError` unless an object has the function `build` of an architecture."""
    require(callable(getattr(architecture, "build", None)), "it lacks build(sizes)")


def count_plugin_parameters(spec: ModelSpec, sizes: Sizes) -> int | None:
    """Return the number of weights that a plugin's package counts; None if it does not count them.

    Raises:
        DataErrors: as in `load_architecture`, or counting fails.
    """
    assert spec.name is not None
    with reporting_bugs(MODELS, spec.name):
        return counted_parameters(load_architecture(spec), sizes)


def counted_parameters(architecture: Architecture, sizes: Sizes) -> int | None:
    """Return the result of an architecture's `count_parameters`; None if it has none.

    Raises:
        BrokenPromiseError: the result is not a number of weights.
        Exception: counting fails.
    """
    count: Callable[[Sizes], object] | None = getattr(architecture, "count_parameters", None)
    if count is None:
        return None
    found = count(sizes)
    if type(found) is not int or found < 0:
        raise BrokenPromiseError(f"count_parameters must return a whole number from 0, found {found!r}")
    return found
