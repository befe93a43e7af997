"""Attention, and a decoder whose recurrence sees it, one query at a time; weights in the layout of Keras."""

import numpy as np

from oracle.recurrent import CELLS


def softmax(x):
    shifted = np.exp(x - x.max())
    return shifted / shifted.sum()


def weights_by_part(layer):
    """Return the weights of a Keras layer that is made of layers: name of the part -> its float64 arrays."""
    parts = {}
    for variable in layer.weights:
        parts.setdefault(variable.path.split("/")[-2], []).append(variable.numpy().astype(np.float64))
    return parts


class Attention:
    """Where a query looks, and what it makes of that.

    Args:
        score: `luong_dot`, `luong_general` or `bahdanau`.
        weights: arrays by part; `attentional`, and what the score needs of `query`, `keys`, `energy`.
    """

    def __init__(self, score, weights):
        self._score, self._weights = score, weights

    def score(self, query, position):
        """Luong et al. 2015, equation 8; Bahdanau et al. 2015, A.1.2. Vectors -> a number."""
        if self._score == "luong_dot":
            return query @ position
        (w,) = self._weights["query"]
        if self._score == "luong_general":
            return query @ w @ position
        (u,), (v,) = self._weights["keys"], self._weights["energy"]
        return v[:, 0] @ np.tanh(w.T @ query + u.T @ position)

    def look(self, query, memory):
        """Return the context and the weights (S,): Luong's equation 7, Bahdanau's 5 and 6. memory (S, M)."""
        weights = softmax(np.array([self.score(query, position) for position in memory]))
        return sum(w * position for w, position in zip(weights, memory, strict=True)), weights

    def attentional(self, context, h):
        """Return tanh(W_c [c; h]): Luong's equation 5."""
        (kernel,) = self._weights["attentional"]
        return np.tanh(kernel.T @ np.concatenate([context, h]))


class AttentiveDecoder:
    """Bahdanau's decoder (A.1.1, A.2.2), and Luong's with input feeding (section 3.3), of stacked cells.

    Args:
        cell: `lstm` or `gru`.
        score: see `Attention`.
        residual: each cell above the first adds its input to its output (Wu et al. 2016, equation 6).
        weights: as for `Attention`; also `cell_1`, `cell_2`, ... .
    """

    def __init__(self, cell, score, residual, weights):
        self._cell, self._score, self._residual, self._weights = cell, score, residual, weights
        self._attention = Attention(score, weights)

    def _run_cells(self, x, states):
        after = []
        for layer, before in enumerate(states, 1):
            state = CELLS[self._cell](x, before, self._weights[f"cell_{layer}"])
            after.append(state)
            x = state[0] + x if self._residual and layer > 1 else state[0]
        return x, after

    def step(self, x, states, fed, memory):
        """Take one step.

        x (F,); states one list a layer; fed (H,) the attentional vector of the step before, which Bahdanau's
        decoder does not read; memory (S, M). Returns the attentional vector, the states, the weights (S,).
        """
        if self._score == "bahdanau":  # the state before this step asks, and the cells read the answer
            context, weights = self._attention.look(states[-1][0], memory)
            h, after = self._run_cells(np.concatenate([x, context]), states)
        else:  # the cells read the last answer, and what comes out of them asks
            h, after = self._run_cells(np.concatenate([x, fed]), states)
            context, weights = self._attention.look(h, memory)
        return self._attention.attentional(context, h), after, weights

    def run(self, xs, states, fed, memory):
        """Take all steps: xs (T, F) -> attentional vectors (T, H), weights (T, S), and the last states."""
        outputs, attention = [], []
        for x in xs:
            fed, states, weights = self.step(x, states, fed, memory)
            outputs.append(fed)
            attention.append(weights)
        return np.array(outputs), np.array(attention), states
