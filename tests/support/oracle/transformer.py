"""The Transformer (Vaswani et al. 2017) with pre-norm, row by row and position by position."""

import numpy as np

from oracle.attention import softmax
from oracle.pointer import generation

__all__ = ["Transformer", "layer_norm", "rotated", "sinusoid"]


def layer_norm(x, gain, bias):
    """Ba et al. 2016, equation 3: x (U,) -> (U,)."""
    mean = sum(x) / len(x)
    variance = sum((x - mean) ** 2) / len(x)
    return (x - mean) / np.sqrt(variance + 1e-5) * gain + bias


def sinusoid(position, width):
    """Vaswani et al. 2017, section 3.5, the sines before the cosines: (width,)."""
    angles = [position / 10_000 ** (2 * i / width) for i in range(width // 2)]
    return np.array([np.sin(a) for a in angles] + [np.cos(a) for a in angles])


def rotated(x, position):
    """Su et al. 2021, equation 15, of the pairs (i, i + d / 2): x (d,) -> (d,)."""
    half = len(x) // 2
    turned = np.zeros(len(x))
    for i in range(half):
        angle = position * 10_000 ** (-2 * i / len(x))
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned[[i, i + half]] = matrix @ x[[i, i + half]]
    return turned


class Transformer:
    """A model with the weights of a Keras model, looked up by the names of its layers.

    Args:
        spec: a `ModelSpec`.
        model: its Keras training model.
        numbers: whether sources and targets are vectors and not ids.
    """

    def __init__(self, spec, model, *, numbers=False):
        self._spec, self._numbers = spec, numbers
        self._weights = {
            layer.name: [w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers
        }

    def _enter(self, side, given):
        width = self._spec.units
        if self._numbers:
            kernel, bias = self._weights[f"{side}_values"]
            xs = [kernel.T @ x + bias for x in given]
        else:
            (table,) = self._weights["embedding" if self._spec.tied_embeddings else f"{side}_embedding"]
            xs = [np.sqrt(width) * table[i] for i in given]
        if self._spec.positions == "sinusoidal":
            xs = [x + sinusoid(t, width) for t, x in enumerate(xs)]
        if self._spec.positions == "learned":
            (table,) = self._weights[f"{side}_positions"]
            xs = [x + np.sqrt(width) * table[min(t, len(table) - 1)] for t, x in enumerate(xs)]
        return np.array(xs)

    def _norm(self, name, xs):
        return np.array([layer_norm(x, *self._weights[f"{name}_norm"]) for x in xs])

    def _dense(self, name, xs):
        return xs @ self._weights[name][0]

    def _attend(self, queries, keys, values, *, turn, visible):
        """Equation 1 for each head: (T, U), (S, U), (S, U) -> (T, U), and the weights (heads, T, S)."""
        heads = self._spec.heads
        d = self._spec.units // heads
        found, weights = np.zeros(queries.shape), np.zeros((heads, len(queries), len(keys)))
        for head in range(heads):
            part = slice(head * d, (head + 1) * d)
            for t, query in enumerate(queries[:, part]):
                at = [s for s in range(len(keys)) if visible(t, s)]
                ask = rotated(query, t) if turn else query
                told = [rotated(keys[s, part], s) if turn else keys[s, part] for s in at]
                alpha = softmax(np.array([ask @ key / np.sqrt(d) for key in told]))
                weights[head, t, at] = alpha
                found[t, part] = sum(a * values[s, part] for a, s in zip(alpha, at, strict=True))
        return found, weights

    def _self_attention(self, name, xs, visible):
        joint = self._dense(f"{name}_attention", self._norm(f"{name}_attention", xs))
        parts = np.split(joint, 3, axis=1)
        found, _ = self._attend(*parts, turn=self._spec.positions == "rotary", visible=visible)
        return xs + self._dense(f"{name}_attention_output", found)

    def _cross_attention(self, name, xs, memory):
        queries = self._dense(f"{name}_query", self._norm(f"{name}_cross_attention", xs))
        keys, values = np.split(self._dense(f"{name}_memory", memory), 2, axis=1)
        found, weights = self._attend(queries, keys, values, turn=False, visible=lambda t, s: True)
        output = self._dense(f"{name}_cross_attention_output", found)
        return xs + output, weights.mean(axis=0), found

    def _feed_forward(self, name, xs):
        """Equation 2."""
        (w1, b1), (w2, b2) = (self._weights[f"{name}_feed_forward{which}"] for which in ("", "_output"))
        return xs + np.maximum(0, self._norm(f"{name}_feed_forward", xs) @ w1 + b1) @ w2 + b2

    def encode(self, source):
        """Return the encoder's output (S, U) for a source without padding."""
        xs = self._enter("source", source)
        for i in range(1, self._spec.layers + 1):
            xs = self._self_attention(f"encoder_{i}", xs, lambda t, s: True)
            xs = self._feed_forward(f"encoder_{i}", xs)
        return self._norm("encoder", xs)

    def logits(self, source, decoder_input):
        """Return logits or values (T, V) with teacher forcing, and the attention weights (T, S)."""
        states, weights, _ = self._decode(source, decoder_input)
        kernel, bias = self._weights["values" if self._numbers else "logits"]
        return states @ kernel + bias, weights

    def pointer(self, source, decoder_input):
        """Return what See, Liu and Manning 2017 mix at each step, see `oracle.pointer.mixed`."""
        logits, _ = self.logits(source, decoder_input)
        states, weights, contexts = self._decode(source, decoder_input)
        given = self._enter("target", decoder_input)
        gates = [generation(self._weights, *x) for x in zip(contexts, states, given, strict=True)]
        return [(softmax(x), *rest) for x, *rest in zip(logits, gates, weights, strict=True)]

    def _decode(self, source, decoder_input):
        """Return the decoder's states (T, U), and attention weights and contexts of its last layer."""
        memory, weights, contexts = self.encode(source), None, None
        xs = self._enter("target", decoder_input)
        for i in range(1, self._spec.layers + 1):
            xs = self._self_attention(f"decoder_{i}", xs, lambda t, s: s <= t)
            xs, weights, contexts = self._cross_attention(f"decoder_{i}", xs, memory)
            xs = self._feed_forward(f"decoder_{i}", xs)
        return self._norm("decoder", xs), weights, contexts
