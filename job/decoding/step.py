"""What a search asks of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Step = Callable[[Any, Any], tuple[Any, Any]]
"""(symbols (N,) int32, states) -> (logits (N, V) float32, next states). States are any nest of tensors whose
first axis is N."""


def repeat_states(states: Any, times: int) -> Any:
    """Repeat each row of every tensor, side by side: first axis N -> N * times."""
    return tf.nest.map_structure(lambda x: tf.repeat(x, times, axis=0), states)


def gather_states(states: Any, rows: Any) -> Any:
    """Take rows, (M,) int32, of every tensor: first axis N -> M."""
    return tf.nest.map_structure(lambda x: tf.gather(x, rows), states)
