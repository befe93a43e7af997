"""LSTM and GRU, one row at a time; weights in the layout of Keras."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_cell(x, state, weights):
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.

    x (F,), state [h, c] each (H,), weights [kernel (F, 4H), recurrent kernel (H, 4H), bias (4H,)]; the four
    blocks of columns are the input gate, the forget gate, the candidate and the output gate.
    """
    h, c = state
    kernel, recurrent_kernel, bias = weights
    z = kernel.T @ x + recurrent_kernel.T @ h + bias
    n = len(h)
    i, f = sigmoid(z[:n]), sigmoid(z[n : 2 * n])
    candidate, o = np.tanh(z[2 * n : 3 * n]), sigmoid(z[3 * n :])
    c = f * c + i * candidate
    return [o * np.tanh(c), c]


def gru_cell(x, state, weights):
    """Cho et al. 2014, the reset gate applied after the product with the recurrent kernel.

    x (F,), state [h] (H,), weights [kernel (F, 3H), recurrent kernel (H, 3H), bias (2, 3H)]; the three blocks
    of columns are the update gate, the reset gate and the candidate; the bias rows are input and recurrent.
    """
    (h,) = state
    kernel, recurrent_kernel, (input_bias, recurrent_bias) = weights
    from_input = kernel.T @ x + input_bias
    from_state = recurrent_kernel.T @ h + recurrent_bias
    n = len(h)
    z = sigmoid(from_input[:n] + from_state[:n])
    r = sigmoid(from_input[n : 2 * n] + from_state[n : 2 * n])
    candidate = np.tanh(from_input[2 * n :] + r * from_state[2 * n :])
    return [z * h + (1 - z) * candidate]


CELLS = {"lstm": lstm_cell, "gru": gru_cell}
STATES = {"lstm": 2, "gru": 1}


def run(cell, xs, state, weights):
    """Return the outputs (T, H) and the last state; xs (T, F)."""
    outputs = []
    for x in xs:
        state = CELLS[cell](x, state, weights)
        outputs.append(state[0])
    return np.array(outputs).reshape(len(outputs), len(state[0])), state


def zero_state(cell, units):
    return [np.zeros(units) for _ in range(STATES[cell])]
