"""Decoders whose recurrence depends on attention: Bahdanau's, and Luong's with input feeding.

In Luong's attention without input feeding the recurrence does not depend on attention. There `seq2seq.py`
applies Keras's attention layer to all steps at once.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from job.models.recurrent import CellOptions
from job.models.time_loops import empty, filled, loop


def masked_softmax(scores: Any, mask: Any) -> Any:
    """Return attention weights: scores (B, S) float32, mask (B, S) bool or None -> (B, S), with sum 1."""
    if mask is not None:
        scores = ops.where(mask, scores, -1e9 if scores.dtype != "float16" else -6e4)
    if not keras.backend.is_keras_tensor(scores):
        return tf.nn.softmax(scores, axis=-1)
    grown = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
    return grown / ops.sum(grown, axis=-1, keepdims=True)  # `ops.softmax` warns about sources of one token


_SCORES = {"luong_dot": (False, False), "luong_general": (True, False), "bahdanau": (True, True)}
"""For each score, whether it projects the query, and whether it adds projected keys to the query."""


@keras.saving.register_keras_serializable(package="seq2seq_job")
class AttentionDecoder(keras.layers.Layer):  # type: ignore[misc]
    """A recurrent decoder that attends to the encoder outputs at every step.

    With s the state of the top cell, m the encoder outputs (the memory) and x the inputs:

    - `bahdanau` (Bahdanau et al. 2015, A.1.2 and A.2.2): e_tj = v . tanh(W s_(t-1) + U m_j), c_t is
      the mean of m weighted by softmax(e_t); the input of the cells is [x_t; c_t].
    - `luong_dot`, `luong_general` with input feeding (Luong et al. 2015, equation 8 and section 3.3): the
      input of the cells is [x_t; a_(t-1)]; e_tj = s_t . m_j or s_t . W m_j; c_t as above.

    The output is Luong's attentional vector a_t = tanh(W_c [c_t; s_t]) (equation 5), also for `bahdanau`,
    where the paper has a maxout layer.

    Args:
        cell: Kind of the cells, `lstm` or `gru`.
        units: Number of units H.
        layers: Number of stacked cells.
        score: Attention score; see above.
        residual: Whether each cell above the first adds its input to its output.
        dropout: Fraction of the inputs of each cell above the first that is dropped in training; each step
            draws its own dropout mask.
        cell_options: Further arguments of every cell.
        return_outputs: Whether the outputs s_t of the top cell are returned too.
    """

    def __init__(
        self,
        *,
        cell: str,
        units: int,
        layers: int,
        score: str,
        residual: bool = False,
        dropout: float = 0.0,
        cell_options: CellOptions | None = None,
        return_outputs: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.return_outputs = return_outputs
        self._arguments = {
            "cell": cell, "units": units, "layers": layers, "score": score, "residual": residual,
            "dropout": dropout, "cell_options": cell_options or {}, "return_outputs": return_outputs,
        }  # fmt: skip
        kind = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}[cell]
        self.cells = [kind(units, name=f"cell_{i + 1}", **(cell_options or {})) for i in range(layers)]
        self.units, self.score, self.residual, self.dropout = units, score, residual, dropout
        self.seed_generator = keras.random.SeedGenerator() if dropout else None
        self.states_per_cell = {"lstm": 2, "gru": 1}[cell]
        dense = keras.layers.Dense
        self.combine = dense(units, activation="tanh", use_bias=False, name="attentional")
        projects, adds = _SCORES[score]
        self.query = dense(units, use_bias=False, name="query") if projects else None
        self.keys = dense(units, use_bias=False, name="keys") if adds else None
        self.energy = dense(1, use_bias=False, name="energy") if adds else None

    @property
    def feeds(self) -> bool:
        """Whether the model has input feeding: the previous attentional vector is the last of the states."""
        return self.score != "bahdanau"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` needs."""
        return {**super().get_config(), **self._arguments}

    def build(self, inputs_shape: Any, states_shape: Any, memory_shape: Any, mask_shape: Any = None) -> None:
        """Create the weights."""
        width = inputs_shape[-1] + (self.units if self.feeds else memory_shape[-1])
        for cell in self.cells:
            cell.build((None, width))
            width = self.units
        self.combine.build((None, memory_shape[-1] + self.units))
        if self.query is not None:
            self.query.build((None, self.units))
        if self.keys is not None and self.energy is not None:
            self.keys.build((None, memory_shape[-1]))
            self.energy.build((None, self.units))

    def compute_output_spec(
        self, inputs: Any, states: Any, memory: Any, mask: Any = None, training: bool = False
    ) -> tuple[keras.KerasTensor, ...]:
        """Return the shapes and dtypes of the outputs; without this method Keras would trace `call`."""
        rows, steps, _ = inputs.shape
        shapes = [
            (rows, steps, self.units),
            (rows, steps, memory.shape[1]),
            *[(rows, steps, self.units)] * self.return_outputs,
            *[(rows, self.units)] * len(states),
        ]
        return tuple(keras.KerasTensor(shape, inputs.dtype) for shape in shapes)

    def call(self, inputs: Any, states: Any, memory: Any, mask: Any = None, training: bool = False) -> Any:
        """Decode all steps of given inputs (teacher forcing).

        Args:
            inputs: (B, T, F) float32.
            states: h (and c) of each cell, then with input feeding the attentional vector; each (B, H).
            memory: Encoder outputs, (B, S, H) float32.
            mask: (B, S) bool, False for padding; None without padding.
            training: Whether dropout is applied.

        Returns:
            The attentional vectors (B, T, H), the attention weights (B, T, S), with `return_outputs` the
            outputs of the top cell (B, T, H), and the states after the last step.
        """
        time_major = tf.transpose(inputs, [1, 0, 2])
        keys = memory if self.keys is None else self.keys(memory)
        steps = filled(time_major)
        dropout = [filled(factors) for factors in self._draw_input_dropout(time_major, training)]
        self._draw_recurrent_dropout(states, training)

        count = 2 + self.return_outputs

        def body(t: Any, *variables: Any) -> tuple[Any, ...]:
            now, before = [factors.read(t) for factors in dropout], variables[count:]
            *found, after = self._advance(steps.read(t), before, memory, keys, mask, now, training)
            written = (array.write(t, x) for array, x in zip(variables[:count], found, strict=False))
            return (*written, *after)

        found = loop(time_major, body, (*empty(time_major, count), *states))
        self._draw_recurrent_dropout(states, training=False)
        outputs, weights, *cells = (array.stack() for array in found[:count])
        outputs, *cells = (tf.ensure_shape(x, [inputs.shape[1], None, self.units]) for x in (outputs, *cells))
        return *(tf.transpose(x, [1, 0, 2]) for x in (outputs, weights, *cells)), *found[count:]

    def step(self, x: Any, states: Any, memory: Any, mask: Any = None) -> tuple[Any, Any, Any, list[Any]]:
        """Take one step without dropout, using only Keras's own layers and operations.

        Called on symbolic tensors, it becomes part of a functional model that loads without this class.

        Args:
            x: (B, F) float32.
            states, memory, mask: See `call`.

        Returns:
            The attentional vector (B, H), the attention weights (B, S), the output of the top cell (B, H),
            and the states after the step.
        """
        keys = memory if self.keys is None else self.keys(memory)
        output, weights, h, after = self._advance(x, states, memory, keys, mask, [], training=False)
        return output, weights, h, list(after)

    def _advance(
        self, x: Any, states: Any, memory: Any, keys: Any, mask: Any, factors: list[Any], training: bool
    ) -> tuple[Any, Any, Any, tuple[Any, ...]]:
        """Take one step: x (B, F) -> attentional vector (B, H), attention weights (B, S), output of the top
        cell (B, H), states.
        """
        cells, top = states[: len(self.cells) * self.states_per_cell], (len(self.cells) - 1)
        if self.feeds:
            after, h = self._run_cells(ops.concatenate([x, states[-1]], axis=-1), cells, factors, training)
            context, weights = self._attend(h, memory, keys, mask)
        else:
            context, weights = self._attend(cells[top * self.states_per_cell], memory, keys, mask)
            after, h = self._run_cells(ops.concatenate([x, context], axis=-1), cells, factors, training)
        output = self.combine(ops.concatenate([context, h], axis=-1))
        return output, weights, h, (*after, output) if self.feeds else tuple(after)

    def _draw_recurrent_dropout(self, states: Any, training: bool) -> None:
        """Draw the recurrent dropout mask of each cell outside the loop, since all steps share it."""
        for height, cell in enumerate(self.cells):
            cell.reset_recurrent_dropout_mask()
            if training and cell.recurrent_dropout:
                cell.get_recurrent_dropout_mask(states[height * self.states_per_cell])

    def _draw_input_dropout(self, time_major: Any, training: bool) -> list[Any]:
        """Draw the dropout factors of the inputs of each cell above the first, (T, B, H) each."""
        if not (training and self.dropout):
            return []
        ones = tf.ones_like(time_major[:, :, :1]) * tf.ones([self.units], time_major.dtype)
        return [keras.random.dropout(ones, self.dropout, seed=self.seed_generator) for _ in self.cells[1:]]

    def _run_cells(self, x: Any, states: Any, factors: list[Any], training: bool) -> tuple[list[Any], Any]:
        """Run the stacked cells for one step; return their states and the output of the top cell, (B, H)."""
        after: list[Any] = []
        for height, cell in enumerate(self.cells):
            n = self.states_per_cell
            x = x * factors[height - 1] if factors and height else x
            output, new = cell(x, list(states[height * n : (height + 1) * n]), training=training)
            after += new if isinstance(new, list | tuple) else [new]
            x = output + x if self.residual and height else output
        return after, x

    def _attend(self, query: Any, memory: Any, keys: Any, mask: Any) -> tuple[Any, Any]:
        """Return the context (B, H) and the attention weights (B, S) of a query (B, H)."""
        if self.query is not None:
            query = self.query(query)
        if self.energy is not None:
            scores = self.energy(ops.tanh(ops.expand_dims(query, 1) + keys))
        else:
            scores = ops.matmul(keys, ops.expand_dims(query, -1))
        weights = masked_softmax(ops.squeeze(scores, -1), mask)
        context = ops.matmul(ops.expand_dims(weights, 1), memory)
        return ops.squeeze(context, 1), weights
