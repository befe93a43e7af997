"""LSTM and GRU layers with a faster training implementation for the CPU.

The fused layers store their weights in the layout of Keras's layers and compute the same function, so weights
can be copied between the two. They are faster because

- one-hot inputs are never built: the input projection gathers rows of the kernel;
- the backward pass is written out: it reads the gate activations stored by the forward pass, and computes the
  gradient of the recurrent kernel in one matrix product after the loop instead of one for each step;
- padding on the right needs no mask in the loop: every step is computed, and the state after the last valid
  step of each row is selected afterwards. The padding steps get no gradient.

With a `training.precision` of 16 bits only the matrix products have it. Gates, states and their gradients are
float32, so that no rounding adds up over the steps; the results are rounded once.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import keras
import tensorflow as tf

from job.models.time_loops import empty, filled, is_unrolled, loop

Kernel = Literal["fused", "cudnn", "keras"]
"""Implementation of the recurrent layers: `fused`, the layers of this module; `keras`, Keras's own loop;
`cudnn`, Keras's layers with cuDNN."""


class CellOptions(TypedDict, total=False):
    """Keyword arguments of Keras's recurrent layers and cells that a spec can set."""

    kernel_initializer: str
    recurrent_initializer: str
    recurrent_dropout: float


_sigmoid_gradient, _tanh_gradient = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad
"""Gradients in one operation, from the value y and its gradient dy: dy y (1 - y), and dy (1 - y^2)."""


def _previous(initial: Any, states: Any) -> Any:
    """Return the state before each step, (T, B, H): `initial`, then all of `states` except the last."""
    return tf.concat([initial[None], states[:-1]], axis=0)


def _exact(x: Any) -> Any:
    """Return a tensor of 16 bits as float32, any other as it is."""
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


def _product(states: Any, kernel: Any) -> Any:
    """Return states times a kernel, multiplied in the kernel's precision, see `_exact`."""
    return _exact(tf.matmul(tf.cast(states, kernel.dtype), kernel))


def _weight_gradient(states: Any, gradients: Any, precision: Any) -> Any:
    """Return the sum over steps and rows of state^T gradient: (T, B, H), (T, B, G) -> (H, G)."""
    flat = [tf.cast(tf.reshape(x, [-1, x.shape[-1]]), precision) for x in (states, gradients)]
    return tf.matmul(flat[0], flat[1], transpose_a=True)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def lstm_steps(z: Any, recurrent_kernel: Any, *state: Any) -> Any:
    """Run an LSTM over projected inputs (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    Args:
        z: Inputs times the input kernel, plus the bias: (T, B, 4H) float32, gates in Keras's
            order i, f, c, o. If it is bfloat16 or float16, so are the other arguments and the results.
        recurrent_kernel: (H, 4H) float32.
        state: h and c before the first step, each (B, H) float32. Without them the initial states are zero,
            and an unrolled loop omits the products with them.

    Returns:
        The states h and c after each step, each (T, B, H) float32.
    """
    precision, z = z.dtype, _exact(z)
    begin: tuple[Any, ...] = tuple(map(_exact, state))
    if not state:
        begin = (None, None) if is_unrolled(z) else 2 * (tf.zeros_like(z[0, :, : z.shape[-1] // 4]),)

    def forward(t: Any, h: Any, c: Any, *kept: Any) -> tuple[Any, ...]:
        gates = inputs.read(t) if h is None else inputs.read(t) + _product(h, recurrent_kernel)
        values = _lstm_step(gates, c)
        return (*values[-2:], *(a.write(t, v) for a, v in zip(kept, values, strict=True)))

    inputs = filled(z)
    kept = loop(z, forward, (*begin, *empty(z, 8)))[2:]
    hs, cs = kept[6].stack(), kept[7].stack()

    def gradient(dhs: Any, dcs: Any) -> tuple[Any, ...]:
        dz, *dstate = _lstm_backward(z, recurrent_kernel, kept[:6], _exact(dhs), _exact(dcs))
        if begin[0] is None:
            dkernel = _weight_gradient(hs[:-1], dz[1:], precision)
        else:
            dkernel = _weight_gradient(_previous(begin[0], hs), dz, precision)
        gradients = (dz, dkernel, *dstate) if state else (dz, dkernel)
        return tuple(tf.cast(x, precision) for x in gradients)

    return (tf.cast(hs, precision), tf.cast(cs, precision)), gradient


def _lstm_step(gates: Any, before: Any) -> tuple[Any, ...]:
    """Take one step of an LSTM.

    Args:
        gates: The four gates before activation, (B, 4H).
        before: Cell state before the step, (B, H); None for zeros.

    Returns:
        The gates i, f, g, o, the tanh of the new cell state, the cell state before, the new states h and c.
    """
    zi, zf, zg, zo = tf.split(gates, 4, axis=1)
    i, f, g, o = tf.sigmoid(zi), tf.sigmoid(zf), tf.tanh(zg), tf.sigmoid(zo)
    c = i * g if before is None else f * before + i * g
    tanh_c = tf.tanh(c)
    return i, f, g, o, tanh_c, before, o * tanh_c, c


def _lstm_backward(
    z: Any, recurrent_kernel: Any, kept: tuple[Any, ...], dhs: Any, dcs: Any
) -> tuple[Any, Any, Any]:
    """Run the backward pass of an LSTM.

    Args:
        z, recurrent_kernel: See `lstm_steps`.
        kept: Arrays of the first six results of `_lstm_step` at each step.
        dhs, dcs: Gradients of the states after each step, each (T, B, H).

    Returns:
        The gradients of the projected inputs, (T, B, 4H), and of the states before the first step, (B, H).
    """
    transposed = tf.transpose(recurrent_kernel)  # once: a product with a transposed operand is slower
    dh_steps, dc_steps = filled(dhs), filled(dcs)
    last = tf.shape(z)[0] - 1 if not is_unrolled(z) else z.shape[0] - 1

    def backward(step: Any, dh: Any, dc: Any, dzs: Any) -> tuple[Any, ...]:
        t = last - step
        values = tuple(a.read(t) for a in kept)
        dz, dc = _lstm_step_gradient(values, dh + dh_steps.read(t), dc + dc_steps.read(t))
        return _product(dz, transposed), dc, dzs.write(t, dz)

    zeros = tf.zeros_like(dhs[0])
    dh, dc, dzs = loop(z, backward, (zeros, zeros, *empty(z, 1)))
    return dzs.stack(), dh, dc


def _lstm_step_gradient(values: tuple[Any, ...], dh: Any, dc: Any) -> tuple[Any, Any]:
    """Return the gradients of one step's gates before activation and of the cell state before the step.

    Args:
        values: The first six results of `_lstm_step`.
        dh, dc: Gradients of the states after the step, each (B, H).

    Returns:
        (B, 4H) and (B, H).
    """
    i, f, g, o, tanh_c, before = values
    dc = dc + _tanh_gradient(y=tanh_c, dy=dh * o)
    di, dg = _sigmoid_gradient(y=i, dy=dc * g), _tanh_gradient(y=g, dy=dc * i)
    df = tf.zeros_like(f) if before is None else _sigmoid_gradient(y=f, dy=dc * before)
    do = _sigmoid_gradient(y=o, dy=dh * tanh_c)
    return tf.concat([di, df, dg, do], axis=1), dc * f


@tf.custom_gradient  # type: ignore[untyped-decorator]
def gru_steps(z: Any, h0: Any, recurrent_kernel: Any, recurrent_bias: Any) -> Any:
    """Run a GRU over projected inputs (Cho et al. 2014; reset gate after the product, as in cuDNN).

    Args:
        z: Inputs times the input kernel, plus the input bias: (T, B, 3H) float32, gates in Keras's order.
            If it is bfloat16 or float16, so are the other arguments and the results.
        h0: State before the first step, (B, H) float32.
        recurrent_kernel: (H, 3H) float32.
        recurrent_bias: (3H,) float32.

    Returns:
        The state after each step, (T, B, H) float32.
    """
    precision, z, h0, bias = z.dtype, _exact(z), _exact(h0), _exact(recurrent_bias)

    def forward(t: Any, h: Any, *kept: Any) -> tuple[Any, ...]:
        xz, xr, xh = tf.split(inputs.read(t), 3, axis=1)
        rz, rr, rh = tf.split(_product(h, recurrent_kernel) + bias, 3, axis=1)
        update, reset = tf.sigmoid(xz + rz), tf.sigmoid(xr + rr)
        candidate = tf.tanh(xh + reset * rh)
        h = update * h + (1 - update) * candidate
        return (h, *(a.write(t, v) for a, v in zip(kept, (update, reset, candidate, rh, h), strict=True)))

    inputs = filled(z)
    kept = loop(z, forward, (h0, *empty(z, 5)))[1:]
    hs = kept[4].stack()

    def gradient(dhs: Any) -> tuple[Any, ...]:
        dz, dr, dh = _gru_backward(z, recurrent_kernel, kept[:4], h0, hs, _exact(dhs))
        dkernel = _weight_gradient(_previous(h0, hs), dr, precision)
        return tuple(tf.cast(x, precision) for x in (dz, dh, dkernel, tf.reduce_sum(dr, axis=[0, 1])))

    return tf.cast(hs, precision), gradient


def _gru_backward(
    z: Any, recurrent_kernel: Any, kept: tuple[Any, ...], h0: Any, hs: Any, dhs: Any
) -> tuple[Any, Any, Any]:
    """Run the backward pass of a GRU.

    Args:
        z, recurrent_kernel: See `gru_steps`.
        kept: Arrays of the update gate, the reset gate, the candidate state and the recurrent part of the
            candidate state at each step.
        h0: State before the first step, (B, H).
        hs: State after each step, (T, B, H).
        dhs: Gradients of `hs`.

    Returns:
        The gradients of the projected inputs and of the recurrent products, each (T, B, 3H), and of the state
        before the first step, (B, H).
    """
    transposed = tf.transpose(recurrent_kernel)
    dh_steps, h_before = filled(dhs), filled(_previous(h0, hs))
    last = tf.shape(z)[0] - 1 if not is_unrolled(z) else z.shape[0] - 1

    def backward(step: Any, dh: Any, dzs: Any, drs: Any) -> tuple[Any, ...]:
        t = last - step
        update, reset, candidate, rh = (a.read(t) for a in kept)
        dh = dh + dh_steps.read(t)
        d_update = _sigmoid_gradient(y=update, dy=dh * (h_before.read(t) - candidate))
        d_candidate = _tanh_gradient(y=candidate, dy=dh * (1 - update))
        d_reset = _sigmoid_gradient(y=reset, dy=d_candidate * rh)
        dr = tf.concat([d_update, d_reset, d_candidate * reset], axis=1)
        dz = tf.concat([d_update, d_reset, d_candidate], axis=1)
        dh = dh * update + _product(dr, transposed)
        return dh, dzs.write(t, dz), drs.write(t, dr)

    dh, dzs, drs = loop(z, backward, (tf.zeros_like(h0), *empty(z, 2)))
    return dzs.stack(), drs.stack(), dh


class _Fused:
    """Base class of the two fused layers: the weights and the input projection.

    Inputs are token ids (B, T) int32, or vectors (B, T, F) float32. The layers are called like Keras's
    recurrent layers with `return_sequences=True` and `return_state=True`. A mask must be padded on the right,
    and no row may be all padding.

    Args:
        units: Number of units H.
        input_size: Number of classes of token ids; None for vectors.
        options: Further arguments of Keras's layer.
    """

    cell: Any
    units: int

    def __init__(self, units: int, *, input_size: int | None = None, **options: Any) -> None:
        super().__init__(units, return_sequences=True, return_state=True, **options)  # type: ignore[call-arg]
        self.input_size = input_size
        self.input_spec = None  # Keras would require three axes; token ids have two

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Create the weights; for token ids, those of a layer with one-hot inputs of `input_size` classes."""
        size = sequences_shape[-1] if self.input_size is None else self.input_size
        super().build((None, None, size))  # type: ignore[misc]

    def _project(self, sequences: Any, bias: Any) -> Any:
        """Return the inputs times the input kernel, plus `bias`, time-major: (T, B, 4H) or (T, B, 3H)."""
        kernel = tf.convert_to_tensor(self.cell.kernel)
        if self.input_size is not None:
            return tf.gather(kernel, tf.transpose(sequences)) + bias
        time_major = tf.transpose(sequences, [1, 0, 2])
        flat = tf.matmul(tf.reshape(time_major, [-1, time_major.shape[-1]]), kernel) + bias
        return tf.reshape(flat, [*_sizes(time_major)[:2], kernel.shape[-1]])


def _sizes(tensor: Any) -> list[Any]:
    """Return the shape of a tensor: an int where it is static, else a scalar tensor."""
    dynamic = tf.shape(tensor)
    return [dynamic[i] if size is None else size for i, size in enumerate(tensor.shape)]


def _last_valid(states: Any, mask: Any) -> Any:
    """Return the state after the last valid step of each row: (T, B, H), (B, T) bool or None -> (B, H)."""
    if mask is None:
        return states[-1]
    last = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1) - 1
    return tf.gather_nd(states, tf.stack([last, tf.range(tf.shape(last)[0])], axis=1))


class FusedLSTM(_Fused, keras.layers.LSTM):  # type: ignore[misc]
    """`keras.layers.LSTM` with default activations, computed by `lstm_steps`."""

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the outputs (B, T, H) and the states h and c after the last valid step, each (B, H)."""
        z = self._project(sequences, self.cell.bias)
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        hs, cs = lstm_steps(z, recurrent_kernel, *(initial_state or ()))
        return tf.transpose(hs, [1, 0, 2]), _last_valid(hs, mask), _last_valid(cs, mask)


class FusedGRU(_Fused, keras.layers.GRU):  # type: ignore[misc]
    """`keras.layers.GRU` with default activations and `reset_after`, computed by `gru_steps`."""

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the outputs (B, T, H) and the state after the last valid step (B, H)."""
        (h,) = initial_state or (tf.zeros([tf.shape(sequences)[0], self.units], self.compute_dtype),)
        bias = tf.convert_to_tensor(self.cell.bias)
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        hs = gru_steps(self._project(sequences, bias[0]), h, recurrent_kernel, bias[1])
        return tf.transpose(hs, [1, 0, 2]), _last_valid(hs, mask)
