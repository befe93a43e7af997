"""The step function that every search calls, and operations on its states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Step = Callable[[Any, Any], tuple[Any, Any]]
"""A function that decodes one symbol: (symbols (N,) int32, states) -> (logits (N, V) float32, next states).

N is the number of rows and V the number of classes. The states are any nest of tensors whose first axis has
length N.
"""


def class_count(logits: Any) -> Any:
    """Return the number of classes V: an int where it is known when the search is compiled, else a scalar."""
    return tf.shape(logits)[-1] if logits.shape[-1] is None else logits.shape[-1]


def repeat_states(states: Any, times: int) -> Any:
    """Repeat each row of every tensor, with the copies next to each other: first axis N -> N * times."""
    return tf.nest.map_structure(lambda x: tf.repeat(x, times, axis=0), states)


def gather_states(states: Any, rows: Any) -> Any:
    """Select rows of every tensor by their indices, (M,) int32: first axis N -> M."""
    return tf.nest.map_structure(lambda x: tf.gather(x, rows), states)
