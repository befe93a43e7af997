"""Hard monotonic attention (Wu and Cotterell 2019, the 0th-order model): every alignment is written out."""

from itertools import product

import numpy as np

from oracle.attention import softmax


def alignments(positions, symbols):
    """Yield every alignment of some symbols, a position for each, that never goes back."""
    for path in product(range(positions), repeat=symbols):
        if list(path) == sorted(path):
            yield path


def probability(scores, path):
    """Return the probability of an alignment: p(a_1) p(a_2 | a_1) ...; scores (T, S)."""
    total, before = 1.0, 0
    for row, position in zip(scores, path, strict=False):
        total *= softmax(row[before:])[position - before]
        before = position
    return total


def likelihood(scores, emissions, symbols):
    """Return p(y | x), summed over the alignments of all symbols.

    scores (T, S); emissions (T, S, V), probabilities; symbols (T,).
    """
    total = 0.0
    for path in alignments(scores.shape[1], len(symbols)):
        emitted = [emissions[t, position, symbols[t]] for t, position in enumerate(path)]
        total += probability(scores, path) * np.prod(emitted)
    return total


class MonotonicDecoder:
    """What is emitted, and from where, given the outputs of a decoder.

    Args:
        weights: arrays by part: `query`, `features` and `logits`.
    """

    def __init__(self, weights):
        (self._query,) = weights["query"]
        self._features, self._logits = weights["features"], weights["logits"]

    def scores(self, outputs, memory):
        """Return e_tj, (T, S): outputs (T, H), memory (S, H)."""
        return np.array([[d @ self._query @ m for m in memory] for d in outputs])

    def emissions(self, outputs, memory):
        """Return p(v | a_t = j), (T, S, V)."""
        (v, b), (w, c) = self._features, self._logits
        return np.array([[softmax(w.T @ np.tanh(v.T @ d + m + b) + c) for m in memory] for d in outputs])

    def run(self, outputs, symbols, memory):
        """Return log p(v | symbols before), (T, V), and p(a_t | symbols before), (T, S).

        symbols: the inputs of the decoder, (T,): the start, and then what was emitted at the step before.
        """
        scores, emissions = self.scores(outputs, memory), self.emissions(outputs, memory)
        logs, attention = [], []
        for t in range(len(outputs)):
            at, v = np.zeros(len(memory)), np.zeros(emissions.shape[2])
            for path in alignments(len(memory), t + 1):
                emitted = [emissions[i, path[i], symbols[i + 1]] for i in range(t)]
                share = probability(scores, path) * np.prod(emitted)
                at[path[t]] += share
                v += share * emissions[t, path[t]]
            logs.append(np.log(v / at.sum()))
            attention.append(at / at.sum())
        return np.array(logs), np.array(attention)
