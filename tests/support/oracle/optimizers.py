"""Optimizers in plain NumPy, from the equations of their papers.

Each is made with the parameters, float64 arrays that `apply` changes in place. Weight decay is that of
Loshchilov and Hutter 2019, algorithm 2, for matrices only.
"""

import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


def clipped(gradients, norm):
    """Scale gradients so that their common norm is at most `norm` (Pascanu et al. 2013, algorithm 1)."""
    length = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * (norm / length) if length > norm else g for g in gradients]


def decay(values, rate, weight_decay):
    for value in values:
        if value.ndim > 1:
            value[...] = value - rate * weight_decay * value


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1, in the order of computation of the end of section 2)."""

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


class AdamW(Adam):
    """Adam with decoupled weight decay."""

    def __init__(self, values, weight_decay):
        super().__init__(values)
        self._decay = weight_decay

    def apply(self, gradients, rate):
        decay(self.values, rate, self._decay)
        super().apply(gradients, rate)


class Adadelta:
    """Adadelta (Zeiler 2012, algorithm 1), its update times a learning rate."""

    def __init__(self, values, weight_decay=0.0, rho=0.95):
        self.values, self._decay, self._rho = values, weight_decay, rho
        self._squares = [np.zeros_like(v) for v in values]
        self._updates = [np.zeros_like(v) for v in values]

    def apply(self, gradients, rate):
        decay(self.values, rate, self._decay)
        for value, squares, updates, g in zip(
            self.values, self._squares, self._updates, gradients, strict=True
        ):
            squares[...] = self._rho * squares + (1 - self._rho) * g**2
            update = -np.sqrt(updates + EPSILON) / np.sqrt(squares + EPSILON) * g
            updates[...] = self._rho * updates + (1 - self._rho) * update**2
            value[...] = value + rate * update


class Momentum:
    """Momentum (Sutskever et al. 2013, equations 1 and 2), the learning rate outside the velocity."""

    def __init__(self, values, momentum, weight_decay=0.0):
        self.values, self._momentum, self._decay = values, momentum, weight_decay
        self._velocities = [np.zeros_like(v) for v in values]

    def apply(self, gradients, rate):
        decay(self.values, rate, self._decay)
        for value, velocity, g in zip(self.values, self._velocities, gradients, strict=True):
            velocity[...] = self._momentum * velocity + g
            value[...] = value - rate * velocity
