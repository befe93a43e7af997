"""A program that decodes sources with an exported SavedModel, by TensorFlow alone.

It may import neither this package nor Keras, as TensorFlow Serving has neither. Its arguments: the directory
of the SavedModel, a `.npz` file with the batches `source_0`, `source_1`, ... (n, S) int32, a `.npz` file to
write, and the number of threads. It writes `ids_0`, ... (n, T) int32, and `seconds`, the time of decoding.
"""

from __future__ import annotations

import sys
import time

if __name__ == "__main__":
    for blocked in ("job", "keras", "tf_keras"):
        sys.modules[blocked] = None  # type: ignore[assignment]

import numpy as np
import tensorflow as tf


def main(directory: str, given: str, output: str, threads: str) -> None:
    """Decode the batches, the first one twice: once before the time is taken."""
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    predict = tf.saved_model.load(directory).signatures["predict"]
    with np.load(given) as file:
        sources = [tf.constant(file[f"source_{i}"]) for i in range(int(file["batches"]))]
    predict(source=sources[0])
    began = time.perf_counter()
    found = [predict(source=source)["ids"].numpy() for source in sources]
    seconds = time.perf_counter() - began
    np.savez(output, seconds=seconds, **{f"ids_{i}": ids for i, ids in enumerate(found)})


if __name__ == "__main__":
    main(*sys.argv[1:])
