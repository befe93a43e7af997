"""Greedy decoding with two saved models by Keras and TensorFlow alone.

Run as a script it makes sure that this package cannot be imported.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    for name in ("job", "seq2seq_job"):
        sys.modules[name] = None  # importing it fails, however it is installed

import keras
import numpy as np
import tensorflow as tf


def listed(outputs):
    """Return a model's outputs as a list, without the masks that Keras attaches to them."""
    return [tf.identity(x) for x in (outputs if isinstance(outputs, list | tuple) else [outputs])]


def decode(encoder, decoder, source, previous, steps):
    """Return the logits (or values) of every step, (B, steps, V), and then what the last step gave besides.

    Args:
        previous: (B, 1) int32, the start id; of numbers: (B, 1, 1) float32, the last known value.
    """
    names = [tensor.name for tensor in decoder.inputs]
    encoded = listed(encoder(source))
    fixed = {"source": source, **dict(zip(encoder.output_names, encoded, strict=True))}
    if "encoder_outputs" in names:
        fixed["encoder_outputs"] = encoded.pop()
    states = [name for name in names if name.startswith("state_")]
    if "state_keys_1" in states:  # a Transformer: no keys and values at first
        shapes = [tensor.shape for tensor in decoder.inputs if tensor.name in states]
        encoded = [tf.zeros([len(source), heads, 0, width]) for _, heads, _, width in shapes]
    while len(encoded) < len(states):
        encoded.append(tf.zeros_like(encoded[0]))  # `state_fed` and `state_output` begin with zeros
    logits = []
    for _ in range(steps):
        given = {"previous_symbol": previous, **dict(zip(states, encoded, strict=True)), **fixed}
        found, *rest = listed(decoder([given[name] for name in names]))
        encoded = rest[: len(states)]
        logits.append(found)
        previous = tf.argmax(found, axis=-1, output_type=tf.int32) if source.dtype == tf.int32 else found
    return [np.asarray(x) for x in (tf.concat(logits, axis=1), *rest)]


def main(directory):
    """Decode with every model under a directory, and write `found.npz` beside it."""
    try:
        import job  # noqa: F401
    except ImportError:
        pass
    else:
        raise SystemExit("the package can be imported")
    for given in sorted(directory.glob("*/given.npz")):
        encoder, decoder = (
            keras.models.load_model(given.with_name(f"{side}.keras")) for side in ("encoder", "decoder")
        )
        with np.load(given) as arrays:
            source, start = (tf.constant(arrays[name]) for name in ("source", "start"))
        np.savez(given.with_name("found.npz"), *decode(encoder, decoder, source, start, 4))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
