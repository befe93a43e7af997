"""The pointer-generator (See, Liu and Manning 2017), token by token."""

import math

import numpy as np

__all__ = ["generation", "mixed"]


def generation(weights, context, state, given):
    """Equation 8: p_gen from vectors h*_t, s_t and x_t.

    Args:
        weights: layer name -> arrays; `generation_gate`, and `generation_input` if x_t is a one-hot vector.
        context, state, given: the vectors.
    """
    kernel, bias = weights["generation_gate"]
    w_h, w_s, w_x = np.split(kernel[:, 0], [len(context), len(context) + len(state)])
    if "generation_input" in weights:
        w_x = weights["generation_input"][0][:, 0]
    return 1 / (1 + math.exp(-(w_h @ context + w_s @ state + w_x @ given + bias[0])))


def mixed(p_vocab, p_gen, attention, tokens):
    """Equation 9: token -> its probability, for every token of the vocabulary and of the source.

    Args:
        p_vocab: (V,), the probabilities of the tokens 0, 1, ...
        p_gen: the probability of generating.
        attention: (S,).
        tokens: the token of each source position, any object; None if it cannot be copied, which generates.
    """
    generates = p_gen + (1 - p_gen) * sum(a for a, t in zip(attention, tokens, strict=True) if t is None)
    found = {w: generates * p for w, p in enumerate(p_vocab)}
    for a, token in zip(attention, tokens, strict=True):
        if token is not None:
            found[token] = found.get(token, 0.0) + (1 - p_gen) * a
    return found
