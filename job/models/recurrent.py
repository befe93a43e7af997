"""LSTM and GRU layers: Keras's own, and a training kernel that is faster on a CPU.

The fused layers hold their weights in Keras's layout and compute what Keras computes, so that weights move
between the two freely. They are faster because
- one-hot inputs are never formed: the input projection is a gather of the kernel's rows;
- the backward pass is written out, from gate activations kept in the forward pass, and the recurrent
  kernel's gradient is one matrix product after the loop in place of one a step;
- padding on the right needs no mask in the loop: every step is computed, and the state at a row's last
  valid step is picked afterwards. The discarded steps get no gradient.
Short static lengths are unrolled, long or varying ones run in a `tf.while_loop`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras
import tensorflow as tf

Kernel = Literal["fused", "cudnn", "keras"]
"""`fused`: the layers of this module; `keras`: Keras's own loop; `cudnn`: Keras's layers over cuDNN."""

UNROLL_LIMIT = 32
"""Longest static length that is unrolled: beyond it tracing costs more than the loop's overhead."""


_sigmoid_gradient, _tanh_gradient = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad
"""From a function's value y and the gradient dy, in one pass: dy y (1 - y), and dy (1 - y^2)."""


class _Steps:
    """What `tf.TensorArray` is to a `tf.while_loop`, for an unrolled loop: one tensor a step."""

    def __init__(self) -> None:
        self._steps: dict[int, Any] = {}

    def write(self, t: int, value: Any) -> _Steps:
        self._steps[t] = value
        return self

    def read(self, t: int) -> Any:
        return self._steps[t]

    def stack(self) -> Any:
        return tf.stack([self._steps[t] for t in range(len(self._steps))])


def is_unrolled(time_major: Any) -> bool:
    """Whether loops over the first axis of a tensor are unrolled: its length is known and short."""
    length = time_major.shape[0]
    return length is not None and length <= UNROLL_LIMIT


def empty(like: Any, count: int) -> tuple[Any, ...]:
    """Return `count` arrays with one tensor a step of `like`, whose first axis is time."""
    if is_unrolled(like):
        return tuple(_Steps() for _ in range(count))
    size = tf.shape(like)[0]
    return tuple(tf.TensorArray(like.dtype, size, element_shape=[None, None]) for _ in range(count))


def filled(time_major: Any) -> Any:
    """Return an array that holds a time-major tensor's steps."""
    if not is_unrolled(time_major):
        return tf.TensorArray(time_major.dtype, tf.shape(time_major)[0]).unstack(time_major)
    steps = _Steps()
    for t, step in enumerate(tf.unstack(time_major)):
        steps.write(t, step)
    return steps


def loop(like: Any, body: Callable[..., tuple[Any, ...]], carry: tuple[Any, ...]) -> tuple[Any, ...]:
    """Run `carry = body(t, *carry)` for each t along the first axis of `like`."""
    if is_unrolled(like):
        for t in range(like.shape[0]):
            carry = body(t, *carry)
        return carry
    length = tf.shape(like)[0]
    return tuple(
        tf.while_loop(
            lambda t, *_: t < length, lambda t, *c: (t + 1, *body(t, *c)), (tf.constant(0), *carry)
        )[1:]
    )


def _previous(initial: Any, states: Any) -> Any:
    """Return the state before each step, shape (T, B, H): `initial`, then all of `states` but the last."""
    return tf.concat([initial[None], states[:-1]], axis=0)


def _weight_gradient(states: Any, gradients: Any) -> Any:
    """Return the sum over steps and rows of state^T gradient: (T, B, H), (T, B, G) -> (H, G)."""
    flat = [tf.reshape(x, [-1, x.shape[-1]]) for x in (states, gradients)]
    return tf.matmul(flat[0], flat[1], transpose_a=True)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def lstm_steps(z: Any, recurrent_kernel: Any, *state: Any) -> Any:
    """Run an LSTM (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000) over projected inputs.

    Args:
        z: inputs times the input kernel, bias added: (T, B, 4H) float32, gates in Keras's order i, f, c, o.
        recurrent_kernel: (H, 4H) float32.
        state: h and c before the first step, both (B, H) float32; where none are given they are zeros, and
            an unrolled loop leaves out what they would be multiplied with.

    Returns:
        h, c: states after each step, both (T, B, H) float32.
    """
    begin = state
    if not state:
        begin = (None, None) if is_unrolled(z) else 2 * (tf.zeros_like(z[0, :, : z.shape[-1] // 4]),)

    def forward(t: Any, h: Any, c: Any, *kept: Any) -> tuple[Any, ...]:
        gates = inputs.read(t) if h is None else inputs.read(t) + tf.matmul(h, recurrent_kernel)
        zi, zf, zg, zo = tf.split(gates, 4, axis=1)
        i, f, g, o = tf.sigmoid(zi), tf.sigmoid(zf), tf.tanh(zg), tf.sigmoid(zo)
        before, c = c, i * g if c is None else f * c + i * g
        tanh_c = tf.tanh(c)
        h = o * tanh_c
        values = (i, f, g, o, tanh_c, before, h, c)
        return (h, c, *(a.write(t, v) for a, v in zip(kept, values, strict=True)))

    inputs = filled(z)
    kept = loop(z, forward, (*begin, *empty(z, 8)))[2:]
    hs, cs = kept[6].stack(), kept[7].stack()

    def gradient(dhs: Any, dcs: Any) -> tuple[Any, ...]:
        transposed = tf.transpose(recurrent_kernel)  # once: a product with a transposed side is slower
        dh_steps, dc_steps = filled(dhs), filled(dcs)
        last = tf.shape(z)[0] - 1 if not is_unrolled(z) else z.shape[0] - 1

        def backward(step: Any, dh: Any, dc: Any, dzs: Any) -> tuple[Any, ...]:
            t = last - step
            values = tuple(a.read(t) for a in kept[:6])
            dz, dc = _lstm_step_gradient(values, dh + dh_steps.read(t), dc + dc_steps.read(t))
            return tf.matmul(dz, transposed), dc, dzs.write(t, dz)

        zeros = tf.zeros_like(dhs[0])
        dh, dc, dzs = loop(z, backward, (zeros, zeros, *empty(z, 1)))
        dz = dzs.stack()
        if begin[0] is None:
            return dz, _weight_gradient(hs[:-1], dz[1:])
        dkernel = _weight_gradient(_previous(begin[0], hs), dz)
        return (dz, dkernel, dh, dc) if state else (dz, dkernel)

    return (hs, cs), gradient


def _lstm_step_gradient(values: tuple[Any, ...], dh: Any, dc: Any) -> tuple[Any, Any]:
    """Return the gradients of a step's gates before activation, (B, 4H), and of the cell before it, (B, H).

    Args:
        values: its gates i, f, g, o; tanh of the cell after it; the cell before it, None for zeros.
        dh, dc: gradients of its two states.
    """
    i, f, g, o, tanh_c, before = values
    dc = dc + _tanh_gradient(y=tanh_c, dy=dh * o)
    di, dg = _sigmoid_gradient(y=i, dy=dc * g), _tanh_gradient(y=g, dy=dc * i)
    df = tf.zeros_like(f) if before is None else _sigmoid_gradient(y=f, dy=dc * before)
    do = _sigmoid_gradient(y=o, dy=dh * tanh_c)
    return tf.concat([di, df, dg, do], axis=1), dc * f


@tf.custom_gradient  # type: ignore[untyped-decorator]
def gru_steps(z: Any, h0: Any, recurrent_kernel: Any, recurrent_bias: Any) -> Any:
    """Run a GRU (Cho et al. 2014, reset gate after the product as in cuDNN) over projected inputs.

    Args:
        z: inputs times the input kernel, input bias added: (T, B, 3H) float32; gates as Keras orders them.
        h0: state before the first step: (B, H) float32.
        recurrent_kernel: (H, 3H) float32.
        recurrent_bias: (3H,) float32.

    Returns:
        h: state after each step, (T, B, H) float32.
    """

    def forward(t: Any, h: Any, *kept: Any) -> tuple[Any, ...]:
        xz, xr, xh = tf.split(inputs.read(t), 3, axis=1)
        rz, rr, rh = tf.split(tf.matmul(h, recurrent_kernel) + recurrent_bias, 3, axis=1)
        update, reset = tf.sigmoid(xz + rz), tf.sigmoid(xr + rr)
        candidate = tf.tanh(xh + reset * rh)
        h = update * h + (1 - update) * candidate
        return (h, *(a.write(t, v) for a, v in zip(kept, (update, reset, candidate, rh, h), strict=True)))

    inputs = filled(z)
    kept = loop(z, forward, (h0, *empty(z, 5)))[1:]
    hs = kept[4].stack()

    def gradient(dhs: Any) -> tuple[Any, ...]:
        transposed = tf.transpose(recurrent_kernel)
        dh_steps, h_before = filled(dhs), filled(_previous(h0, hs))
        last = tf.shape(z)[0] - 1 if not is_unrolled(z) else z.shape[0] - 1

        def backward(step: Any, dh: Any, dzs: Any, drs: Any) -> tuple[Any, ...]:
            t = last - step
            update, reset, candidate, rh = (a.read(t) for a in kept[:4])
            dh = dh + dh_steps.read(t)
            d_update = _sigmoid_gradient(y=update, dy=dh * (h_before.read(t) - candidate))
            d_candidate = _tanh_gradient(y=candidate, dy=dh * (1 - update))
            d_reset = _sigmoid_gradient(y=reset, dy=d_candidate * rh)
            dr = tf.concat([d_update, d_reset, d_candidate * reset], axis=1)
            dz = tf.concat([d_update, d_reset, d_candidate], axis=1)
            dh = dh * update + tf.matmul(dr, transposed)
            return dh, dzs.write(t, dz), drs.write(t, dr)

        dh, dzs, drs = loop(z, backward, (tf.zeros_like(h0), *empty(z, 2)))
        dz, dr = dzs.stack(), drs.stack()
        return dz, dh, _weight_gradient(_previous(h0, hs), dr), tf.reduce_sum(dr, axis=[0, 1])

    return hs, gradient


class _Fused:
    """What the two fused layers share: the input projection, and which step's state is the last.

    Inputs are token ids (B, T) int32, or vectors (B, T, F) float32. Called as Keras's recurrent layers are,
    with `return_sequences=True` and `return_state=True`; a mask must be right-padded with no empty row.
    """

    cell: Any
    units: int

    def __init__(self, units: int, *, input_size: int | None = None, **options: Any) -> None:
        super().__init__(units, return_sequences=True, return_state=True, **options)  # type: ignore[call-arg]
        self.input_size = input_size
        self.input_spec = None  # Keras would insist on three axes; ids have two

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Make the weights: for ids, those of one-hot inputs of `input_size` classes."""
        size = sequences_shape[-1] if self.input_size is None else self.input_size
        super().build((None, None, size))  # type: ignore[misc]

    def _project(self, sequences: Any, bias: Any) -> Any:
        kernel = tf.convert_to_tensor(self.cell.kernel)
        if self.input_size is not None:
            return tf.gather(kernel, tf.transpose(sequences)) + bias
        time_major = tf.transpose(sequences, [1, 0, 2])
        flat = tf.matmul(tf.reshape(time_major, [-1, time_major.shape[-1]]), kernel) + bias
        return tf.reshape(flat, [*_sizes(time_major)[:2], kernel.shape[-1]])


def _sizes(tensor: Any) -> list[Any]:
    dynamic = tf.shape(tensor)
    return [dynamic[i] if size is None else size for i, size in enumerate(tensor.shape)]


def _last_valid(states: Any, mask: Any) -> Any:
    """Return the state after each row's last valid step: (T, B, H), (B, T) bool or None -> (B, H)."""
    if mask is None:
        return states[-1]
    last = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1) - 1
    return tf.gather_nd(states, tf.stack([last, tf.range(tf.shape(last)[0])], axis=1))


class FusedLSTM(_Fused, keras.layers.LSTM):  # type: ignore[misc]
    """`keras.layers.LSTM` with default activations, trained by `lstm_steps`."""

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return outputs (B, T, H) and the last valid states h and c, both (B, H)."""
        z = self._project(sequences, self.cell.bias)
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        hs, cs = lstm_steps(z, recurrent_kernel, *(initial_state or ()))
        return tf.transpose(hs, [1, 0, 2]), _last_valid(hs, mask), _last_valid(cs, mask)


class FusedGRU(_Fused, keras.layers.GRU):  # type: ignore[misc]
    """`keras.layers.GRU` with default activations and `reset_after`, trained by `gru_steps`."""

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return outputs (B, T, H) and the last valid state (B, H)."""
        (h,) = initial_state or (tf.zeros([tf.shape(sequences)[0], self.units]),)
        bias = tf.convert_to_tensor(self.cell.bias)
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        hs = gru_steps(self._project(sequences, bias[0]), h, recurrent_kernel, bias[1])
        return tf.transpose(hs, [1, 0, 2]), _last_valid(hs, mask)
