"""Adam (Kingma and Ba 2015, algorithm 1, in the order of computation of the end of section 2)."""

import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


def clipped(gradients, norm):
    """Scale gradients so that their common norm is at most `norm` (Pascanu et al. 2013, algorithm 1)."""
    length = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * (norm / length) if length > norm else g for g in gradients]


class Adam:
    """Args: values: the parameters, changed in place; float64."""

    def __init__(self, values):
        self.values = values
        self._m = [np.zeros_like(v) for v in values]
        self._v = [np.zeros_like(v) for v in values]
        self._t = 0

    def apply(self, gradients, rate):
        self._t += 1
        corrected = rate * np.sqrt(1 - BETA2**self._t) / (1 - BETA1**self._t)
        for value, m, v, g in zip(self.values, self._m, self._v, gradients, strict=True):
            m[...] = BETA1 * m + (1 - BETA1) * g
            v[...] = BETA2 * v + (1 - BETA2) * g**2
            value[...] = value - corrected * m / (np.sqrt(v) + EPSILON)
