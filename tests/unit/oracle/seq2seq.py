"""The encoder-decoder (Sutskever et al. 2014) with Luong's attention (2015), one row at a time."""

import numpy as np

from oracle.recurrent import run, zero_state


def softmax(x):
    shifted = np.exp(x - x.max())
    return shifted / shifted.sum()


class EncoderDecoder:
    """A model with the weights of a Keras model, looked up by the names of its layers.

    Args:
        spec: a `ModelSpec`.
        model: its Keras training model, over either kernel.
    """

    def __init__(self, spec, model):
        self._spec = spec
        self._weights = {
            layer.name: [w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers
        }

    def _enter(self, side, ids):
        if self._spec.inputs == "embedding":
            (table,) = self._weights[f"{side}_embedding"]
            return table[ids]
        layer = "encoder_1" if side == "source" else "decoder_1"
        classes = self._weights[layer][0].shape[0]
        return np.eye(classes)[ids]

    def encode(self, source):
        """Return the decoder's first states, one list a layer, and what attention sees, (S, H or 2H)."""
        spec, states = self._spec, []
        xs = self._enter("source", source)
        for layer in range(1, spec.layers + 1):
            begin = zero_state(spec.cell, spec.units)
            outputs, state = run(spec.cell, xs, begin, self._weights[f"encoder_{layer}"])
            if spec.bidirectional:
                name = f"encoder_backward_{layer}"
                backward, last = run(spec.cell, xs[::-1], begin, self._weights[name])
                outputs = np.concatenate([outputs, backward[::-1]], axis=1)
                state = [
                    self._bridge(f"{n}{layer}", s, b) for n, s, b in zip("hc", state, last, strict=False)
                ]
            states.append(state)
            xs = outputs
        return states, xs

    def _bridge(self, name, forward, backward):
        kernel, bias = self._weights[f"bridge_{name}"]
        return np.tanh(kernel.T @ np.concatenate([forward, backward]) + bias)

    def memory(self, outputs):
        """Return the encoder outputs as attention reads them, (S, H)."""
        return outputs @ self._weights["memory"][0] if self._spec.bidirectional else outputs

    def attend(self, h, memory):
        """Return the attentional vector (H,) and the weights (S,) for a decoder output h.

        Luong et al. 2015: equation 8 (scores), 7 (weights) and 5 (attentional vector).
        """
        query = h
        if self._spec.attention == "luong_general":
            query = h @ self._weights["query"][0]
        weights = softmax(np.array([query @ m for m in memory]))
        context = sum(w * m for w, m in zip(weights, memory, strict=True))
        return np.tanh(np.concatenate([context, h]) @ self._weights["attentional"][0]), weights

    def step(self, symbol, states, outputs):
        """Return logits (V,), the next states, and the attention weights (S,) or None."""
        spec = self._spec
        x, after = self._enter("target", [symbol]), []
        for layer, before in enumerate(states, 1):
            x, state = run(spec.cell, x, before, self._weights[f"decoder_{layer}"])
            after.append(state)
        h, weights = x[0], None
        if spec.attention != "none":
            h, weights = self.attend(h, self.memory(outputs))
        kernel, bias = self._weights["logits"]
        return kernel.T @ h + bias, after, weights

    def logits(self, source, decoder_input):
        """Return the logits (T, V) of teacher forcing, and the attention weights (T, S) or None."""
        states, outputs = self.encode(source)
        logits, attention = [], []
        for symbol in decoder_input:
            row, states, weights = self.step(symbol, states, outputs)
            logits.append(row)
            attention.append(weights)
        return np.array(logits), None if attention[0] is None else np.array(attention)


def greedy(step, states, start, end, max_length):
    """Return the symbols of one row: the likeliest at each step, up to the end symbol and with it.

    step: (symbol, states) -> (logits (V,), next states).
    """
    symbols, symbol = [], start
    while len(symbols) < max_length and (end is None or symbol != end or not symbols):
        logits, states = step(symbol, states)
        symbol = int(np.argmax(logits))
        symbols.append(symbol)
    return symbols
