"""JAX with optax: one layer, no attention, fixed lengths; each LSTM is a `lax.scan`."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.programs import lesson as told
from benchmarks.programs.lesson import Figures, Ids, Lesson

Weights = dict[str, Any]


def initialise(lesson: Lesson) -> Weights:
    """Draw weights from the distributions that Keras draws them from."""
    glorot, orthogonal = jax.nn.initializers.glorot_uniform(), jax.nn.initializers.orthogonal()
    keys = iter(jax.random.split(jax.random.key(lesson.seed), 5))
    units = lesson.units

    def lstm(size: int) -> Weights:
        bias = jnp.zeros(4 * units).at[units : 2 * units].set(1.0)  # the forget gate's
        kernel = glorot(next(keys), (size, 4 * units))
        return {"kernel": kernel, "recurrent": orthogonal(next(keys), (units, 4 * units)), "bias": bias}

    output = {
        "kernel": glorot(next(keys), (units, lesson.target_size)),
        "bias": jnp.zeros(lesson.target_size),
    }
    return {"encoder": lstm(lesson.source_size), "decoder": lstm(lesson.target_size), "output": output}


def cell(weights: Weights, states: Any, projected: Any) -> Any:
    """Take one step of an LSTM; gates in Keras's order i, f, c, o."""
    h, c = states
    i, f, g, o = jnp.split(projected + h @ weights["recurrent"], 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def projected(weights: Weights, ids: Any) -> Any:
    """Return the one-hot inputs of ids (T, n) times the kernel, with the bias."""
    return jax.nn.one_hot(ids, weights["kernel"].shape[0]) @ weights["kernel"] + weights["bias"]


def encode(weights: Weights, source: Any) -> Any:
    """Return the states after sources (n, S)."""
    layer = weights["encoder"]
    zeros = jnp.zeros((len(source), layer["recurrent"].shape[0]))
    return lax.scan(partial(cell, layer), (zeros, zeros), projected(layer, source.T))[0]


def loss_of(weights: Weights, source: Any, decoder_input: Any, target: Any) -> Any:
    """Return the mean cross-entropy, with the right symbol given at every step."""
    layer = weights["decoder"]
    states = encode(weights, source)
    _, hs = lax.scan(partial(cell, layer), states, projected(layer, decoder_input.T))
    logits = hs @ weights["output"]["kernel"] + weights["output"]["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, target.T).mean()


def fit(weights: Weights, lesson: Lesson) -> tuple[Weights, list[tuple[int, float]]]:
    """Train for one epoch; return the weights and the clock's marks."""
    rates = jnp.array([lesson.rate(step) for step in range(lesson.steps)])
    optimizer = optax.chain(
        optax.clip_by_global_norm(lesson.clip_norm), optax.adam(lambda step: rates[step], eps=1e-7)
    )

    @partial(jax.jit, donate_argnums=(0, 1))
    def step_once(weights: Weights, state: Any, *batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, *batch)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(weights, updates), state, loss

    state = optimizer.init(weights)
    clock = told.Clock(lesson)
    for step, (source, target) in enumerate(lesson.batches()):
        weights, state, loss = step_once(weights, state, source, lesson.decoder_input(target), target)
        if clock.due(step + 1):
            jax.block_until_ready(loss)
            clock.mark(step + 1)
    return weights, clock.marks


@partial(jax.jit, static_argnums=(2, 3))
def greedy(weights: Weights, source: Any, start: int, columns: int) -> Any:
    """Decode sources (n, S) to (n, columns)."""
    layer, output = weights["decoder"], weights["output"]

    def step(carry: Any, _: None) -> Any:
        states, symbols = carry
        states, h = cell(layer, states, projected(layer, symbols))
        symbols = (h @ output["kernel"] + output["bias"]).argmax(-1).astype(jnp.int32)
        return (states, symbols), symbols

    begin = (encode(weights, source), jnp.full(len(source), start, jnp.int32))
    return lax.scan(step, begin, None, length=columns)[1].T


def program(lesson: Lesson, threads: int, decoding: bool) -> Figures:
    """Train, and decode if asked to; XLA takes as many threads as there are cores to run on."""
    if lesson.layers != 1 or lesson.masked or lesson.attention or lesson.embedding_size:
        raise SystemExit("this program has one layer, one-hot inputs and fixed lengths")
    weights = initialise(lesson)
    parameters = sum(x.size for x in jax.tree.leaves(weights))
    weights, marks = fit(weights, lesson)
    figures: dict[str, Any] = {}
    if decoding:

        def decode(sources: Ids) -> Ids:
            return np.asarray(greedy(weights, sources, lesson.start, lesson.columns))

        figures = told.decoded(lesson, lambda sources: told.in_chunks(decode, sources), None)
    return Figures(
        parameters=parameters,
        examples=len(lesson.source),
        fit_seconds=marks[-1][1],
        examples_per_second=told.steady_rate(marks),
        versions={"jax": jax.__version__, "optax": optax.__version__},
        **figures,
    )


if __name__ == "__main__":
    told.run(program)
