"""The tutorial's program, written afresh from its description in current Keras; imports nothing of `job`.

It does what the tutorial does, at the tutorial's pace: examples are made one at a time from random integers
and one-hot encoded each by itself, all are held in memory at once, `fit` runs at batch size 32, and 100 fresh
sequences are decoded one at a time with a call of `predict` for every step. Prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras.utils import to_categorical

EVALUATED = 100


def define_models(cardinality: int, units: int) -> tuple[Any, Any, Any]:
    """Return the training model and the two that predict: the encoder, and the decoder of one step."""
    source = keras.Input((None, cardinality))
    _, *states = keras.layers.LSTM(units, return_state=True)(source)
    target_in = keras.Input((None, cardinality))
    decoder = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    dense = keras.layers.Dense(cardinality, activation="softmax")
    hidden, *_ = decoder(target_in, initial_state=states)
    train = keras.Model([source, target_in], dense(hidden))
    encoder = keras.Model(source, states)
    given = [keras.Input((units,)), keras.Input((units,))]
    hidden, *after = decoder(target_in, initial_state=given)
    return train, encoder, keras.Model([target_in, *given], [dense(hidden), *after])


def generate_sequence(length: int, cardinality: int) -> list[int]:
    """Return random integers; 0 is kept for the start of a sequence."""
    return [random.randint(1, cardinality - 1) for _ in range(length)]


def get_dataset(arguments: argparse.Namespace, examples: int) -> tuple[Any, Any, Any]:
    """Return sources, shifted targets and targets, one-hot: float arrays (examples, length, cardinality)."""
    sources, shifted, targets = [], [], []
    for _ in range(examples):
        source = generate_sequence(arguments.source_length, arguments.cardinality)
        target = source[: arguments.target_length][::-1]
        sources.append(to_categorical(source, num_classes=arguments.cardinality))
        shifted.append(to_categorical([0, *target[:-1]], num_classes=arguments.cardinality))
        targets.append(to_categorical(target, num_classes=arguments.cardinality))
    return np.array(sources), np.array(shifted), np.array(targets)


def predict_sequence(encoder: Any, decoder: Any, source: Any, steps: int, cardinality: int) -> Any:
    """Decode one source, (1, length, cardinality), a step at a time; returns (steps, cardinality)."""
    states = encoder.predict(source, verbose=0)
    symbol = np.zeros((1, 1, cardinality))
    symbol[0, 0, 0] = 1.0
    output = []
    for _ in range(steps):
        symbol, *states = decoder.predict([symbol, *states], verbose=0)
        output.append(symbol[0, 0])
    return np.array(output)


def main() -> None:
    """Train, evaluate, print."""
    arguments = _parse()
    keras.utils.set_random_seed(arguments.seed)
    train, encoder, decoder = define_models(arguments.cardinality, arguments.units)
    train.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    sources, shifted, targets = get_dataset(arguments, arguments.examples)
    train.fit([sources, shifted], targets, batch_size=32, epochs=1, verbose=0)
    correct = 0
    for _ in range(EVALUATED):
        source, _, target = get_dataset(arguments, 1)
        predicted = predict_sequence(encoder, decoder, source, arguments.target_length, arguments.cardinality)
        correct += np.array_equal(target[0].argmax(-1), predicted.argmax(-1))
    print(json.dumps({"sequence_accuracy": correct / EVALUATED, "evaluated": EVALUATED}))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("source-length", 6),
        ("target-length", 3),
        ("cardinality", 51),
        ("units", 128),
        ("examples", 100_000),
        ("seed", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
