"""The encoder-decoder (Sutskever et al. 2014) with attention (Bahdanau et al., Luong et al. 2015; Wu and
Cotterell 2019), row by row."""

import numpy as np

from oracle.attention import Attention, AttentiveDecoder, softmax, weights_by_part
from oracle.monotonic import MonotonicDecoder
from oracle.pointer import generation
from oracle.recurrent import run, zero_state

__all__ = ["EncoderDecoder", "greedy", "softmax"]


class EncoderDecoder:
    """A model with the weights of a Keras model, looked up by the names of its layers.

    Args:
        spec: a `ModelSpec`.
        model: its Keras training model, over either kernel.
        numbers: whether sources and targets are vectors and not ids.
    """

    def __init__(self, spec, model, *, numbers=False):
        self._spec, self._numbers = spec, numbers
        self._weights = {
            layer.name: [w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers
        }
        if spec.attends_in_recurrence:
            self._weights.update(weights_by_part(model.get_layer("decoder")))
            self._decoder = AttentiveDecoder(spec.cell, spec.attention, spec.residual, self._weights)
        self._attention = Attention(spec.attention, self._weights)
        if spec.attention == "monotonic":
            self._monotonic = MonotonicDecoder(weights_by_part(model.get_layer("monotonic_output")))

    def _enter(self, side, given):
        if self._numbers:
            return given
        if self._spec.inputs == "embedding":
            (table,) = self._weights["embedding" if self._spec.tied_embeddings else f"{side}_embedding"]
            return table[given]
        reader, besides = {"source": "encoder_1", "target": "decoder_1"}[side], 0
        if side == "target" and self._spec.attends_in_recurrence:
            reader, besides = "cell_1", self._spec.units  # what attention saw stands beside the symbol
        classes = self._weights[reader][0].shape[0] - besides
        return np.eye(classes)[given]

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
            xs = outputs + xs if spec.residual and layer > 1 else outputs
        return states, xs

    def _bridge(self, name, forward, backward):
        kernel, bias = self._weights[f"bridge_{name}"]
        return np.tanh(kernel.T @ np.concatenate([forward, backward]) + bias)

    def memory(self, outputs):
        """Return the encoder outputs as attention reads them, (S, H)."""
        attends, aligns = self._spec.attention != "none", self._spec.attention == "monotonic"
        projects = aligns or (attends and self._spec.bidirectional)
        return outputs @ self._weights["memory"][0] if projects else outputs

    def _step(self, x, states, fed, memory):
        """Return what the output layer reads (H,), the next states, and the attention weights or None."""
        spec = self._spec
        if spec.attends_in_recurrence:
            return self._decoder.step(x, states, fed, memory)
        xs, after = x[None], []
        for layer, before in enumerate(states, 1):
            outputs, state = run(spec.cell, xs, before, self._weights[f"decoder_{layer}"])
            after.append(state)
            xs = outputs + xs if spec.residual and layer > 1 else outputs
        if spec.attention in ("none", "monotonic"):
            return xs[0], after, None
        context, weights = self._attention.look(xs[0], memory)
        return self._attention.attentional(context, xs[0]), after, weights

    def logits(self, source, decoder_input):
        """Return logits or values (T, V) under teacher forcing, and the attention weights (T, S) or None."""
        states, outputs = self.encode(source)
        memory, fed = self.memory(outputs), np.zeros(self._spec.units)
        if self._spec.attention == "monotonic":
            outputs = []
            for x in self._enter("target", decoder_input):
                output, states, _ = self._step(x, states, fed, memory)
                outputs.append(output)
            return self._monotonic.run(outputs, decoder_input, memory)
        kernel, bias = self._weights["values" if self._numbers else "logits"]
        logits, attention = [], []
        for x in self._enter("target", decoder_input):
            fed, states, weights = self._step(x, states, fed, memory)
            logits.append(kernel.T @ fed + bias)
            attention.append(weights)
        return np.array(logits), None if attention[0] is None else np.array(attention)

    def pointer(self, source, decoder_input):
        """Return what See, Liu and Manning 2017 mix at each step, see `oracle.pointer.mixed`."""
        states, outputs = self.encode(source)
        memory, fed = self.memory(outputs), np.zeros(self._spec.units)
        kernel, bias = self._weights["logits"]
        found = []
        for x in self._enter("target", decoder_input):
            fed, states, weights = self._step(x, states, fed, memory)
            context = sum(a * h for a, h in zip(weights, memory, strict=True))
            gate = generation(self._weights, context, states[-1][0], x)
            found.append((softmax(kernel.T @ fed + bias), gate, weights))
        return found


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
